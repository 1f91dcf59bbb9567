"""What the operator keeps of one task between two looks. Lost at a restart, and then found again in the cluster."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from labeltask_contract.connection import Connection
from labeltask_contract.stat import Stat
from labeltask_operator.resolve import Resolution
from labeltask_operator.stored_row import StoredRow
from labeltask_store.state_table import StoredProgress

if TYPE_CHECKING:
    from labeltask_operator.views import TaskView

RATE_WINDOW_SECONDS = 60.0


@dataclass
class RateWindow:
    """Rows per second over the last minute."""

    _points: deque[tuple[datetime, int]] = field(default_factory=deque)

    def add(self, now: datetime, rows: int) -> None:
        """Note how many rows were read at ``now``."""
        if self._points and rows < self._points[-1][1]:
            self._points.clear()
        self._points.append((now, rows))
        while len(self._points) > 2 and (now - self._points[1][0]).total_seconds() >= RATE_WINDOW_SECONDS:
            self._points.popleft()

    def rows_per_second(self) -> int | None:
        """Return the rate; None before there are two looks."""
        if len(self._points) < 2:
            return None
        (first, before), (last, rows) = self._points[0], self._points[-1]
        seconds = (last - first).total_seconds()
        return None if seconds <= 0 else round((rows - before) / seconds)


@dataclass
class PodCount:
    """How many pods a task has had. Those of a paused or drained one are gone and counted by no Job any more."""

    _before: int | None = None
    _seen: set[str] = field(default_factory=set)

    def add(self, recorded: int, uids: Iterable[str]) -> int:
        """Take note of the pods that are there, and return the count.

        ``recorded``: the count in the status. After a restart the pods that are there are taken for counted ones.
        """
        self._seen.update(uids)
        if self._before is None:
            self._before = max(0, recorded - len(self._seen))
        return self._before + len(self._seen)


@dataclass
class TaskMemory:
    """One task, from acceptance to its end."""

    uid: str
    task_id: str
    schema: str | None = None
    resolution: Resolution | None = None
    connection: Connection | None = None
    connection_tried_at: datetime | None = None
    row: StoredRow = field(default_factory=StoredRow)
    row_tried_at: datetime | None = None
    rate: RateWindow = field(default_factory=RateWindow)
    pods: PodCount = field(default_factory=PodCount)
    status_written_at: datetime | None = None
    follows: bool = False
    """Whether the poll reads this task's row: its Job runs."""

    def take_row(self, progress: StoredProgress | None, now: datetime) -> tuple[int, int]:
        """Take over the row as just read; return by how many rows read and labelled it has grown since the last look.

        What was done before the first look counts as nothing: a restart must not look like a burst of work.
        """
        before = self.row.progress
        self.row = self.row.after_read(progress, now)
        if progress is None or before is None:
            return 0, 0
        read, labelled = progress.rows_read - before.rows_read, progress.rows_labelled - before.rows_labelled
        return max(0, read), max(0, labelled)

    @classmethod
    def of(cls, view: "TaskView") -> "TaskMemory":
        """Begin to remember a task."""
        schema = None if view.spec is None else view.spec.output.schema_
        return cls(view.uid, view.task_id, schema)


@dataclass(frozen=True)
class PendingEnd:
    """A row that still has to be ended, because its database did not answer."""

    key: str
    task_id: str
    connection: Connection
    schema: str
    stat: Stat
    message: str
    since: datetime
