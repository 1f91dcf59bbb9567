"""What /metrics shows: requests and their latency by route, creates by outcome. No task id, caller or host in it."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from starlette.types import Scope

from labeltask_contract.errors import InvalidTask, LabelTaskError
from labeltask_gateway.errors import KeyReused, PatternTooLarge

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


class Metrics:
    """One registry an application, so that two in one process (tests) don't meet."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        labels = ("method", "route")
        self._requests = Counter(
            "labeltask_gateway_requests", "Requests answered.", (*labels, "status"), registry=self._registry
        )
        self._seconds = Histogram(
            "labeltask_gateway_request_seconds",
            "Seconds from the first byte of a request to the last of its answer.",
            labels,
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._creates = Counter(
            "labeltask_gateway_creates",
            "Requests to create a task, by outcome: created, repeated (Idempotency-Key), refused, failed.",
            ("outcome",),
            registry=self._registry,
        )
        for outcome in ("created", "repeated", "refused", "failed"):
            self._creates.labels(outcome)

    def observe(self, scope: Scope, status: int, seconds: float) -> None:
        """Count one request. Paths that no route takes, and methods nobody knows, share one label each."""
        route = getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    @contextmanager
    def creating(self) -> Iterator[None]:
        """Count a create that ends in an error."""
        try:
            yield
        except LabelTaskError as error:
            refused = isinstance(error, InvalidTask | KeyReused | PatternTooLarge)
            self._creates.labels("refused" if refused else "failed").inc()
            raise
        except Exception:
            self._creates.labels("failed").inc()
            raise

    def created(self, *, repeated: bool) -> None:
        """Count a create that went well."""
        self._creates.labels("repeated" if repeated else "created").inc()

    def text(self) -> bytes:
        """Return the exposition format 0.0.4."""
        return generate_latest(self._registry)
