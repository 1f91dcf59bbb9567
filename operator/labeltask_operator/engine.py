"""The operator's loops, without kopf: serving the work queue, polling the databases, comparing with full lists.

Input: a controller. Output: its methods called at the right times, each failure logged and survived.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from typing import Generic, Protocol, TypeVar

import structlog

from labeltask_contract.names import ResourceKind
from labeltask_logs.json_lines import text_of
from labeltask_operator.cluster import ApiFailure
from labeltask_operator.metrics import Held, Metrics
from labeltask_operator.mirror import DumpMirror, Mirror
from labeltask_operator.settings import Settings
from labeltask_operator.work_queue import WorkQueue

_log = structlog.get_logger(__name__)
_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 10.0
STUCK_SECONDS = 120.0
"""Longer than every timeout of API and database together: a loop that long without a turn hangs."""


class Reconciler(Protocol):
    """A controller of one kind of object."""

    @property
    def mirror(self) -> Mirror | DumpMirror: ...
    def states(self) -> Iterable[tuple[str, str]]: ...
    def start(self) -> None: ...
    def resync(self) -> None: ...
    def poll(self) -> None: ...
    def reconcile(self, key: str) -> float | None: ...


Served = TypeVar("Served", bound=Reconciler)


class Engine(Generic[Served]):
    """Runs the controller of one kind in one namespace, in the current event loop."""

    def __init__(
        self,
        namespace: str,
        kind: ResourceKind,
        settings: Settings,
        build: Callable[[Callable[[str], None]], Served],
        executor: Executor,
        metrics: Metrics,
    ) -> None:
        self._namespace = namespace
        self._kind = kind
        self._metrics = metrics
        self._settings = settings
        self._executor = executor
        self._learned = False
        self._loops: list[asyncio.Task[None]] = []
        self.queue = WorkQueue(self._reconcile, executor, settings.reconcile_threads)
        self.controller = build(self.queue.add)

    async def learn(self) -> None:
        """Read what there is: again and again while the API server does not answer, once where it refuses.

        :raises ApiFailure: when it refuses, because the namespace is gone or grants nothing.
        """
        delay = _FIRST_DELAY_SECONDS
        while True:
            try:
                await asyncio.to_thread(self.controller.start)
            except Exception as error:
                if isinstance(error, ApiFailure) and error.refused:
                    raise
                self._say_failed(error, delay)
                await asyncio.sleep(delay)
                delay = min(delay * 2, _LONGEST_DELAY_SECONDS)
            else:
                self._learned = True
                return

    async def start(self) -> None:
        """Read what there is, if that is not known yet and however long it is refused, then start the loops."""
        while not self._learned:
            try:
                await self.learn()
            except ApiFailure as failure:
                self._say_failed(failure, _LONGEST_DELAY_SECONDS)
                await asyncio.sleep(_LONGEST_DELAY_SECONDS)
        _log.info(
            "started",
            kind=self._kind.kind,
            objects=len(self.controller.mirror.tasks()),
            namespace=self._namespace,
        )
        every = self._every
        self._loops = [
            asyncio.create_task(self.queue.run(), name="work-queue"),
            asyncio.create_task(every(self._settings.poll_seconds, self.controller.poll), name="poll"),
            asyncio.create_task(every(self._settings.resync_seconds, self.controller.resync), name="resync"),
        ]

    async def stop(self) -> None:
        """Stop the loops; looks under way end by themselves."""
        for loop in self._loops:
            loop.cancel()
        await asyncio.gather(*self._loops, return_exceptions=True)

    def trouble(self) -> str:
        """Return what stands still and only a restart cures; empty when all goes on.

        An API server that is away is no such thing: nothing gets better by a restart.
        """
        if not self._loops:
            return ""  # not started yet, or for want of an API server
        where = f"namespace {self._namespace}, {self._kind.plural}"
        for loop in self._loops:
            if loop.done():
                return f"{where}: the {loop.get_name()} loop has ended"
        if time.monotonic() - self.queue.last_turn > STUCK_SECONDS:
            return f"{where}: the work queue makes no progress"
        if self.controller.mirror.watch_lag_seconds() > 2 * self._settings.resync_seconds + 30:
            return f"{where}: the watch misses changes that a list shows"
        return ""

    def held(self) -> Held:
        """Return what is held at this moment, for the metrics."""
        mirror = self.controller.mirror
        return Held(
            namespace=self._namespace,
            kind=self._kind.kind,
            states=self.controller.states(),
            keys_waiting=len(self.queue),
            watch_age_seconds=mirror.watch_age_seconds(),
            watch_lag_seconds=mirror.watch_lag_seconds(),
        )

    def _reconcile(self, key: str) -> float | None:
        with self._metrics.reconciling(self._kind.kind):
            return self.controller.reconcile(key)

    def _say_failed(self, error: Exception, retry_seconds: float) -> None:
        _log.warning(
            "the first list failed, trying again",
            namespace=self._namespace,
            kind=self._kind.kind,
            error=text_of(error),
            retry_seconds=retry_seconds,
        )

    async def _every(self, seconds: float, work: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(seconds)
            try:
                await asyncio.to_thread(work)
            except Exception as error:
                _log.warning(
                    "a regular look failed",
                    namespace=self._namespace,
                    work=work.__name__,
                    error=text_of(error),
                    exc_info=not isinstance(error, ApiFailure),
                )
