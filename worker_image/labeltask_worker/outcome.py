"""How a worker ends: an exit code and a termination message.

The termination message is JSON ``{"reason", "message"}``; the kubelet copies it into the pod's status, at most 4,096
bytes (https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/).
"""

import json
from pathlib import Path

import structlog

from labeltask_contract.errors import TaskFailure

MAX_BYTES = 4_096

_log = structlog.get_logger(__name__)


def termination_message(failure: TaskFailure) -> bytes:
    """Return the JSON, its message cut so that the whole is valid and no longer than the kubelet takes."""
    message = failure.message.encode("utf-8", "backslashreplace").decode()
    while True:
        text = json.dumps({"reason": failure.reason.value, "message": message}, ensure_ascii=False).encode()
        if len(text) <= MAX_BYTES:
            return text
        # A character is one byte at least, so this never cuts too little twice for nothing.
        message = message[: len(message) - max(2, (len(text) - MAX_BYTES) // 4)] + "…"


def leave_message(path: Path | None, failure: TaskFailure) -> None:
    """Write the termination message, if there is a place for it."""
    if path is None:
        return
    try:
        path.write_bytes(termination_message(failure))
    except OSError as error:
        _log.warning("no termination message", cause=error.strerror)
