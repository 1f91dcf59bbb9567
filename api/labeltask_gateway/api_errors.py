"""What an answer of the Kubernetes API server, or its silence, means for the caller. Pure.

The API server's words reach a caller only where they speak of the caller's own input; everything else goes to the log.
https://kubernetes.io/docs/reference/using-api/api-concepts/ describes the Status object read here.
"""

import json
from typing import Any

import urllib3
from kubernetes.client import ApiException

from labeltask_contract.errors import InvalidTask, LabelTaskError, Problem, pointer
from labeltask_gateway.errors import ClusterRefused, ClusterUnavailable

API_CALL_ERRORS = (ApiException, urllib3.exceptions.HTTPError, OSError)
"""Everything that a call of the official client raises when the API server refuses or does not answer."""

_QUOTA_WORDS = "exceeded quota"


def translate(error: Exception, doing: str, *, from_caller: bool = False) -> LabelTaskError:
    """Return the gateway's error for ``error``, met while ``doing``.

    ``from_caller`` says that the refused object was made of the caller's input alone and holds no credential, so that
    its faults may be named.
    """
    # Status 0 is the client's own: TLS that can't be agreed on.
    if not isinstance(error, ApiException) or not error.status:
        return ClusterUnavailable()
    status = int(error.status)
    details = _status_object(error)
    if status == 422 and from_caller:
        return InvalidTask(_causes(details))
    message = str(details.get("message") or error.reason or "")
    if status == 403 and _QUOTA_WORDS in message:
        return ClusterUnavailable("the namespace holds as many tasks as its quota allows; try again when some are gone")
    if status in (408, 409, 429) or status >= 500:
        return ClusterUnavailable()
    # A refused Secret may be quoted in the message.
    cause = f"{doing}: {status} {message}" if from_caller or status in (401, 403, 404) else f"{doing}: {status}"
    return ClusterRefused(cause)


def is_taken(error: ApiException) -> bool:
    """Tell whether an object of this name exists already; other conflicts are worth another try."""
    return bool(error.status == 409 and _status_object(error).get("reason") == "AlreadyExists")


def is_missing(error: ApiException) -> bool:
    """Tell whether the object of the call is not there."""
    return bool(error.status == 404)


def _status_object(error: ApiException) -> dict[str, Any]:
    try:
        found = json.loads(error.body or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _causes(details: dict[str, Any]) -> list[Problem]:
    inner = details.get("details")
    causes = inner.get("causes") if isinstance(inner, dict) else None
    found = [
        Problem(pointer(*filter(None, str(cause.get("field") or "").split("."))), str(cause["message"]))
        for cause in causes or ()
        if isinstance(cause, dict) and cause.get("message")
    ]
    return found or [Problem("", str(details.get("message") or "the API server refuses the task"))]
