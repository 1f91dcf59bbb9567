"""The application from its parts. Nothing here reads the environment or opens a connection."""

from importlib.metadata import PackageNotFoundError, version

from fastapi import FastAPI

from labeltask_gateway.body import body_reader
from labeltask_gateway.cluster import Cluster
from labeltask_gateway.default_rules import DefaultRules
from labeltask_gateway.error_handlers import add_error_handlers
from labeltask_gateway.hosts import AllowedHosts
from labeltask_gateway.request_context import RequestContext
from labeltask_gateway.requests import Deployment
from labeltask_gateway.routes.health import build_health_router
from labeltask_gateway.routes.tasks import build_tasks_router
from labeltask_gateway.settings import Settings
from labeltask_gateway.store import History
from labeltask_gateway.tasks import Tasks


def create_app(settings: Settings, cluster: Cluster, history: History, default_rules: DefaultRules) -> FastAPI:
    """Return the ASGI application."""
    deployment = Deployment(
        hosts=AllowedHosts(settings.allowed_hosts),
        sites=frozenset(settings.connections),
        has_default_connection=settings.default_connection is not None,
        default_rules=default_rules,
    )
    app = FastAPI(
        title="LabelTask",
        summary="Labels the rows of a source table by keywords or regular expressions, as Kubernetes Jobs.",
        version=_version(),
        # The pages of FastAPI load their scripts from the internet.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # FastAPI's own telemetry records the texts of exceptions, which may quote a credential.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    read_body = body_reader(settings.max_body_bytes, settings.request_timeout_seconds)
    app.include_router(build_tasks_router(Tasks(cluster, history), deployment, read_body))
    app.include_router(build_health_router(cluster))
    add_error_handlers(app)
    app.add_middleware(RequestContext)
    return app


def _version() -> str:
    try:
        return version("labeltask")
    except PackageNotFoundError:
        return "0"
