"""What a Job and its pods say about a task: where it stands, and why it failed, with a reason a caller can act on.

Pure. Input: the views of one Job and its pods. Output: a ``Fault``, which says whether waiting can cure it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from labeltask_contract.reasons import FACTS, PERMANENT_EXIT_CODES, REASON_OF_EXIT_CODE, Reason
from labeltask_operator.job_views import JobView, PodView

MAX_TOLD_CHARACTERS = 1_500
"""Of what kubelet or worker say; the rest of a status message is our own."""


class JobPhase(StrEnum):
    """Where a task's Job stands."""

    ABSENT = "absent"
    FOREIGN = "foreign"
    DELETING = "deleting"
    SUSPENDED = "suspended"
    ACTIVE = "active"
    COMPLETE = "complete"
    FAILED = "failed"


@dataclass(frozen=True)
class Fault:
    """Why a task does not run. ``hard``: waiting does not cure it."""

    reason: Reason
    message: str
    hard: bool = True


def job_phase(job: JobView | None, owner_uid: str) -> JobPhase:
    """Return where the Job of the task with ``owner_uid`` stands."""
    if job is None:
        return JobPhase.ABSENT
    if job.owner_uid != owner_uid:
        return JobPhase.FOREIGN
    if job.deleting:
        return JobPhase.DELETING
    if job.condition("Complete") is not None:
        return JobPhase.COMPLETE
    if job.condition("Failed") is not None:
        return JobPhase.FAILED
    return JobPhase.SUSPENDED if job.suspended else JobPhase.ACTIVE


def find_out_of_memory(job: JobView, pods: Sequence[PodView]) -> Fault | None:
    """Return a fault when a worker was killed for its memory.

    A Job can't tell this from any other SIGKILL (both exit with 137), so it would try again for ever; the kubelet's
    word for it stands in the pod alone.
    """
    for pod in pods:
        if pod.terminated.get("reason") == "OOMKilled":
            return _out_of_memory(job)
    return None


def explain_failure(job: JobView, pods: Sequence[PodView]) -> Fault:
    """Return why a failed Job failed."""
    condition = job.condition("Failed") or job.condition("FailureTarget") or {}
    reason = str(condition.get("reason", ""))
    if reason == "DeadlineExceeded":
        seconds = job.body["spec"].get("activeDeadlineSeconds")
        return Fault(Reason.DEADLINE_EXCEEDED, f"it ran longer than its deadlineSeconds ({seconds})")
    ended = _by_end(pods)
    # Pods that were told to stop because the Job has failed end last, and not for what it failed of.
    ended = [pod for pod in ended if not _was_stopped(pod)] or ended
    if reason == "PodFailurePolicy":
        ended = [pod for pod in ended if pod.terminated.get("exitCode") in PERMANENT_EXIT_CODES] or ended
    for pod in ended:
        fault = _explain_pod(job, pod)
        if fault is not None:
            return fault
    told = str(condition.get("message", "")) or "the Job failed and no pod is left to say why"
    return Fault(Reason.INTERNAL, short(told))


def find_never_ran(pod: PodView) -> Fault | None:
    """Return a fault when the container's program could not be started at all: another try ends the same way."""
    terminated = pod.terminated
    if terminated.get("reason") not in ("StartError", "ContainerCannotRun"):
        return None
    told = short(str(terminated.get("message", "")))
    return Fault(Reason.POD_NOT_STARTING, f"the worker's container can't be started: {terminated['reason']}: {told}")


def _was_stopped(pod: PodView) -> bool:
    return pod.deleting or pod.terminated.get("exitCode") == FACTS[Reason.INTERRUPTED].exit_code


def _by_end(pods: Sequence[PodView]) -> list[PodView]:
    """Ended pods, the latest end first."""
    ended = [pod for pod in pods if pod.terminated or pod.phase == "Failed"]
    return sorted(ended, key=lambda pod: str(pod.terminated.get("finishedAt", "")), reverse=True)


def _explain_pod(job: JobView, pod: PodView) -> Fault | None:
    if pod.phase == "Succeeded":
        return None
    if pod.status_reason == "Evicted":
        return Fault(Reason.EVICTED, short(f"the node evicted the worker: {pod.status_message}"))
    terminated = pod.terminated
    if terminated.get("reason") == "OOMKilled":
        return _out_of_memory(job)
    if (never_ran := find_never_ran(pod)) is not None:
        return never_ran
    told = read_termination_message(str(terminated.get("message", "")))
    if told is not None:
        return told
    code = terminated.get("exitCode")
    if code is None:
        return Fault(Reason.INTERNAL, short(f"the worker pod failed: {pod.status_reason} {pod.status_message}".strip()))
    if code in REASON_OF_EXIT_CODE:
        reason = REASON_OF_EXIT_CODE[code]
        return Fault(reason, f"{FACTS[reason].summary} (the worker's exit code {code}; its log says more)")
    by = " (killed by SIGKILL)" if code == 137 else ""
    return Fault(Reason.INTERNAL, f"the worker ended with exit code {code}{by}, reason {terminated.get('reason')}")


def read_termination_message(text: str) -> Fault | None:
    """Read ``{"reason", "message"}`` as the worker leaves it; None when ``text`` is something else."""
    try:
        found = json.loads(text)
        return Fault(Reason(found["reason"]), short(str(found["message"])))
    except (ValueError, KeyError, TypeError):
        return None


def _out_of_memory(job: JobView) -> Fault:
    limit = job.memory_limit or "of the node"
    message = (
        f"OOMKilled: the worker exceeded its memory limit {limit}; raise spec.resources.limits.memory (or the "
        "deployment's worker.resources.limits.memory); a task can lower batchRows too"
    )
    return Fault(Reason.OUT_OF_MEMORY, message)


def short(text: str) -> str:
    """Return what somebody else says, cut to a length that a status can hold."""
    return text if len(text) <= MAX_TOLD_CHARACTERS else text[: MAX_TOLD_CHARACTERS - 1] + "…"
