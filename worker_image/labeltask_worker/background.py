"""A thread that does jobs one after the other, so that the main thread reads and matches while the database writes.

The first job that fails is the last that is done: what was handed in behind it is dropped, and the failure is raised in
the main thread at its next call. So work that must happen in order, or not at all, stays in order.
"""

import signal
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

MOST_WAITING = 2
"""Jobs that wait beside the running one: enough to hide a slow commit, few enough to bound memory."""

Job = Callable[[], object]
T = TypeVar("T")


class Background:
    """Use it as a context manager; leaving it ends the thread, and drops what has not begun."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._running = False
        self._closed = False
        self._failure: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="writer", daemon=True)

    def __enter__(self) -> "Background":
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the running job and end the thread."""
        with self._changed:
            self._closed = True
            self._jobs.clear()
            self._changed.notify_all()
        self._thread.join()

    def put(self, job: Job) -> None:
        """Hand a job in; wait while too many do. Raises what an earlier job raised."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._jobs) < MOST_WAITING or self._failure is not None)
            self._raise_failure()
            self._jobs.append(job)
            self._changed.notify_all()

    def result_of(self, promised: Future[T]) -> T:
        """Return what a job that was handed in promised. Raises what it or an earlier job raised."""
        with self._changed:
            self._changed.wait_for(lambda: promised.done() or self._failure is not None)
            self._raise_failure()
        return promised.result()

    def drain(self) -> None:
        """Wait until every job is done. Raises what one of them raised."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._jobs or self._running) or self._failure is not None)
            self._raise_failure()

    def abandon(self) -> None:
        """Drop what has not begun, and wait for the running job, whatever comes of it."""
        with self._changed:
            self._jobs.clear()
            self._changed.wait_for(lambda: not self._running)

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        # The main thread's timer must not interrupt a system call of this one.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGVTALRM})
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._jobs) or self._closed)
                if self._closed:
                    return
                job = self._jobs.popleft()
                self._running = True
                self._changed.notify_all()
            try:
                job()
            except BaseException as error:
                # Raised again in the main thread.
                with self._changed:
                    self._failure = error
                    self._jobs.clear()
                    self._running = False
                    self._changed.notify_all()
                return
            # Holds a batch: let it go before the next one.
            del job
            with self._changed:
                self._running = False
                self._changed.notify_all()
