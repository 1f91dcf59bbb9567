"""What is done with one task by its path: sample, suspend, resume, delete."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse

from labeltask_gateway.auth import Caller
from labeltask_gateway.responses import MessageEnvelope
from labeltask_gateway.routes.parts import Parts, add_route, reply
from labeltask_gateway.views import sample_of

MAX_SAMPLE = 100


def build_actions_router(parts: Parts) -> APIRouter:
    """Return these routes."""
    router = APIRouter(tags=["tasks"])
    tasks = parts.tasks
    Known = Annotated[Caller, Depends(parts.authenticate)]  # noqa: N806 - a type

    def sample(
        caller: Known,
        task_id: str,
        size: Annotated[int, Query(ge=1, le=MAX_SAMPLE, description="Rows of each result table at most.")] = 20,
    ) -> JSONResponse:
        """Show random rows of the result tables, while the task runs too."""
        caller.require("get")
        return reply(sample_of(tasks.sample(task_id, size)))

    def suspend(caller: Known, task_id: str) -> JSONResponse:
        """Stop a task's workers; what they committed stays."""
        return reply(MessageEnvelope(error_message=tasks.suspend(task_id, caller, suspend=True)))

    def resume(caller: Known, task_id: str) -> JSONResponse:
        """Have a suspended task go on where it stopped."""
        return reply(MessageEnvelope(error_message=tasks.suspend(task_id, caller, suspend=False)))

    def delete(caller: Known, task_id: str) -> JSONResponse:
        """Remove a task from the cluster; a running one ends as BREAK, rows in the database stay."""
        return reply(MessageEnvelope(error_message=tasks.delete(task_id, caller)))

    one = "/tasks/{task_id:task_id}"
    add_route(router, "DELETE", one, delete)
    add_route(router, "GET", f"{one}/sample", sample)
    add_route(router, "POST", f"{one}/suspend", suspend)
    add_route(router, "POST", f"{one}/resume", resume)
    return router
