"""The namespaces that the operator serves: an engine for the tasks and one for the dumps of each.

Input: a cluster for each namespace and kind. Output: engines by namespace. What they share is here: limits, threads,
databases, metrics.
"""

import asyncio
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog

from labeltask_contract.names import LABEL_DUMP, LABEL_TASK
from labeltask_logs.json_lines import text_of
from labeltask_operator.cluster import Cluster
from labeltask_operator.controller import Controller
from labeltask_operator.dump_controller import DumpController
from labeltask_operator.engine import Engine
from labeltask_operator.metrics import Metrics
from labeltask_operator.queue_places import QueuePlaces, TaskKey
from labeltask_operator.settings import Settings
from labeltask_operator.state_store import StateStore

_log = structlog.get_logger(__name__)
_DUMP_THREADS = 2


class Namespaces:
    """All engines, in the current event loop. ``clusters`` and ``dump_clusters``: one a namespace."""

    def __init__(
        self,
        settings: Settings,
        clusters: Sequence[Cluster],
        dump_clusters: Sequence[Cluster],
        store: StateStore,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._store = store
        self._metrics = metrics
        self._threads = ThreadPoolExecutor(settings.reconcile_threads, thread_name_prefix="reconcile")
        self._dump_threads = ThreadPoolExecutor(_DUMP_THREADS, thread_name_prefix="reconcile-dump")
        self._starts: list[asyncio.Task[None]] = []
        self.places = QueuePlaces(settings.queue_limit, settings.max_running_per_host)
        self.tasks = {cluster.namespace: self._build_tasks(cluster) for cluster in clusters}
        self.dumps = {cluster.namespace: self._build_dumps(cluster) for cluster in dump_clusters}
        metrics.watch(lambda: [engine.held() for engine in self._engines()], self.places.lengths)

    async def start(self) -> None:
        """Learn what runs in every namespace, before anything new starts in one: the limits hold for all together.

        A namespace that refuses is not waited for, and neither are dumps: where their definition is not installed (yet)
        tasks are served all the same.
        """
        outcomes = await asyncio.gather(*(engine.learn() for engine in self.tasks.values()), return_exceptions=True)
        for namespace, outcome in zip(self.tasks, outcomes, strict=True):
            if outcome is not None:
                _log.warning("not served until it can be read", namespace=namespace, error=text_of(outcome))
        self._starts = [asyncio.create_task(engine.start()) for engine in self._engines()]

    async def stop(self) -> None:
        """Stop serving; looks under way end by themselves."""
        for start in self._starts:
            start.cancel()
        for engine in self._engines():
            await engine.stop()
        for threads in (self._threads, self._dump_threads):
            threads.shutdown(wait=False, cancel_futures=True)

    def trouble(self) -> str:
        """Return what stands still and only a restart cures; empty when all goes on."""
        return next((trouble for engine in self._engines() if (trouble := engine.trouble())), "")

    def _engines(self) -> Iterator[Engine[Any]]:
        yield from self.tasks.values()
        yield from self.dumps.values()

    def _build_tasks(self, cluster: Cluster) -> Engine[Controller]:
        own, store, metrics = self._settings, self._store, self._metrics
        return Engine(
            cluster.namespace,
            LABEL_TASK,
            own,
            lambda enqueue: Controller(
                own, cluster, store, enqueue, metrics=metrics, places=self.places, wake=self._wake
            ),
            self._threads,
            metrics,
        )

    def _build_dumps(self, cluster: Cluster) -> Engine[DumpController]:
        own, metrics = self._settings, self._metrics
        return Engine(
            cluster.namespace,
            LABEL_DUMP,
            own,
            lambda enqueue: DumpController(own, cluster, enqueue, metrics=metrics),
            self._dump_threads,
            metrics,
        )

    def _wake(self, key: TaskKey) -> None:
        self.tasks[key.namespace].queue.add(key.name)
