"""The row of one task, from one look at the task: its account, its state as of now, and its end.

Input: a task's memory. Output: a fresher row in it. Each call waits for the database for a moment at most; a row that
can't be ended in that time is left to the follower.
"""

from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime

from labeltask_contract.stat import Stat
from labeltask_operator.cluster import Cluster
from labeltask_operator.job_calls import TRY_AGAIN_SECONDS
from labeltask_operator.metrics import Metrics
from labeltask_operator.reconcile import Ending
from labeltask_operator.resolve import resolve_row_connection
from labeltask_operator.row_follower import RowFollower
from labeltask_operator.settings import Settings
from labeltask_operator.state_store import DatabaseTrouble, StateStore
from labeltask_operator.task_memory import PendingEnd, TaskMemory
from labeltask_operator.views import TaskView
from labeltask_store.state_table import StoredProgress


class TaskRows:
    """For all tasks of one namespace; no state of its own."""

    def __init__(
        self,
        settings: Settings,
        cluster: Cluster,
        store: StateStore,
        follower: RowFollower,
        now: Callable[[], datetime],
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._cluster = cluster
        self._store = store
        self._follower = follower
        self._now = now
        self._metrics = metrics

    def find_connection(self, view: TaskView, memory: TaskMemory) -> None:
        """Have the account by which the row is read and ended, where it can be had; not asked for at every look."""
        now = self._now()
        tried = memory.connection_tried_at
        if memory.connection is None and (tried is None or (now - tried).total_seconds() >= TRY_AGAIN_SECONDS):
            memory.connection_tried_at = now
            memory.connection = resolve_row_connection(view, self._cluster, self._settings)
            if memory.connection is None:
                memory.row = memory.row.after_trouble("the task's connection can't be read any more", now)

    def find_row(self, memory: TaskMemory, fresh: bool) -> None:
        """Know the row: opened when the task was just accepted, read when something may have happened to it."""
        if memory.connection is None or memory.schema is None:
            return
        now = self._now()
        since = None if memory.row_tried_at is None else (now - memory.row_tried_at).total_seconds()
        if memory.row.known and not (fresh and (since is None or since >= 1)):
            return
        trouble = self._store.trouble(memory.connection)
        if trouble:
            memory.row = memory.row.after_trouble(trouble, now)
            return
        memory.row_tried_at = now
        if memory.resolution is not None and memory.row.progress is None:
            self._wait_for(self._store.open_task(memory.connection, memory.resolution.document), memory)
            return
        rows = self._store.read(memory.connection, memory.schema, [memory.task_id])
        self._wait_for(_picked(rows, memory.task_id), memory)

    def end(self, key: str, ending: Ending, memory: TaskMemory) -> None:
        """End the row, now or as soon as the database answers; a worker may have been faster."""
        if memory.connection is None or memory.schema is None:
            return
        message = ending.message or ""
        if trouble := self._store.trouble(memory.connection):
            memory.row = memory.row.after_trouble(trouble, self._now())
        elif self._wait_for(
            self._store.end_task(memory.connection, memory.schema, memory.task_id, ending.stat, message), memory
        ):
            return
        pending = PendingEnd(key, memory.task_id, memory.connection, memory.schema, ending.stat, message, self._now())
        self._follower.end_later(pending, memory)

    def end_deleted(self, key: str, memory: TaskMemory) -> None:
        """End the row of a LabelTask that is gone."""
        if memory.connection is None or memory.schema is None or memory.row.final:
            return
        message = "the LabelTask was deleted"
        pending = PendingEnd(key, memory.task_id, memory.connection, memory.schema, Stat.BREAK, message, self._now())
        self._follower.end_later(pending, None)
        self._follower.end_pending()

    def _wait_for(self, future: "Future[StoredProgress | None]", memory: TaskMemory) -> bool:
        try:
            progress = future.result(timeout=self._settings.database_wait_seconds)
        except TimeoutError:
            memory.row = memory.row.after_trouble("the database does not answer in time", self._now())
            return False
        except DatabaseTrouble as trouble:
            memory.row = memory.row.after_trouble(str(trouble), self._now())
            return False
        self._metrics.add_rows(*memory.take_row(progress, self._now()))
        return True


def _picked(rows: "Future[dict[str, StoredProgress]]", task_id: str) -> "Future[StoredProgress | None]":
    picked: Future[StoredProgress | None] = Future()

    def pass_on(done: "Future[dict[str, StoredProgress]]") -> None:
        error = done.exception()
        if error is not None:
            picked.set_exception(error)
        else:
            picked.set_result(done.result().get(task_id))

    rows.add_done_callback(pass_on)
    return picked
