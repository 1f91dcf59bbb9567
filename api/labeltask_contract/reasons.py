"""The closed list of reasons for which a task fails or waits, and how each one shows itself.

The worker exits with ``exit_code`` and leaves ``{"reason", "message"}`` as its termination message; the operator adds
the reasons that only the cluster can see. ``retriable`` says whether running the same task again may succeed without
anybody changing anything.
"""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """CamelCase words, as Kubernetes conditions want them."""

    SPEC_INVALID = "SpecInvalid"
    ACCESS_DENIED = "AccessDenied"
    SCHEMA_MISSING = "SchemaMissing"
    TABLE_MISSING = "TableMissing"
    COLUMN_MISSING = "ColumnMissing"
    OUTPUT_NOT_WRITABLE = "OutputNotWritable"
    CHARSET_UNFIT = "CharsetUnfit"
    RULE_INVALID = "RuleInvalid"
    RULE_TOO_SLOW = "RuleTooSlow"
    ROW_TOO_LARGE = "RowTooLarge"
    DISK_FULL = "DiskFull"
    INTERRUPTED = "Interrupted"
    SOURCE_UNREACHABLE = "SourceUnreachable"
    CONNECTION_LOST = "ConnectionLost"
    INTERNAL = "Internal"
    TASK_NOT_FINISHED = "TaskNotFinished"
    TLS_REFUSED = "TlsRefused"
    OUT_OF_MEMORY = "OutOfMemory"
    EVICTED = "Evicted"
    IMAGE_PULL = "ImagePull"
    UNSCHEDULABLE = "Unschedulable"
    QUOTA_EXCEEDED = "QuotaExceeded"
    SECRET_MISSING = "SecretMissing"  # noqa: S105 - a reason, not a password
    POD_NOT_STARTING = "PodNotStarting"
    DEADLINE_EXCEEDED = "DeadlineExceeded"
    JOB_REMOVED = "JobRemoved"
    JOB_CONFLICT = "JobConflict"
    ABORTED = "Aborted"


@dataclass(frozen=True)
class ReasonFacts:
    """How one reason shows itself."""

    summary: str
    retriable: bool
    exit_code: int | None = None


FACTS: dict[Reason, ReasonFacts] = {
    Reason.SPEC_INVALID: ReasonFacts("the task's own settings are wrong", False, 64),
    Reason.ACCESS_DENIED: ReasonFacts("the database refuses the account or one of its rights", False, 65),
    Reason.SCHEMA_MISSING: ReasonFacts("a schema that the task names does not exist", False, 66),
    Reason.TABLE_MISSING: ReasonFacts("the source table does not exist", False, 67),
    Reason.COLUMN_MISSING: ReasonFacts("the source table lacks a column that the task reads", False, 68),
    Reason.OUTPUT_NOT_WRITABLE: ReasonFacts("the output schema can't be written", False, 69),
    Reason.CHARSET_UNFIT: ReasonFacts("an existing result table can't hold the text", False, 70),
    Reason.RULE_INVALID: ReasonFacts("a rule is wrong, or the rules changed after the task was accepted", False, 71),
    Reason.RULE_TOO_SLOW: ReasonFacts("an expression exceeded its time budget on one text", False, 72),
    Reason.ROW_TOO_LARGE: ReasonFacts("one row does not fit through the database's packet or column limit", False, 73),
    Reason.DISK_FULL: ReasonFacts("the database has no room left", False, 74),
    Reason.INTERRUPTED: ReasonFacts("the worker was told to stop and has handed its work back", True, 75),
    Reason.SOURCE_UNREACHABLE: ReasonFacts("the database did not answer at its address", False, 76),
    Reason.CONNECTION_LOST: ReasonFacts("the database went away and did not come back in time", True, 77),
    Reason.INTERNAL: ReasonFacts("a fault inside LabelTask", True, 78),
    Reason.TASK_NOT_FINISHED: ReasonFacts("a dump names a task without finished production rows", False, 79),
    Reason.TLS_REFUSED: ReasonFacts("no encrypted connection as the task wants it, or one that it lacks", False, 80),
    Reason.OUT_OF_MEMORY: ReasonFacts("the worker exceeded its memory limit", False),
    Reason.EVICTED: ReasonFacts("the node evicted the worker more often than the task may restart", True),
    Reason.IMAGE_PULL: ReasonFacts("the node can't get the worker image", False),
    Reason.UNSCHEDULABLE: ReasonFacts("no node has room for the worker", True),
    Reason.QUOTA_EXCEEDED: ReasonFacts("a quota or limit of the namespace refuses the worker pod", True),
    Reason.SECRET_MISSING: ReasonFacts("a Secret, ConfigMap or key that the task refers to is absent", False),
    Reason.POD_NOT_STARTING: ReasonFacts("the worker's container can't be started", False),
    Reason.DEADLINE_EXCEEDED: ReasonFacts("the task ran longer than its deadline", False),
    Reason.JOB_REMOVED: ReasonFacts("somebody deleted the task's Job", True),
    Reason.JOB_CONFLICT: ReasonFacts("a Job of the task's name exists and belongs to somebody else", False),
    Reason.ABORTED: ReasonFacts("a caller aborted or deleted the task", False),
}

REASON_OF_EXIT_CODE: dict[int, Reason] = {
    facts.exit_code: reason for reason, facts in FACTS.items() if facts.exit_code is not None
}
"""Every documented exit code of the worker except 0."""

PERMANENT_EXIT_CODES: tuple[int, ...] = tuple(
    sorted(code for code, reason in REASON_OF_EXIT_CODE.items() if not FACTS[reason].retriable)
)
"""Exit codes after which the Job must fail at once instead of trying again."""
