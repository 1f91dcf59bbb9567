"""Tasks over REST: create, check_status, recent, abort; with and without ``/api``, with and without a last slash.

Each spelling is a route of its own: a redirect would lose the body with some clients.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.convertors import Convertor, register_url_convertor

from labeltask_gateway.openapi import abort_body, create_body
from labeltask_gateway.requests import Deployment, parse_abort, parse_body, parse_create
from labeltask_gateway.responses import (
    CreatedEnvelope,
    ErrorEnvelope,
    MessageEnvelope,
    TaskEnvelope,
    TasksEnvelope,
)
from labeltask_gateway.tasks import Tasks

MAX_RECENT = 500

# Naming the ranges keeps FastAPI from documenting its own 422, which is never answered.
_REFUSALS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorEnvelope, "description": "The request is wrong; nothing was created or changed."},
    "5XX": {"model": ErrorEnvelope, "description": "The gateway can't serve it now; 503 says when to try again."},
}


class _TaskIdConvertor(Convertor[str]):
    """Keeps ``/tasks/abort`` and its like from being read as a task's id."""

    regex = "[0-9a-f]{32}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("task_id", _TaskIdConvertor())


def build_tasks_router(
    tasks: Tasks, deployment: Deployment, read_body: Callable[[Request], Awaitable[bytes]]
) -> APIRouter:
    """Return the routes of tasks."""
    router = APIRouter(tags=["tasks"], responses=_REFUSALS)
    Body = Annotated[bytes, Depends(read_body)]  # noqa: N806 - a type

    def create(content: Body) -> JSONResponse:
        """Create a task, or abort one when TASK_ID stands alone."""
        body = parse_body(content)
        if "TASK_ID" in body:
            return _json(MessageEnvelope(error_message=tasks.abort(parse_abort(body))))
        answer = tasks.create(parse_create(body, deployment))
        return _json(CreatedEnvelope(error_message=answer), exclude_none=True)

    def abort(content: Body) -> JSONResponse:
        """Abort a task that has not ended yet."""
        return _json(MessageEnvelope(error_message=tasks.abort(parse_abort(parse_body(content)))))

    def recent(limit: Annotated[int, Query(ge=1, le=MAX_RECENT, description="How many.")] = 50) -> JSONResponse:
        """Show the youngest tasks in the cluster, youngest first."""
        return _json(TasksEnvelope(content=tasks.recent(limit)))

    def check_status(task_id: str) -> JSONResponse:
        """Show all that is known of a task."""
        return _json(TaskEnvelope(error_message=tasks.find(task_id)))

    _add(router, "", create, "POST", CreatedEnvelope | MessageEnvelope, create_body())
    _add(router, "", recent, "GET", TasksEnvelope)
    _add(router, "/abort", abort, "POST", MessageEnvelope, abort_body())
    _add(router, "/{task_id:task_id}", check_status, "GET", TaskEnvelope)
    return router


def _add(
    router: APIRouter,
    path: str,
    route: Callable[..., JSONResponse],
    method: str,
    answer: Any,
    request_body: dict[str, Any] | None = None,
) -> None:
    """Add every spelling of one path; the first is the one that the OpenAPI document shows."""
    for spelling in (f"/api/tasks{path}/", f"/api/tasks{path}", f"/tasks{path}/", f"/tasks{path}"):
        shown = spelling == f"/api/tasks{path}/"
        router.add_api_route(
            spelling,
            route,
            methods=[method],
            response_model=answer,
            operation_id=route.__name__ if shown else None,
            include_in_schema=shown,
            openapi_extra=request_body,
        )


def _json(answer: BaseModel, *, exclude_none: bool = False) -> JSONResponse:
    return JSONResponse(answer.model_dump(mode="json", exclude_none=exclude_none))
