"""Probes and figures: alive as long as the event loop turns, ready as long as the API server answers."""

from collections.abc import Sequence

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter
from fastapi.params import Depends
from fastapi.responses import JSONResponse, PlainTextResponse

from labeltask_gateway.cluster import Cluster
from labeltask_gateway.metrics import CONTENT_TYPE, Metrics
from labeltask_gateway.responses import ErrorEnvelope, MessageEnvelope

_OK = {"error_code": 200, "error_message": "OK"}


def build_health_router(cluster: Cluster, metrics: Metrics, guards: Sequence[Depends]) -> APIRouter:
    """Return the routes of both probes, which ask nobody who calls, and of the metrics, where ``guards`` do."""
    router = APIRouter(tags=["health"])
    probes = CapacityLimiter(2)

    # On the event loop: threads that wait for a dead API server must not make the process look dead.
    @router.get("/healthz", operation_id="health", response_model=MessageEnvelope)
    async def health() -> JSONResponse:
        """Tell that the process is alive."""
        return JSONResponse(_OK)

    @router.get(
        "/readyz", operation_id="ready", response_model=MessageEnvelope, responses={503: {"model": ErrorEnvelope}}
    )
    async def ready() -> JSONResponse:
        """Tell whether the Kubernetes API server answers."""
        # A thread of its own: where all others wait for a slow API server, the probe must not stand behind them.
        await to_thread.run_sync(cluster.check_reachable, limiter=probes)
        return JSONResponse(_OK)

    @router.get("/metrics", operation_id="metrics", response_class=PlainTextResponse, dependencies=guards)
    def show_metrics() -> PlainTextResponse:
        """Show the gateway's figures for Prometheus."""
        return PlainTextResponse(metrics.text(), media_type=CONTENT_TYPE)

    return router
