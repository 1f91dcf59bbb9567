"""What a person sees who runs a worker on a terminal: rows of the whole task, rows a second, labelled share, time left.

Fed with the totals that the worker writes once a second, so it shows what all of the task's workers do together.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn

from labeltask_store.ledger_sums import Totals
from labeltask_store.rule_hits import ReportLine
from labeltask_worker.report_table import build_report_table

TOTALS_LOOKED_AT = 15
"""Speed is taken over the last so many totals, about as many seconds."""


class TaskBar:
    """A progress bar on stderr, as a context manager; log lines scroll above it."""

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.fields[rows]}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rest]}"),
            console=console or Console(stderr=True),
        )
        self._task = self._progress.add_task("label", total=None, rows="starting", rest="")
        self._clock = clock
        # rich measures speed too, but begins anew whenever the total changes, as an estimate does.
        self._seen: deque[tuple[float, int]] = deque(maxlen=TOTALS_LOOKED_AT)

    def __enter__(self) -> Self:
        """Show the bar."""
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave its last state on the terminal."""
        self._progress.stop()

    def show_report(self, lines: Sequence[ReportLine]) -> None:
        """Show the rule report above the bar."""
        self._progress.console.print(build_report_table(lines))

    def show(self, totals: Totals) -> None:
        """Show where the task is."""
        read, expected = totals.rows_read, totals.rows_estimated
        self._seen.append((self._clock(), read))
        (since, before), (now, _) = self._seen[0], self._seen[-1]
        speed = (read - before) / (now - since) if now > since else 0.0
        parts = [f"{100 * totals.rows_labelled / read:.1f} % labelled"] if read else []
        if speed:
            left = timedelta(seconds=round((expected - read) / speed))
            parts = [f"{speed:,.0f} rows/s", *parts, f"ETA {left}"]
        self._progress.update(
            self._task,
            completed=read,
            total=expected,
            rows=f"{read:,} of {expected:,} rows",
            rest=" · ".join(parts),
        )
