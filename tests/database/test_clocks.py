"""Workers whose clock is wrong or in another zone: times are the database's, so nothing changes."""

import json
import subprocess
from datetime import UTC, datetime

from database.worker_runs import Running, Stage
from labeltask_testing.source_rows import generate_posts


def test_the_clock_zone_of_the_worker_changes_nothing(stage: Stage) -> None:
    stage.load(generate_posts(200, seed=12))
    task = stage.task()
    assert task.start(TZ="Asia/Taipei").wait().code == 0
    task.check()


def wrong_clock(offset: str) -> dict[str, str]:
    """The environment of a process whose clock is wrong; how fast it goes and how long it waits stay right."""
    preloaded = subprocess.run(
        ["faketime", "-f", offset, "printenv", "LD_PRELOAD"], capture_output=True, text=True, check=True
    ).stdout
    return {"LD_PRELOAD": preloaded.strip(), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def hours_ahead(run: Running) -> int:
    """By how much the clock of a worker that has just ended was wrong, by what it logged last."""
    told = datetime.fromisoformat(json.loads(run.log().splitlines()[-1])["timestamp"])
    return round((told - datetime.now(UTC)).total_seconds() / 3_600)


def test_workers_whose_clocks_are_an_hour_ahead_and_behind_share_a_task_and_change_nothing(stage: Stage) -> None:
    stage.load(generate_posts(4_000, seed=14))
    task = stage.task(parallelism=2, slice_rows=500, batch_rows=50, countdown_seconds=2)
    with task.hold(rows=250) as hold:
        runs = [task.start(index=index, **wrong_clock(offset)) for index, offset in enumerate(("+1h", "-1h"))]
        hold.reached(workers=2)
        # Neither takes the other for one that is late.
        progress = task.progress()
        owners = stage.server.execute(
            f"SELECT DISTINCT owner FROM `{stage.output_schema}`.label_slice WHERE owner IS NOT NULL ORDER BY owner"
        )
    assert [run.wait().code for run in runs] == [0, 0]
    assert [hours_ahead(run) for run in runs] == [1, -1]
    assert owners == [("pod-0",), ("pod-1",)]
    assert progress is not None
    assert 0 <= (progress.seconds_since_heartbeat or 0) < 60
    task.check()
