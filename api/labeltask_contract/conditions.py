"""Condition types of a LabelTask, and the reasons that are not failures (those stand in ``reasons.py``)."""

from enum import StrEnum


class ConditionType(StrEnum):
    """When each one becomes True."""

    ACCEPTED = "Accepted"
    """The task's settings, rules and connection were found and are right."""
    QUEUED = "Queued"
    """The task waits for a place in its queue or at its database; no Job runs yet."""
    RUNNING = "Running"
    """At least one worker pod runs."""
    STALLED = "Stalled"
    """The task should make progress and does not; the reason says why."""
    PRODUCED = "Produced"
    """The production tables hold the task's rows."""
    COMPLETE = "Complete"
    """The task has succeeded; nothing changes any more."""
    FAILED = "Failed"
    """The task has failed; nothing changes any more."""
    ABORTED = "Aborted"
    """The task was aborted; nothing changes any more."""


class ConditionReason(StrEnum):
    """Reasons of conditions beside :class:`~labeltask_contract.reasons.Reason`."""

    VALID = "Valid"
    PENDING = "Pending"
    QUEUE_FULL = "QueueFull"
    HOST_FULL = "HostFull"
    NOT_ADMITTED = "NotAdmitted"
    ADMITTED = "Admitted"
    SUSPENDED = "Suspended"
    POD_RUNNING = "PodRunning"
    POD_STARTING = "PodStarting"
    NO_POD = "NoPod"
    HEARTBEAT_LATE = "HeartbeatLate"
    PROGRESSING = "Progressing"
    TABLES_WRITTEN = "TablesWritten"
    NO_DATA = "NoData"
    SUCCEEDED = "Succeeded"
    FINISHED = "Finished"
