"""Putting finished tasks on the shelf: dump, how far it is, abort."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header
from fastapi.responses import JSONResponse

from labeltask_contract.names import LABEL_DUMP
from labeltask_gateway.auth import Caller
from labeltask_gateway.dump_requests import parse_dump
from labeltask_gateway.dump_responses import CreatedDumpEnvelope, DumpEnvelope
from labeltask_gateway.dumps import Dumps
from labeltask_gateway.idempotency import HEADER, once_of
from labeltask_gateway.requests import parse_body
from labeltask_gateway.responses import MessageEnvelope
from labeltask_gateway.routes.parts import Parts, add_route, reply


def build_dumps_router(parts: Parts, dumps: Dumps) -> APIRouter:
    """Return the routes of dumps."""
    router = APIRouter(tags=["dumps"])
    Known = Annotated[Caller, Depends(parts.authenticate)]  # noqa: N806 - a type
    Body = Annotated[bytes, Depends(parts.read_body)]  # noqa: N806 - a type

    def dump(
        caller: Known, content: Body, idempotency_key: Annotated[str | None, Header(alias=HEADER)] = None
    ) -> JSONResponse:
        """Merge the production rows of finished tasks with the previous shelf tables."""
        caller.require("create", LABEL_DUMP)
        body = parse_body(content)
        request = parse_dump(body, parts.deployment)
        once = once_of(LABEL_DUMP, idempotency_key, parts.namespace, caller.name, body)
        return reply(CreatedDumpEnvelope(error_message=dumps.create(request, caller, once)), exclude_none=True)

    def dump_status(caller: Known, dump_id: str) -> JSONResponse:
        """Show how far a dump is, and what it put into which table."""
        caller.require("get", LABEL_DUMP)
        return reply(DumpEnvelope(error_message=dumps.find(dump_id)))

    def abort_dump(caller: Known, dump_id: str) -> JSONResponse:
        """Abort a dump that has not ended yet."""
        return reply(MessageEnvelope(error_message=dumps.abort(dump_id, caller)))

    one = "/tasks/dump/{dump_id:task_id}"
    add_route(router, "POST", "/tasks/dump", dump)
    add_route(router, "GET", one, dump_status)
    add_route(router, "POST", f"{one}/abort", abort_dump)
    return router
