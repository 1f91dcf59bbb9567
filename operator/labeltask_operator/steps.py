"""What a decision, for a task or a dump, can have done to the cluster: one thing at a time."""

from enum import StrEnum
from typing import NamedTuple


class Step(StrEnum):
    """The one thing to do to the cluster."""

    NONE = "none"
    CREATE_JOB = "create the Job"
    DELETE_JOB = "delete the Job"
    SUSPEND_JOB = "suspend the Job"
    RESUME_JOB = "resume the Job"
    RESIZE_JOB = "change the Job's number of workers"
    DELETE_TASK = "delete the task"


class Move(NamedTuple):
    """A step, and after how many seconds to look again; None: only when something happens."""

    step: Step
    recheck_seconds: float | None
