"""Rules over REST: try them on a few texts before a task runs them on millions."""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse

from labeltask_gateway.auth import Caller
from labeltask_gateway.requests import parse_body
from labeltask_gateway.responses import TrialEnvelope
from labeltask_gateway.routes.parts import Parts, add_route, reply
from labeltask_gateway.rule_trials import parse_trial
from labeltask_gateway.trial import Trial


def build_rules_router(parts: Parts, trial: Trial) -> APIRouter:
    """Return the route of try-outs."""
    router = APIRouter(tags=["rules"])
    Known = Annotated[Caller, Depends(parts.authenticate)]  # noqa: N806 - a type
    Body = Annotated[bytes, Depends(parts.read_body)]  # noqa: N806 - a type

    def try_rules(caller: Known, content: Body) -> JSONResponse:
        """Show what texts would be labelled, and which keyword or expression says so."""
        caller.require("create")
        request = parse_trial(parse_body(content), parts.deployment.default_rules)
        found = trial.run(request.model_type, request.policy, request.pattern, request.texts)
        return reply(TrialEnvelope.model_validate({"content": found}), exclude_none=True)

    add_route(router, "POST", "/rules/try", try_rules)
    return router
