"""Follows the ``state`` rows of running tasks (one query an account and schema) and ends rows whose database was away.

Input: the memories of running tasks. Output: fresher rows in them; keys of tasks whose row changed.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime
from functools import partial

import structlog

from labeltask_contract.connection import Connection
from labeltask_logs.json_lines import text_of
from labeltask_operator.metrics import Metrics
from labeltask_operator.settings import Settings
from labeltask_operator.state_store import DatabaseTrouble, StateStore
from labeltask_operator.task_memory import PendingEnd, TaskMemory
from labeltask_store.state_table import StoredProgress

_log = structlog.get_logger(__name__)
Followed = Sequence[tuple[str, TaskMemory]]
Database = tuple[Connection, str]


class RowFollower:
    """One for all tasks; every method may be called from any thread and returns at once."""

    def __init__(
        self,
        settings: Settings,
        store: StateStore,
        enqueue: Callable[[str], None],
        now: Callable[[], datetime],
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._store = store
        self._enqueue = enqueue
        self._now = now
        self._metrics = metrics
        self._lock = threading.Lock()
        self._reading: set[Database] = set()
        self._pending: dict[str, tuple[PendingEnd, TaskMemory | None]] = {}
        self._ending: set[str] = set()

    def poll(self, followed: Followed) -> None:
        """Ask each database for the rows of its tasks; one that has not answered yet is not asked again."""
        groups: dict[Database, list[tuple[str, TaskMemory]]] = {}
        for key, memory in followed:
            if memory.connection is not None and memory.schema is not None:
                groups.setdefault((memory.connection, memory.schema), []).append((key, memory))
        for database, group in groups.items():
            with self._lock:
                if database in self._reading:
                    continue
                self._reading.add(database)
            future = self._store.read(*database, [memory.task_id for _, memory in group])
            future.add_done_callback(partial(self._read, database, group, time.perf_counter()))
        self.end_pending()

    def end_later(self, end: PendingEnd, memory: TaskMemory | None) -> None:
        """Try to end a row again until it is done or it has taken too long."""
        with self._lock:
            self._pending[end.task_id] = (end, memory)

    def is_pending(self, task_id: str) -> bool:
        """Tell whether a row still has to be ended."""
        with self._lock:
            return task_id in self._pending

    def end_pending(self) -> None:
        """Try all rows that still have to be ended."""
        with self._lock:
            waiting = [entry for task_id, entry in self._pending.items() if task_id not in self._ending]
            self._ending.update(end.task_id for end, _ in waiting)
        for end, memory in waiting:
            future = self._store.end_task(end.connection, end.schema, end.task_id, end.stat, end.message)
            future.add_done_callback(partial(self._ended, end, memory))

    def _read(self, database: Database, group: Followed, begun: float, done: Future[dict[str, StoredProgress]]) -> None:
        with self._lock:
            self._reading.discard(database)
        now = self._now()
        error = done.exception()
        self._metrics.polled(time.perf_counter() - begun, failed=error is not None)
        if error is not None:
            for _, memory in group:
                memory.row = memory.row.after_trouble(text_of(error), now)
            return
        rows = done.result()
        for key, memory in group:
            progress = rows.get(memory.task_id)
            changed = _figures(progress) != _figures(memory.row.progress) or not memory.row.known
            self._metrics.add_rows(*memory.take_row(progress, now))
            if progress is not None:
                memory.rate.add(now, progress.rows_read)
            if changed:
                self._enqueue(key)

    def _ended(self, end: PendingEnd, memory: TaskMemory | None, done: Future[StoredProgress | None]) -> None:
        now = self._now()
        error = done.exception()
        hopeless = isinstance(error, DatabaseTrouble) and error.lasting
        tired = hopeless or (now - end.since).total_seconds() >= self._settings.end_retry_seconds
        with self._lock:
            self._ending.discard(end.task_id)
            if error is None or tired:
                self._pending.pop(end.task_id, None)
        if error is not None:
            if tired:
                _log.warning("the row of an ended task could not be written", task_id=end.task_id, error=text_of(error))
                self._enqueue(end.key)
            return
        if memory is not None:
            self._metrics.add_rows(*memory.take_row(done.result(), now))
            self._enqueue(end.key)


def _figures(progress: StoredProgress | None) -> tuple[object, ...]:
    """What makes a row worth a look; a heartbeat alone does not."""
    if progress is None:
        return ()
    return (progress.state, progress.rows_read, progress.rows_labelled, progress.rows_estimated)
