"""The worker's connections, and the one rule for what is tried again: a lost connection, a deadlock, a lock held long.

Input: an operation that may be repeated. Output: its result, or a TaskFailure that says what the database said.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import structlog

from labeltask_contract.connection import Connection
from labeltask_contract.errors import LabelTaskError, TaskFailure
from labeltask_contract.reasons import Reason
from labeltask_store.connection import (
    READ_SECONDS,
    DbConnection,
    classify,
    error_code,
    is_conflict,
    is_lost,
    open_connection,
    rows_of,
)
from labeltask_store.result_tables import max_packet_bytes
from labeltask_worker.shutdown import Stop

T = TypeVar("T")

RETRY_SECONDS = 120.0
"""How long an outage in the middle of a run may last: a restart of the server takes a tenth of it."""
FIRST_RETRY_SECONDS = 10.0
"""The same before the first connection: an address that is wrong shall fail the task soon."""
IDLE_SECONDS = 60
"""``wait_timeout`` of our sessions: the server drops the transaction of a worker that froze or lost its network after
this time, and a server-wide value of a few seconds does not hit a worker between two batches."""
_LONGEST_PAUSE_SECONDS = 5.0
_MAY_PASS = {Reason.SOURCE_UNREACHABLE, Reason.TLS_REFUSED}
"""What a server that just starts, or breaks off a handshake, may say before the first connection."""

_log = structlog.get_logger(__name__)


class Retry:
    """Counts one outage: pauses grow, and the budget starts again with each success."""

    def __init__(self, connection: Connection, stop: Stop, budget_seconds: float) -> None:
        self._connection = connection
        self._stop = stop
        self._budget_seconds = budget_seconds
        self._since: float | None = None
        self._pause_seconds = 0.1

    def succeeded(self) -> None:
        """End the outage."""
        self._since = None
        self._pause_seconds = 0.1

    def failed(self, error: Exception, where: str | None = None) -> None:
        """Pause before the next attempt.

        :raises TaskFailure: what ``error`` means, when it is none to repeat for or the budget is spent; Interrupted.
        """
        if isinstance(error, LabelTaskError):
            raise error
        if not is_lost(error) and not is_conflict(error):
            raise classify(error, self._connection, where=where) or error
        now = time.monotonic()
        self._since = self._since or now
        if now - self._since > self._budget_seconds:
            raise self._given_up(error, now - self._since) from None
        _log.warning("database error, trying again", code=error_code(error), cause=str(error.args[-1:]), where=where)
        self._stop.wait(self._pause_seconds * random.uniform(0.5, 1.0))  # noqa: S311 - spreads workers, hides nothing
        self._pause_seconds = min(self._pause_seconds * 2, _LONGEST_PAUSE_SECONDS)

    def _given_up(self, error: Exception, seconds: float) -> TaskFailure:
        cause = classify(error, self._connection)
        text = cause.message if cause else str(error)
        return TaskFailure(Reason.CONNECTION_LOST, f"{text}; tried again for {seconds:.0f} s")


class Database:
    """The account's server: one connection for transactions, kept open, and one for each stream of rows."""

    def __init__(self, connection: Connection, stop: Stop) -> None:
        self.connection = connection
        self._stop = stop
        self._db: DbConnection | None = None
        self._read_seconds = READ_SECONDS
        self._ids: dict[int, int] = {}
        self.packet_bytes = 0
        """max_allowed_packet of the open session."""

    def connect_first(self) -> None:
        """Open the connection for transactions.

        :raises TaskFailure: SourceUnreachable or TlsRefused, naming host, port and cause, after a few attempts;
            AccessDenied at once.
        """
        deadline = time.monotonic() + FIRST_RETRY_SECONDS
        pause_seconds = 0.5
        while True:
            try:
                self._connect()
            except Exception as error:
                failure = classify(error, self.connection, connecting=True)
                if failure is None:
                    raise
                if failure.reason not in _MAY_PASS or time.monotonic() + pause_seconds > deadline:
                    raise failure from None
                _log.warning("no connection yet", code=error_code(error), address=self.connection.address)
            else:
                return
            self._stop.wait(pause_seconds)
            pause_seconds *= 2

    def run(
        self, operation: Callable[[DbConnection], T], where: str | None = None, *, read_seconds: int = READ_SECONDS
    ) -> T:
        """Return what ``operation`` returns; it is repeated, on a new connection if need be, when that may help.

        ``read_seconds``: longest silence of the server, for statements known to take long.

        :raises TaskFailure: what the database's last word means.
        """
        retry = Retry(self.connection, self._stop, RETRY_SECONDS)
        if read_seconds != self._read_seconds:
            # Drivers take the timeout when they connect.
            self.close()
            self._read_seconds = read_seconds
        while True:
            try:
                return operation(self._db or self._connect())
            except Exception as error:
                self._recover(error)
                retry.failed(error, where)

    @contextmanager
    def stream(self, read_seconds: int) -> Iterator[DbConnection]:
        """Yield a connection of its own whose cursors do not buffer; closed at the end with whatever is unread."""
        db = open_connection(
            self.connection, "mysqlclient", read_seconds=read_seconds, stream=True, idle_seconds=IDLE_SECONDS
        )
        try:
            yield db
        finally:
            _close(db)

    def close(self) -> None:
        """Close the connection for transactions; the next operation opens another."""
        if self._db is not None:
            self._ids.pop(id(self._db), None)
            _close(self._db)
            self._db = None

    def cancel(self) -> None:
        """End the running statement from outside, by another connection; for a worker that has to stop now."""
        numbers = list(self._ids.values())
        try:
            db = open_connection(self.connection, "mysqlclient", read_seconds=2, connect_seconds=2)
            for number in numbers:
                rows_of(db, "KILL %s", (number,))
            db.close()
        except Exception as error:
            _log.warning("could not cancel the running statement", code=error_code(error))

    def _connect(self) -> DbConnection:
        db = open_connection(self.connection, "mysqlclient", read_seconds=self._read_seconds, idle_seconds=IDLE_SECONDS)
        self.packet_bytes = max_packet_bytes(db)
        self._ids[id(db)] = int(rows_of(db, "SELECT CONNECTION_ID()")[0][0])
        db.rollback()
        self._db = db
        return db

    def _recover(self, error: Exception) -> None:
        """Leave no transaction open behind a failed operation."""
        if self._db is None:
            return
        if is_lost(error):
            self.close()
            return
        try:
            self._db.rollback()
        except Exception as second:
            if error_code(second) is None:
                raise
            self.close()


def _close(db: DbConnection) -> None:
    try:
        db.close()
    except Exception as error:
        # A broken connection may complain about being closed; it is gone either way.
        if error_code(error) is None:
            raise
