"""What the gateway itself can't do for a caller; ``error_handlers.py`` gives each class its HTTP status.

LabelTaskError
└── GatewayError
    ├── BodyTooLarge, BodyTooSlow, UnsupportedMediaType     the request never became JSON
    ├── PatternTooLarge                                     the rules fit in no Secret
    ├── NoSuchTask, TaskEnded                               the task named can't be used so
    ├── ClusterUnavailable, HistoryUnavailable              nobody answers; worth another try
    └── ClusterRefused                                      the installation is wrong, not the request
"""

from labeltask_contract.errors import LabelTaskError


class GatewayError(LabelTaskError):
    """Base of the gateway's own errors."""


class BodyTooLarge(GatewayError):
    """The body exceeds the limit."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"the body is larger than {limit_bytes:,} bytes; split the rules over several tasks")


class BodyTooSlow(GatewayError):
    """The caller stopped sending."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the body did not arrive within {seconds:g} seconds; send it again")


class UnsupportedMediaType(GatewayError):
    """The body says that it is no JSON."""

    def __init__(self) -> None:
        super().__init__("the body must be JSON in UTF-8: send the header Content-Type: application/json")


class PatternTooLarge(GatewayError):
    """The rules exceed what one Secret holds."""


class NoSuchTask(GatewayError):
    """No task has this id, neither in the cluster nor in the history."""

    def __init__(self, task_id: str) -> None:
        super().__init__(f"there is no task {task_id}")


class TaskEnded(GatewayError):
    """The task is over; nothing was changed."""

    def __init__(self, task_id: str, outcome: str) -> None:
        super().__init__(f"task {task_id} has ended already as {outcome}; nothing was changed")


class ClusterUnavailable(GatewayError):
    """The API server does not answer, or asks to come back later."""

    def __init__(self, message: str = "the Kubernetes API server does not answer; try again in a few seconds") -> None:
        super().__init__(message)


class HistoryUnavailable(GatewayError):
    """The database with the history of tasks does not answer."""

    def __init__(self) -> None:
        super().__init__("the task is not in the cluster, and the database with older tasks does not answer; try again")


class ClusterRefused(GatewayError):
    """The API server refuses what the gateway must be able to do: an installation fault, for the log."""

    def __init__(self, cause: str) -> None:
        self.cause = cause
        super().__init__("Kubernetes refuses the gateway; the cause is in the gateway's log under this request id")
