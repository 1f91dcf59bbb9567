"""Requests that make a task or speak of one by body or path: create, validate, abort, check_status."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header
from fastapi.responses import JSONResponse

from labeltask_contract.names import LABEL_TASK
from labeltask_contract.pattern import rule_count
from labeltask_contract.rule_warnings import find_warnings
from labeltask_gateway.auth import Caller
from labeltask_gateway.idempotency import HEADER, once_of
from labeltask_gateway.requests import parse_abort, parse_body, parse_create
from labeltask_gateway.responses import (
    CreatedEnvelope,
    MessageEnvelope,
    TaskEnvelope,
    Validation,
    ValidationEnvelope,
)
from labeltask_gateway.routes.parts import Parts, add_route, reply


def build_tasks_router(parts: Parts) -> APIRouter:
    """Return the routes of tasks."""
    router = APIRouter(tags=["tasks"])
    tasks = parts.tasks
    # Who calls is asked before the body is read: nobody unknown sends megabytes.
    Known = Annotated[Caller, Depends(parts.authenticate)]  # noqa: N806 - a type
    Body = Annotated[bytes, Depends(parts.read_body)]  # noqa: N806 - a type

    def create(
        caller: Known, content: Body, idempotency_key: Annotated[str | None, Header(alias=HEADER)] = None
    ) -> JSONResponse:
        """Create a task, or abort one when TASK_ID stands alone."""
        body = parse_body(content)
        if "TASK_ID" in body:
            return reply(MessageEnvelope(error_message=tasks.abort(parse_abort(body), caller)))
        caller.require("create")
        with parts.metrics.creating():
            request = parse_create(body, parts.deployment)
            once = once_of(LABEL_TASK, idempotency_key, parts.namespace, caller.name, body)
            answer, repeated = tasks.create(request, caller, once)
        parts.metrics.created(repeated=repeated)
        return reply(CreatedEnvelope(error_message=answer), exclude_none=True)

    def validate(caller: Known, content: Body) -> JSONResponse:
        """Check a request as create does, and create nothing."""
        caller.require("create")
        request = parse_create(parse_body(content), parts.deployment)
        rows, estimate = tasks.estimate(request)
        found = Validation(
            labels=len(request.pattern),
            rules=rule_count(request.pattern),
            warnings=tuple(find_warnings(request.spec.model_type, request.pattern)),
            estimated_rows=rows,
            estimate=estimate,
        )
        return reply(ValidationEnvelope(content=found))

    def abort(caller: Known, content: Body) -> JSONResponse:
        """Abort a task that has not ended yet."""
        return reply(MessageEnvelope(error_message=tasks.abort(parse_abort(parse_body(content)), caller)))

    def check_status(caller: Known, task_id: str) -> JSONResponse:
        """Show all that is known of a task."""
        caller.require("get")
        return reply(TaskEnvelope(error_message=tasks.find(task_id)))

    for method, path, route in (
        ("POST", "/tasks", create),
        ("POST", "/tasks/validate", validate),
        ("POST", "/tasks/abort", abort),
        ("GET", "/tasks/{task_id:task_id}", check_status),
    ):
        add_route(router, method, path, route)
    return router
