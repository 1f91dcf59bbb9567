"""What a person sees who runs a worker on a terminal: rows of the whole task, rows a second, labelled share, time left.

Fed with the totals that the worker writes once a second, so it shows what all of the task's workers do together.
"""

from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn

from labeltask_store.ledger_sums import Totals


class TaskBar:
    """A progress bar on stderr, as a context manager; log lines scroll above it."""

    def __init__(self, console: Console | None = None) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[rows]}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[speed]}"),
            TextColumn("{task.fields[share]}"),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            console=console or Console(stderr=True),
            speed_estimate_period=10,
        )
        self._task = self._progress.add_task("label", total=None, rows="starting", speed="", share="")

    def __enter__(self) -> Self:
        """Show the bar."""
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave its last state on the terminal."""
        self._progress.stop()

    def show(self, totals: Totals) -> None:
        """Show where the task is."""
        self._progress.update(self._task, completed=totals.rows_read, total=totals.rows_estimated)
        speed = self._progress.tasks[0].speed
        share = 100 * totals.rows_labelled / totals.rows_read if totals.rows_read else 0.0
        self._progress.update(
            self._task,
            rows=f"{totals.rows_read:,} of {totals.rows_estimated:,} rows",
            speed=f"{speed:,.0f} rows/s" if speed else "",
            share=f"{share:.1f} % labelled",
        )
