"""Many rows, and long ones, under the default memory limit of a pod: tasks end and tell no less than their peak."""

import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from benchmarks.data import END, START, ensure_table, keywords, repeat_rows, sample_texts
from benchmarks.runs import OUTPUT, make_task
from labeltask_testing.mariadb import Server, running_server
from labeltask_testing.memory_limit import memory_limit

LIMIT_MIB = 256
WITHIN_SECONDS = 3_600


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with room for two million rows."""
    with running_server("--innodb-buffer-pool-size=1G", "--innodb-log-file-size=256M") as running:
        yield running


@pytest.mark.parametrize(
    ("predict_type", "base", "times", "characters", "end"),
    [("author_name", 100_000, 20, 20, END), ("content", 50_000, 10, 350, START + timedelta(hours=1))],
    ids=["2,000,000 authors of a year", "500,000 texts of 1 KiB of one hour"],
)
def test_a_big_task_ends_under_the_default_memory_limit_and_tells_no_less_than_its_peak(
    server: Server, tmp_path: Path, predict_type: str, base: int, times: int, characters: int, end: datetime
) -> None:
    table = ensure_table(server, base, f"base_{characters}", characters=characters, end=end)
    authors, contents = sample_texts(server, table, 0.2)
    pattern = keywords(authors if predict_type == "author_name" else contents, 2_000)
    read, labelled, _, _ = label(server, tmp_path / "base", table, pattern, predict_type)
    big = repeat_rows(server, table, times)
    found = label(server, tmp_path / "big", big, pattern, predict_type)
    assert found[:2] == (times * read, times * labelled)
    _, _, told_mib, peak_mib = found
    print(
        f"{predict_type}: {found[0]:,} rows; peak_memory {told_mib:.0f} MiB, charged by the kernel {peak_mib:.0f} MiB"
    )
    # Told besides, most likely: pages of libraries that another program had read before and is charged for.
    assert 0.9 * peak_mib <= told_mib < LIMIT_MIB
    assert peak_mib < LIMIT_MIB


def label(
    server: Server, folder: Path, table: str, pattern: dict[str, object], predict_type: str
) -> tuple[int, int, float, float]:
    """Run a task under the limit; return rows read, rows labelled, the peak it tells and the one the kernel saw."""
    server.execute(f"DROP DATABASE IF EXISTS `{OUTPUT}`", f"CREATE DATABASE `{OUTPUT}`")
    make_task(folder, server, table, pattern, predict_type=predict_type)
    with memory_limit(LIMIT_MIB) as limit:
        ended = limit.run(
            [sys.executable, "-m", "labeltask_worker", "run", "--task-dir", str(folder)], seconds=WITHIN_SECONDS
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        peak_mib = limit.peak_mib()
    state = f"SELECT length_receive_table, length_output_table, peak_memory FROM `{OUTPUT}`.state"
    read, labelled, told_mib = server.execute(state)[0]
    return int(read), int(labelled), float(told_mib), peak_mib
