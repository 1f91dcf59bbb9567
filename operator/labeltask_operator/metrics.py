"""What the operator's metrics port shows. No task id, name, host or schema stands in a label: their number is closed.

Input: what engines and controllers count, and what they hold at the moment of a scrape. Output: a registry of its own,
so that two in one process (tests) don't meet.
"""

import time
from collections import Counter as Tally
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

PREFIX = "labeltask_operator"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


Queues = Mapping[str, tuple[int, int]]
"""Tasks that run and wait, by queue: of all namespaces together."""


@dataclass(frozen=True)
class Held:
    """What one engine holds at this moment."""

    namespace: str
    kind: str
    states: Iterable[tuple[str, str]]
    """Of each object its stat (or phase) and its reason, empty where there is none."""
    keys_waiting: int
    watch_age_seconds: float
    watch_lag_seconds: float


class Metrics:
    """Counters, and gauges that are read when somebody asks."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"{PREFIX}_{name}", text, labels, registry=self.registry)

        def histogram(name: str, text: str, *labels: str) -> Histogram:
            return Histogram(f"{PREFIX}_{name}", text, labels, buckets=_SECONDS, registry=self.registry)

        self._reconcile_seconds = histogram("reconcile_seconds", "Seconds that one look at one object took.", "kind")
        self._reconcile_errors = counter("reconcile_errors", "Looks that ended in an error and come again.", "kind")
        self._status_writes = counter("status_writes", "Writes of a status.", "kind")
        self._poll_seconds = histogram("poll_seconds", "Seconds until a database gave the rows of its running tasks.")
        self._poll_errors = counter("poll_errors", "Polls that a database refused or did not answer.")
        self._rows_read = counter("rows_read", "Source rows that workers read, as the state tables say.")
        self._rows_labelled = counter("rows_labelled", "Rows that workers labelled, as the state tables say.")

    @contextmanager
    def reconciling(self, kind: str) -> Iterator[None]:
        """Time one look, and count its failure."""
        begun = time.perf_counter()
        try:
            yield
        except Exception:
            self._reconcile_errors.labels(kind).inc()
            raise
        finally:
            self._reconcile_seconds.labels(kind).observe(time.perf_counter() - begun)

    def status_written(self, kind: str) -> None:
        """Count a write of a status."""
        self._status_writes.labels(kind).inc()

    def polled(self, seconds: float, *, failed: bool) -> None:
        """Count one poll of one database."""
        self._poll_seconds.observe(seconds)
        if failed:
            self._poll_errors.inc()

    def add_rows(self, read: int, labelled: int) -> None:
        """Count rows that a state table tells of for the first time."""
        self._rows_read.inc(read)
        self._rows_labelled.inc(labelled)

    def watch(self, held: Callable[[], Iterable[Held]], queues: Callable[[], Queues]) -> None:
        """Show what ``held`` and ``queues`` return at each scrape."""
        self.registry.register(_HeldCollector(held, queues))


class _HeldCollector(Collector):
    def __init__(self, held: Callable[[], Iterable[Held]], queues: Callable[[], Queues]) -> None:
        self._held = held
        self._queues = queues

    def describe(self) -> Iterable[Metric]:
        return ()  # nothing is asked at registration: the engines are not built yet

    def collect(self) -> Iterator[Metric]:
        # Not "namespace": that is what Prometheus calls the one in which the operator itself runs.
        shared = ("served_namespace", "kind")
        objects = _gauge("objects", "LabelTasks and LabelDumps by stat or phase.", *shared, "stat", "reason")
        waiting = _gauge("reconcile_queue_length", "Objects that want to be looked at.", *shared)
        age = _gauge("watch_age_seconds", "Seconds since the watch told anything.", *shared)
        lag = _gauge("watch_lag_seconds", "Age of the oldest change that only a list has told.", *shared)
        queue = _gauge("queue_tasks", "Tasks of a queue that run or wait.", "queue", "state")
        for held in self._held():
            labels = [held.namespace, held.kind]
            for (stat, reason), count in sorted(Tally(held.states).items()):
                objects.add_metric([*labels, stat, reason], count)
            waiting.add_metric(labels, held.keys_waiting)
            age.add_metric(labels, held.watch_age_seconds)
            lag.add_metric(labels, held.watch_lag_seconds)
        for name, (running, waits) in sorted(self._queues().items()):
            queue.add_metric([name, "running"], running)
            queue.add_metric([name, "waiting"], waits)
        yield from (objects, waiting, age, lag, queue)


def _gauge(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}_{name}", text, labels=labels)
