"""Around every request: its id, one log line, and the last catch of what nobody foresaw.

Plain ASGI, because the id has to reach the threads that run route functions (context variables) and the answer to an
unforeseen error must be an envelope like any other.
"""

import re
import time
import uuid

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from labeltask_gateway.error_handlers import internal_error
from labeltask_gateway.metrics import Metrics

REQUEST_ID_HEADER = "X-Request-ID"
_REQUEST_ID = re.compile(rb"[0-9A-Za-z._-]{1,64}")
_SHOWN_PATH_CHARACTERS = 200
_PROBES = ("/healthz", "/readyz", "/metrics")

_log = structlog.stdlib.get_logger(__name__)


class RequestContext:
    """ASGI middleware; the id stands in ``request.state.request_id``, in the log, and in the answer's header."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        started = time.monotonic()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                header = (REQUEST_ID_HEADER.lower().encode(), request_id.encode())
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_id)
            except ClientDisconnect:
                _log.info("caller_went_away")
            except Exception:
                _log.exception("unforeseen_error")
                if not status:
                    await internal_error(scope, request_id)(scope, receive, send_with_id)
            seconds = time.monotonic() - started
            self._metrics.observe(scope, status, seconds)
            _log_request(scope, status, seconds)


def _request_id(scope: Scope) -> str:
    """Return the caller's id where it is fit for a log line, else a new one."""
    wanted = REQUEST_ID_HEADER.lower().encode()
    sent: bytes = next((value for name, value in scope["headers"] if name == wanted), b"")
    return sent.decode() if _REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex


def _log_request(scope: Scope, status: int, seconds: float) -> None:
    # No query string and no body: either may hold what no log should.
    path = scope["path"][:_SHOWN_PATH_CHARACTERS]
    write = _log.debug if path in _PROBES and status < 400 else _log.info
    write("request", method=scope["method"], path=path, status=status, seconds=round(seconds, 4))
