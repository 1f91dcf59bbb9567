"""Keys of tasks that want to be looked at: each at most once in the queue, and never two looks at one key at a time.

Input: keys, from any thread, at once or after a delay. Output: calls of one function in a thread pool; a key whose call
fails comes again after a growing delay, without holding up the others.
"""

import asyncio
import heapq
import time
from collections.abc import Callable
from concurrent.futures import Executor

import structlog

from labeltask_logs.json_lines import text_of
from labeltask_operator.cluster import ApiFailure

_log = structlog.get_logger(__name__)
FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 20.0
LONGEST_UNFIT_DELAY_SECONDS = 300.0


def retry_seconds(failures: int, error: Exception) -> float:
    """Return how long a key waits after so many failures in a row, of which ``error`` is the last.

    Where the object itself is refused only a change of it helps, which is an event, or one of its definition.
    """
    unfit = isinstance(error, ApiFailure) and error.unfit
    longest = LONGEST_UNFIT_DELAY_SECONDS if unfit else LONGEST_DELAY_SECONDS
    return min(FIRST_DELAY_SECONDS * 2.0 ** min(failures - 1, 10), longest)


class WorkQueue:
    """Lives in the event loop that runs :meth:`run`; :meth:`add` may be called from anywhere."""

    def __init__(self, handle: Callable[[str], float | None], executor: Executor, width: int) -> None:
        self._handle = handle
        self._executor = executor
        self._places = asyncio.Semaphore(width)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news = asyncio.Event()
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []
        self._running: set[str] = set()
        self._failures: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.last_turn = time.monotonic()

    def add(self, key: str, delay_seconds: float = 0.0) -> None:
        """See to it that ``key`` is looked at within ``delay_seconds``."""
        when = time.monotonic() + delay_seconds
        if self._loop is None:
            self._put(key, when)
        else:
            self._loop.call_soon_threadsafe(self._put, key, when)

    def __len__(self) -> int:
        return len(self._due)

    async def run(self) -> None:
        """Serve keys until cancelled."""
        self._loop = asyncio.get_running_loop()
        while True:
            self.last_turn = time.monotonic()
            await self._places.acquire()
            key = await self._next()
            self._running.add(key)
            task = asyncio.create_task(self._serve(key), name=f"reconcile-{key}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _put(self, key: str, when: float) -> None:
        known = self._due.get(key)
        if known is None or when < known:
            self._due[key] = when
            heapq.heappush(self._heap, (when, key))
            self._news.set()

    async def _next(self) -> str:
        while True:
            self.last_turn = time.monotonic()
            self._news.clear()
            wait: float | None = None
            postponed: list[tuple[float, str]] = []
            try:
                while self._heap:
                    when, key = self._heap[0]
                    if self._due.get(key) != when:
                        heapq.heappop(self._heap)  # an earlier wish replaced it, or it was served
                    elif when > time.monotonic():
                        wait = when - time.monotonic()
                        break
                    elif key in self._running:
                        postponed.append(heapq.heappop(self._heap))
                    else:
                        heapq.heappop(self._heap)
                        del self._due[key]
                        return key
            finally:
                for entry in postponed:
                    heapq.heappush(self._heap, entry)
            try:
                async with asyncio.timeout(1.0 if wait is None else min(wait, 1.0)):
                    await self._news.wait()
            except TimeoutError:
                continue

    async def _serve(self, key: str) -> None:
        try:
            loop = asyncio.get_running_loop()
            again = await loop.run_in_executor(self._executor, self._handle, key)
        except Exception as error:
            self._failures[key] = self._failures.get(key, 0) + 1
            again = retry_seconds(self._failures[key], error)
            _log.warning(
                "looking at a task failed, trying again",
                task=key,
                error=text_of(error),
                retry_seconds=again,
                exc_info=self._failures[key] == 1,
            )
        else:
            self._failures.pop(key, None)
        finally:
            self._running.discard(key)
            self._places.release()
            self._news.set()
        if again is not None:
            self._put(key, time.monotonic() + again)
