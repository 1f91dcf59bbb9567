"""The progress bar shows what all of a task's workers have done."""

import io

from rich.console import Console

from labeltask_store.ledger_sums import Totals
from labeltask_worker.task_bar import TaskBar


def test_the_bar_shows_rows_of_the_whole_task_speed_labelled_share_and_time_left() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=160, color_system=None)
    assert isinstance(console.file, io.StringIO)
    clock = iter([0.0, 5.0, 10.0]).__next__
    with TaskBar(console, clock) as bar:
        bar.show(Totals(4, 4, 0, 0, 2_010, None))
        bar.show(Totals(4, 3, 500, 75, 2_000, "2020-01-01 00:00:00"))
        bar.show(Totals(4, 1, 1_000, 150, 1_990, "2020-01-02 00:00:00"))
    last = console.file.getvalue().split("\r")[-1]
    assert "1,000 of 1,990 rows" in last
    assert "50%" in last
    assert "100 rows/s · 15.0 % labelled · ETA 0:00:10" in last
