"""The application from its parts. Nothing here reads the environment or opens a connection."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, params
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from labeltask_gateway.accounts import Accounts
from labeltask_gateway.auth import Authenticator, Caller, Everybody, FileTokens, KubernetesAccounts
from labeltask_gateway.body import body_reader
from labeltask_gateway.cluster import Cluster
from labeltask_gateway.default_rules import DefaultRules
from labeltask_gateway.dumps import Dumps
from labeltask_gateway.error_handlers import add_error_handlers
from labeltask_gateway.hosts import AllowedHosts, Resolve
from labeltask_gateway.metrics import Metrics
from labeltask_gateway.openapi import SECURITY_SCHEMES
from labeltask_gateway.request_context import RequestContext
from labeltask_gateway.requests import Deployment
from labeltask_gateway.responses import ProblemDocument
from labeltask_gateway.routes.docs import build_docs_router
from labeltask_gateway.routes.dumps import build_dumps_router
from labeltask_gateway.routes.health import build_health_router
from labeltask_gateway.routes.parts import Parts
from labeltask_gateway.routes.recent import build_recent_router
from labeltask_gateway.routes.rules import build_rules_router
from labeltask_gateway.routes.task_actions import build_actions_router
from labeltask_gateway.routes.tasks import build_tasks_router
from labeltask_gateway.samples import Tables
from labeltask_gateway.settings import OpenPath, Settings
from labeltask_gateway.store import History
from labeltask_gateway.tasks import Tasks
from labeltask_gateway.trial import Trial

CONTRACT_VERSION = "2"
"""Of the API's contract, which OpenAPI wants told; the software's own version is nobody's business."""


@dataclass(frozen=True)
class Backends:
    """Everything that is not this process: each has a fake in the tests."""

    cluster: Cluster
    history: History
    tables: Tables
    trial: Trial
    resolve: Resolve
    inner_addresses: tuple[str, ...] = ()
    """Addresses that no caller's database has, such as the API server's."""


def create_app(settings: Settings, backends: Backends, default_rules: DefaultRules) -> FastAPI:
    """Return the ASGI application."""
    hosts = AllowedHosts(settings.allowed_hosts, backends.resolve, backends.inner_addresses)
    deployment = Deployment(
        hosts=hosts,
        ports=frozenset(settings.allowed_ports),
        sites=frozenset(settings.connections),
        require_tls=settings.require_tls,
        has_default_connection=settings.default_connection is not None,
        schemas=frozenset(settings.allowed_schemas),
        default_rules=default_rules,
        conflict_groups=frozenset(name for name, panels in settings.labelling_rules.conflict_groups.items() if panels),
    )
    app = FastAPI(
        title="LabelTask",
        summary="Labels the rows of a source table by keywords or regular expressions, as Kubernetes Jobs.",
        version=CONTRACT_VERSION,
        # The pages of FastAPI load their scripts from the internet.
        docs_url=None,
        openapi_url=None,
        redoc_url=None,
        redirect_slashes=False,
        # FastAPI's own telemetry records the texts of exceptions, which may quote a credential.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    metrics = Metrics()
    accounts = Accounts(
        backends.cluster,
        settings.connections,
        settings.default_connection,
        hosts,
        deployment.ports,
        settings.require_tls,
    )
    authenticator = _authenticator(settings, backends.cluster)

    def authenticate(request: Request) -> Caller:
        return authenticator.authenticate(request.headers.get("authorization", ""))

    def may_look(request: Request) -> None:
        authenticate(request).require("list")

    def guards(what: OpenPath) -> list[params.Depends]:
        return [] if what in settings.auth_open else [Depends(may_look)]

    parts = Parts(
        tasks=Tasks(backends.cluster, backends.history, accounts, backends.tables, settings.history_schemas),
        namespace=settings.namespace,
        deployment=deployment,
        metrics=metrics,
        read_body=body_reader(settings.max_body_bytes, settings.request_timeout_seconds),
        authenticate=authenticate,
    )
    for router in (
        build_tasks_router(parts),
        build_recent_router(parts),
        build_actions_router(parts),
        build_dumps_router(parts, Dumps(backends.cluster, accounts, backends.tables)),
        build_rules_router(parts, backends.trial),
        build_health_router(backends.cluster, metrics, guards("metrics")),
        build_docs_router(guards("docs")),
    ):
        app.include_router(_answer_head(router))
    add_error_handlers(app)
    app.add_middleware(RequestContext, metrics=metrics)
    _complete_document(app)
    return app


def _authenticator(settings: Settings, cluster: Cluster) -> Authenticator:
    if settings.auth_mode == "kubernetes":
        return KubernetesAccounts(cluster, settings.auth_audiences)
    if settings.auth_mode == "token" and settings.auth_tokens_dir is not None:
        return FileTokens(settings.auth_tokens_dir)
    return Everybody()


def _answer_head(router: APIRouter) -> APIRouter:
    """Have HEAD answered wherever GET is (RFC 9110, 9.3.2); the server leaves the body out."""
    for route in list(router.routes):
        if isinstance(route, APIRoute) and "GET" in (route.methods or ()):
            router.add_api_route(
                route.path,
                route.endpoint,
                methods=["HEAD"],
                response_model=None,
                include_in_schema=False,
                # The router adds its own again.
                dependencies=[each for each in route.dependencies if each not in router.dependencies],
            )
    return router


def _complete_document(app: FastAPI) -> None:
    """Add to the OpenAPI document what no route brings: the scheme of tokens, and the problem document."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            components = document["components"]
            components["securitySchemes"] = SECURITY_SCHEMES
            components["schemas"]["ProblemDocument"] = ProblemDocument.model_json_schema(
                ref_template="#/components/schemas/{model}"
            )
            components["schemas"]["ProblemDocument"].pop("$defs", None)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
