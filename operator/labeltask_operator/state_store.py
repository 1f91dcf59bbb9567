"""The ``state`` table as the operator uses it: a narrow Protocol, and its implementation over PyMySQL.

Every call returns a future, because a database may be slow or away: each database account has a thread and a connection
of its own (a *lane*), so that one that does not answer holds up its own tasks only. Errors are ``DatabaseTrouble``.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol, TypeVar

from labeltask_contract.connection import Connection
from labeltask_contract.errors import LabelTaskError
from labeltask_contract.reasons import Reason
from labeltask_contract.stat import Stat
from labeltask_contract.task_document import TaskDocument
from labeltask_store.connection import DbConnection, classify, error_code, is_lost, open_connection
from labeltask_store.state_table import StoredProgress, end_task, ensure_state_table, insert_pending, read_progress

CONNECT_SECONDS = 5
READ_SECONDS = 10
REST_SECONDS = 5.0
"""After a failed connect the lane answers at once for so long, so that a hundred waiting calls don't each time out."""
SLOW_SECONDS = 1.0
"""A call that takes longer is not waited for by others."""
IDLE_SECONDS = 300.0

_LASTING = {
    Reason.ACCESS_DENIED,
    Reason.TLS_REFUSED,
    Reason.SCHEMA_MISSING,
    Reason.TABLE_MISSING,
    Reason.COLUMN_MISSING,
}

T = TypeVar("T")


LASTING_REST_SECONDS = 30.0
"""The same where somebody has to change something: asking again and again looks like an attack."""


class DatabaseTrouble(LabelTaskError):
    """The database does not answer or refuses; ``str()`` is fit to be shown.

    ``lasting``: it answers and refuses (account, right, schema), so that time alone cures nothing.
    """

    def __init__(self, message: str, lasting: bool = False) -> None:
        self.lasting = lasting
        super().__init__(message)


class StateStore(Protocol):
    """Rows of the ``state`` table of any database that a task names."""

    def open_task(self, connection: Connection, task: TaskDocument) -> "Future[StoredProgress | None]":
        """Have a row (PENDING, if there was none), and return it."""

    def read(self, connection: Connection, schema: str, task_ids: Sequence[str]) -> "Future[dict[str, StoredProgress]]":
        """Return the rows that exist, by task id."""

    def end_task(
        self, connection: Connection, schema: str, task_id: str, stat: Stat, message: str
    ) -> "Future[StoredProgress | None]":
        """End the row unless it is final already, and return it as it is now."""

    def trouble(self, connection: Connection) -> str:
        """Return why it is of no use to wait for this database just now; empty when it should answer."""

    def sweep(self) -> None:
        """Let go of databases that nobody asked for lately."""


class MySqlStateStore:
    """The StateStore over PyMySQL. Safe to be used by many threads at once."""

    def __init__(self) -> None:
        self._lanes: dict[Connection, _Lane] = {}
        self._lock = threading.Lock()

    def open_task(self, connection: Connection, task: TaskDocument) -> "Future[StoredProgress | None]":
        schema = task.output_schema

        def work(db: DbConnection) -> StoredProgress | None:
            ensure_state_table(db, schema)
            insert_pending(db, schema, task)
            return read_progress(db, schema, [task.task_id]).get(task.task_id)

        return self._lane(connection).submit(work)

    def read(self, connection: Connection, schema: str, task_ids: Sequence[str]) -> "Future[dict[str, StoredProgress]]":
        return self._lane(connection).submit(lambda db: read_progress(db, schema, task_ids))

    def end_task(
        self, connection: Connection, schema: str, task_id: str, stat: Stat, message: str
    ) -> "Future[StoredProgress | None]":
        def work(db: DbConnection) -> StoredProgress | None:
            end_task(db, schema, task_id, stat, message)
            return read_progress(db, schema, [task_id]).get(task_id)

        return self._lane(connection).submit(work)

    def trouble(self, connection: Connection) -> str:
        return self._lane(connection).trouble()

    def sweep(self) -> None:
        with self._lock:
            idle = [connection for connection, lane in self._lanes.items() if lane.idle_for() > IDLE_SECONDS]
            closing = [self._lanes.pop(connection) for connection in idle]
        for lane in closing:
            lane.close()

    def _lane(self, connection: Connection) -> "_Lane":
        with self._lock:
            return self._lanes.setdefault(connection, _Lane(connection))


class _Lane:
    """One thread and at most one open connection for one database account."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=f"state-{connection.address}")
        self._db: DbConnection | None = None
        self._rests_until = 0.0
        self._trouble = DatabaseTrouble("")
        self._used = time.monotonic()
        self._busy_since: float | None = None

    def submit(self, work: Callable[[DbConnection], T]) -> "Future[T]":
        self._used = time.monotonic()
        return self._executor.submit(self._run, work)

    def trouble(self) -> str:
        since = self._busy_since
        if since is not None and time.monotonic() - since > SLOW_SECONDS:
            return f"{self._connection.address} takes long to answer"
        return str(self._trouble) if time.monotonic() < self._rests_until else ""

    def idle_for(self) -> float:
        return time.monotonic() - self._used

    def close(self) -> None:
        self._executor.submit(self._drop)
        self._executor.shutdown(wait=False)

    def _run(self, work: Callable[[DbConnection], T]) -> T:
        had_connection = self._db is not None
        self._busy_since = time.monotonic()
        try:
            return self._once(work)
        except DatabaseTrouble:
            # A kept connection may have been closed by the server long ago; a new one tells the truth.
            if not had_connection or self._db is not None:
                raise
            return self._once(work)
        finally:
            self._busy_since = None

    def _once(self, work: Callable[[DbConnection], T]) -> T:
        db = self._open()
        try:
            return work(db)
        except Exception as error:
            if error_code(error) is None:
                self._drop()
                raise
            if is_lost(error):
                self._drop()
            else:
                with contextlib.suppress(Exception):  # the error above is the one to tell
                    db.rollback()
            raise self._trouble_of(error) from None

    def _open(self) -> DbConnection:
        if self._db is not None:
            return self._db
        if time.monotonic() < self._rests_until:
            raise self._trouble
        try:
            self._db = open_connection(
                self._connection, "pymysql", read_seconds=READ_SECONDS, connect_seconds=CONNECT_SECONDS
            )
        except Exception as error:
            self._trouble = self._trouble_of(error, connecting=True)
            self._rests_until = time.monotonic() + (LASTING_REST_SECONDS if self._trouble.lasting else REST_SECONDS)
            raise self._trouble from None
        return self._db

    def _drop(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(Exception):  # it is broken; that is why it goes
                db.close()

    def _trouble_of(self, error: Exception, connecting: bool = False) -> DatabaseTrouble:
        failure = classify(error, self._connection, connecting=connecting)
        if failure is None:
            return DatabaseTrouble(f"{self._connection.address}: {type(error).__name__}")
        return DatabaseTrouble(failure.message, failure.reason in _LASTING)
