"""Runs that people look at: a dry run that writes nothing, a run on a terminal."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

from database.worker_runs import Stage
from labeltask_testing.source_rows import generate_posts


def run_worker(task_dir: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a worker in the foreground, as a person would, but into pipes."""
    return subprocess.run(
        [sys.executable, "-m", "labeltask_worker", "run", "--task-dir", str(task_dir), *options],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def run_on_terminal(task_dir: Path) -> str:
    """Run a worker whose stderr is a terminal; return what that showed."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "labeltask_worker", "run", "--task-dir", str(task_dir)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "160"},
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while part := os.read(ours, 65_536):
                shown += part
        except OSError:
            # Linux says so when the last process has left the terminal.
            pass
        finally:
            os.close(ours)
    assert process.returncode == 0
    return shown.decode()


def test_a_dry_run_counts_what_a_run_would_label_and_writes_nothing(stage: Stage, tmp_path: Path) -> None:
    stage.load(generate_posts(2_000, seed=1, nulls=0.05))
    task = stage.task(policy="all")
    expected = task.expected()
    ended = run_worker(task.write_files(tmp_path / "task"), "--dry-run")
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["rows_read"] == expected.state["length_receive_table"]
    rows = [row for table in expected.results.values() for row in table]
    assert found["rows_labelled"] == len({row[0] for row in rows})
    assert sum(found["labels"].values()) == len(rows)
    assert list(found["labels"]) == list(task.wanted)
    assert found["seconds"] > 0
    assert stage.server.execute(f"SHOW TABLES FROM `{stage.output_schema}`") == []


def test_a_dry_run_that_can_not_read_says_why_with_the_code_of_a_run(stage: Stage, tmp_path: Path) -> None:
    task = stage.task(input_table="nothing_here")
    ended = run_worker(task.write_files(tmp_path / "task"), "--dry-run")
    assert ended.returncode == 67
    assert ended.stderr.startswith("TableMissing: ")
    assert "nothing_here" in ended.stderr


def test_on_a_terminal_a_run_shows_a_bar_and_elsewhere_lines_of_json(stage: Stage, tmp_path: Path) -> None:
    stage.load(generate_posts(2_000, seed=2))
    screen = run_on_terminal(stage.task().write_files(tmp_path / "first"))
    assert "rows" in screen
    assert "% labelled" in screen
    assert "the task is complete" in screen.replace("\r\n", "")
    assert '{"' not in screen
    plain = run_worker(stage.task(number=2).write_files(tmp_path / "second"))
    assert plain.returncode == 0
    assert all(isinstance(json.loads(line), dict) for line in plain.stderr.splitlines())
