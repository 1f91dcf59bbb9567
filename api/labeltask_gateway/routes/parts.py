"""What all routes stand on, and how a path gets its spellings.

Each path answers with and without ``/api``, with and without a last slash. Each spelling is a route of its own: a
redirect would lose the body with some clients.
"""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.convertors import Convertor, register_url_convertor

from labeltask_gateway.auth import Caller
from labeltask_gateway.metrics import Metrics
from labeltask_gateway.openapi import Operation
from labeltask_gateway.requests import Deployment
from labeltask_gateway.tasks import Tasks

ReadBody = Callable[[Request], AsyncIterator[bytes]]
Authenticate = Callable[[Request], Caller]


class _TaskIdConvertor(Convertor[str]):
    """Keeps ``/tasks/abort`` and its like from being read as a task's id."""

    regex = "[0-9a-f]{32}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("task_id", _TaskIdConvertor())


@dataclass(frozen=True)
class Parts:
    """What routes of tasks stand on."""

    tasks: Tasks
    namespace: str
    deployment: Deployment
    metrics: Metrics
    read_body: ReadBody
    authenticate: Authenticate


def add_route(router: APIRouter, method: str, path: str, route: Callable[..., JSONResponse]) -> None:
    """Add every spelling of one path; the first is the one that the OpenAPI document shows."""
    operation = Operation.of(route.__name__)
    for spelling in (f"/api{path}/", f"/api{path}", f"{path}/", path):
        shown = spelling == f"/api{path}/"
        if not shown:
            router.add_api_route(spelling, route, methods=[method], response_model=None, include_in_schema=False)
            continue
        router.add_api_route(
            spelling,
            route,
            methods=[method],
            response_model=operation.answer,
            operation_id=operation.name,
            responses=operation.refusals(),
            openapi_extra=operation.extra(),
        )


def reply(answer: BaseModel, **options: Any) -> JSONResponse:
    """Return 200 with an envelope."""
    return JSONResponse(answer.model_dump(mode="json", **options))
