"""The list of recent tasks, filtered and in pages."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse

from labeltask_contract.errors import InvalidTask, Problem, pointer
from labeltask_contract.pattern import ModelType
from labeltask_contract.stat import Stat
from labeltask_gateway.auth import Caller
from labeltask_gateway.recent import Wanted, read_cursor, write_cursor
from labeltask_gateway.responses import TasksEnvelope
from labeltask_gateway.routes.parts import Parts, add_route, reply

MAX_RECENT = 500


def build_recent_router(parts: Parts) -> APIRouter:
    """Return the route of the list."""
    router = APIRouter(tags=["tasks"])
    Known = Annotated[Caller, Depends(parts.authenticate)]  # noqa: N806 - a type

    def recent(
        caller: Known,
        limit: Annotated[int, Query(ge=1, le=MAX_RECENT, description="How many.")] = 50,
        stat: Annotated[Stat | None, Query(description="Only tasks with this stat.")] = None,
        model_type: Annotated[ModelType | None, Query(description="Only tasks of this model.")] = None,
        queue: Annotated[str | None, Query(max_length=63, description="Only tasks of this queue.")] = None,
        created_after: Annotated[datetime | None, Query(description="Created then or later; UTC without zone.")] = None,
        created_before: Annotated[datetime | None, Query(description="Created before; UTC without a zone.")] = None,
        cursor: Annotated[str | None, Query(max_length=512, description="next_cursor of the page before.")] = None,
    ) -> JSONResponse:
        """Show the youngest tasks in the cluster, youngest first."""
        caller.require("list")
        wanted = Wanted(
            limit=limit,
            stat=stat,
            model_type=model_type,
            queue=queue,
            created_after=_utc("created_after", created_after),
            created_before=_utc("created_before", created_before),
            behind=read_cursor(cursor) if cursor else None,
        )
        views, behind = parts.tasks.recent(wanted)
        envelope = TasksEnvelope(content=views, next_cursor=write_cursor(behind) if behind else None)
        return reply(envelope, exclude={"next_cursor"} if behind is None else None)

    add_route(router, "GET", "/tasks", recent)
    return router


def _utc(name: str, moment: datetime | None) -> str | None:
    if moment is None:
        return None
    try:
        known = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        message = "lies outside the years 1 to 9999 in UTC; write a time between"
        raise InvalidTask([Problem(pointer("query", name), message)]) from None
    # Not strftime: it writes the year 1 as one digit, and places are compared as text.
    return known.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
