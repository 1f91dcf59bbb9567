"""A thread that has the database begin to send a slice's rows, so that they are there when the main thread wants them.

The rows wait in the buffers of the connection, which bound them; the main thread takes them from there.
"""

import signal
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from types import TracebackType

from labeltask_contract.task_document import TaskDocument
from labeltask_store.connection import DbConnection, Escape, escaper
from labeltask_store.source_access import Access, Position
from labeltask_store.source_rows import RowStream, open_slice


class OpenSlice:
    """Rows that come, over a connection of their own. Use it as a context manager; leaving it ends the connection."""

    def __init__(self, rows: RowStream, escape: Escape, resources: ExitStack) -> None:
        self.rows = rows
        self.escape = escape
        self._resources = resources

    def __enter__(self) -> "OpenSlice":
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()


class SliceOpener:
    """Opens slices of one task. Use it as a context manager; leaving it ends the thread."""

    def __init__(
        self, connect: Callable[[], AbstractContextManager[DbConnection]], task: TaskDocument, access: Access
    ) -> None:
        """``connect`` gives a connection that streams."""
        self._connect = connect
        self._task = task
        self._access = access
        # The main thread's timer must not interrupt a system call of this one.
        block = (signal.SIG_BLOCK, {signal.SIGVTALRM})
        self._thread = ThreadPoolExecutor(1, "opener", initializer=signal.pthread_sigmask, initargs=block)

    def __enter__(self) -> None:
        """Use it."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for what is being opened and end the thread."""
        self._thread.shutdown(cancel_futures=True)

    def open(self, start: str, end: str, behind: Position | None) -> Future[OpenSlice]:
        """Begin to read the rows with ``start <= post_time < end`` behind a position; errors are the driver's."""
        return self._thread.submit(self._open, start, end, behind)

    def _open(self, start: str, end: str, behind: Position | None) -> OpenSlice:
        with ExitStack() as resources:
            db = resources.enter_context(self._connect())
            rows = open_slice(db, self._task, self._access, start, end, behind)
            return OpenSlice(rows, escaper(db), resources.pop_all())
