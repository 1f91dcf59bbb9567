"""Error class -> HTTP status and body, in one table; none repeats what was sent.

A refusal is an envelope, or RFC 9457's problem document for callers whose Accept names ``application/problem+json``.
"""

from collections.abc import Sequence
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import Scope

from labeltask_contract.errors import InvalidTask, LabelTaskError, Problem, pointer
from labeltask_gateway import errors
from labeltask_gateway.responses import ErrorDetail, ErrorEnvelope, ProblemDocument

STATUS: dict[type[LabelTaskError], int] = {
    InvalidTask: 400,
    errors.Unauthenticated: 401,
    errors.Forbidden: 403,
    errors.NoSuchTask: 404,
    errors.NoSuchDump: 404,
    errors.BodyTooSlow: 408,
    errors.TaskEnded: 409,
    errors.DumpEnded: 409,
    errors.TasksNotFinished: 409,
    errors.KeyReused: 409,
    errors.NoAccount: 409,
    errors.BodyTooLarge: 413,
    errors.PatternTooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.TrialTooSlow: 422,
    errors.TooBusy: 429,
    errors.ClusterRefused: 500,
    errors.ClusterUnavailable: 503,
    errors.HistoryUnavailable: 503,
    errors.DatabaseUnavailable: 503,
    errors.ResolverSilent: 503,
    errors.AlreadyThere: 503,
}

RETRY_AFTER_SECONDS = 5
PROBLEM = "application/problem+json"
_HEADERS = {
    401: {"WWW-Authenticate": 'Bearer realm="labeltask"'},
    429: {"Retry-After": "1"},
    503: {"Retry-After": str(RETRY_AFTER_SECONDS)},
}
MAX_SHOWN_PROBLEMS = 50

_HTTP_MESSAGES = {
    404: "there is nothing at this path: /openapi.json lists the paths, and an id is 32 hexadecimal digits",
    405: "this path does not take this method; the header Allow says which it takes",
}

_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")

_log = structlog.stdlib.get_logger(__name__)


def add_error_handlers(app: FastAPI) -> None:
    """Have ``app`` answer every error with an envelope."""
    app.add_exception_handler(LabelTaskError, _on_labeltask_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_error)


def internal_error(scope: Scope, request_id: str) -> Response:
    """Return the answer to what nobody foresaw: it says nothing but where to look."""
    message = "a fault inside the gateway; its log has the details under this request id"
    return _answer(Request(scope), 500, message, (), request_id=request_id)


def _on_labeltask_error(request: Request, error: Exception) -> Response:
    status = next((code for kind, code in STATUS.items() if isinstance(error, kind)), None)
    if status is None:
        _log.error("error_without_status", error=type(error).__name__)
        return internal_error(request.scope, request.state.request_id)
    if isinstance(error, errors.ClusterRefused):
        _log.error("cluster_refused", cause=error.cause)
    problems: Sequence[Problem] = ()
    if isinstance(error, InvalidTask | errors.TasksNotFinished):
        problems = error.problems
    elif isinstance(error, errors.PatternTooLarge):
        problems = (Problem(pointer("PATTERN"), str(error)),)
    message = _sentence(problems) if problems else str(error)
    return _answer(request, status, message, problems, _HEADERS.get(status))


def _on_validation_error(request: Request, error: Exception) -> Response:
    """Answer a wrong query parameter. Pydantic's own texts would repeat the input."""
    found = error.errors() if isinstance(error, RequestValidationError) else ()
    problems = [Problem(pointer(*item["loc"]), str(item["msg"])) for item in found]
    return _answer(request, 400, _sentence(problems), problems)


def _on_http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if status == 405:
        headers["Allow"] = _allowed_methods(request)
    message = _HTTP_MESSAGES.get(status, "the request can't be served")
    return _answer(request, status, message, (), headers)


def _allowed_methods(request: Request) -> str:
    """Return every method of the path: the router names those of the first route only, and GET and POST are two."""

    def takes(method: str) -> bool:
        scope = {**request.scope, "method": method}
        return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)

    return ", ".join(filter(takes, _METHODS))


def _sentence(problems: Sequence[Problem]) -> str:
    shown = "; ".join(str(problem) for problem in problems[:MAX_SHOWN_PROBLEMS])
    more = len(problems) - MAX_SHOWN_PROBLEMS
    return f"{shown}; and {more} more" if more > 0 else shown


def _answer(
    request: Request,
    status: int,
    message: str,
    problems: Sequence[Problem],
    headers: dict[str, str] | None = None,
    *,
    request_id: str | None = None,
) -> Response:
    found = request_id or request.state.request_id
    details = tuple(ErrorDetail(pointer=p.pointer, message=p.message) for p in problems[:MAX_SHOWN_PROBLEMS])
    # Which shape was sent depends on Accept: caches between must know.
    headers = {**(headers or {}), "Vary": "Accept"}
    if wants_problem(request.headers.get("accept", "")):
        title = HTTPStatus(status).phrase
        document = ProblemDocument(title=title, status=status, detail=message, errors=details, request_id=found)
        return JSONResponse(document.model_dump(mode="json"), status, headers, media_type=PROBLEM)
    body = ErrorEnvelope(error_code=status, error_message=message, errors=details, request_id=found)
    return JSONResponse(body.model_dump(mode="json"), status, headers)


def wants_problem(accept: str) -> bool:
    """Tell whether an Accept header names RFC 9457's media type; ``*/*`` does not, nor does a weight of 0."""
    for entry in accept.lower().split(","):
        media_type, *parameters = (part.strip() for part in entry.split(";"))
        if media_type == PROBLEM:
            return not any(
                parameter.replace(" ", "").startswith("q=0") and not parameter.strip("q=0.") for parameter in parameters
            )
    return False
