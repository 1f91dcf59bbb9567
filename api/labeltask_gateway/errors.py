"""What the gateway itself can't do for a caller; ``error_handlers.py`` gives each class its HTTP status.

LabelTaskError
└── GatewayError
    ├── BodyTooLarge, BodyTooSlow, UnsupportedMediaType     the request never became JSON
    ├── PatternTooLarge                                     the rules fit in no Secret
    ├── Unauthenticated, Forbidden                          nobody known, or nobody who may do it
    ├── NoSuchTask, TaskEnded, NoSuchDump, DumpEnded        the task or dump named can't be used so
    ├── TasksNotFinished                                    they can't be put on the shelf yet
    ├── AlreadyThere, KeyReused                             the name or the Idempotency-Key is taken
    ├── NoAccount                                           there is no connection to look with
    ├── TooBusy, TrialTooSlow                               what a try-out costs has a limit
    ├── ClusterUnavailable, HistoryUnavailable,
    │   DatabaseUnavailable, ResolverSilent                 nobody answers; worth another try
    └── ClusterRefused                                      the installation is wrong, not the request
        └── SecretMissing                                   it names a Secret that is not there, or holds something else
"""

from collections.abc import Sequence

from labeltask_contract.errors import LabelTaskError, Problem


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
    """The body says that it is no JSON, or packed."""

    def __init__(self) -> None:
        super().__init__(
            "the body must be JSON in UTF-8, not compressed: send the header Content-Type: application/json"
        )


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


class NoSuchDump(GatewayError):
    """No LabelDump in the cluster has this id."""

    def __init__(self, dump_id: str) -> None:
        super().__init__(f"there is no dump {dump_id} in the cluster")


class DumpEnded(GatewayError):
    """The dump is over; nothing was changed."""

    def __init__(self, dump_id: str, outcome: str) -> None:
        super().__init__(f"dump {dump_id} has ended already as {outcome}; nothing was changed")


class TasksNotFinished(GatewayError):
    """Some tasks of a dump have no production rows (yet). Nothing was created."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, problems)))


class Unauthenticated(GatewayError):
    """The caller shows no token, or one that nobody knows."""

    def __init__(self) -> None:
        super().__init__("send the header Authorization: Bearer <token> with a token that this deployment knows")


class Forbidden(GatewayError):
    """The caller is known and may not do this."""

    def __init__(self, verb: str, plural: str) -> None:
        super().__init__(f"this token may not {verb} {plural} in the namespace of this deployment")


class AlreadyThere(GatewayError):
    """An object of this name exists. Never shown: whoever creates decides what it means."""

    def __init__(self) -> None:
        super().__init__("an object of this name exists already; try again")


class KeyReused(GatewayError):
    """The Idempotency-Key belongs to another request."""

    def __init__(self, message: str) -> None:
        super().__init__(f"this Idempotency-Key {message}; nothing was created, send another key")


class NoAccount(GatewayError):
    """No database account that the gateway may use leads to the task's tables."""


class TooBusy(GatewayError):
    """As many costly requests of one kind as are allowed run already."""

    def __init__(self, what: str) -> None:
        super().__init__(f"too many {what} at this moment; try again in a second")


class TrialTooSlow(GatewayError):
    """The rules took longer on the texts than a try-out may."""


class DatabaseUnavailable(GatewayError):
    """The task's database does not answer, or not in time, or refuses. ``code`` is MySQL's error number."""

    def __init__(self, code: int | None) -> None:
        why = f" (MySQL error {code}; docs/rest-api.md says more)" if code else ""
        super().__init__(f"the database does not answer as it should{why}; try again")


class ClusterUnavailable(GatewayError):
    """The API server does not answer, or asks to come back later."""

    def __init__(self, message: str = "the Kubernetes API server does not answer; try again in a few seconds") -> None:
        super().__init__(message)


class HistoryUnavailable(GatewayError):
    """The database with the history of tasks does not answer."""

    def __init__(self) -> None:
        super().__init__("the task is not in the cluster, and the database with older tasks does not answer; try again")


class ResolverSilent(GatewayError):
    """The name of a host was not resolved in time, so nobody can tell whether it may be used."""

    def __init__(self) -> None:
        super().__init__("the name of the database host was not resolved in time; try again, or write its address")


class ClusterRefused(GatewayError):
    """The API server refuses what the gateway must be able to do: an installation fault, for the log."""

    def __init__(self, cause: str) -> None:
        self.cause = cause
        super().__init__("Kubernetes refuses the gateway; the cause is in the gateway's log under this request id")


class SecretMissing(ClusterRefused):
    """A Secret, or the key in it, is not there or holds something else."""
