"""What the decisions for tasks and for dumps judge alike: foreign Jobs, faults at the start, abort, failure. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from labeltask_contract.reasons import Reason
from labeltask_contract.spec import TtlSecondsAfterFinished
from labeltask_operator.job_outcome import Fault, JobPhase, explain_failure, find_out_of_memory
from labeltask_operator.job_views import JobView, PodView
from labeltask_operator.moments import parse_moment
from labeltask_operator.references import NotResolved
from labeltask_operator.settings import Settings
from labeltask_operator.start_faults import Warned, find_silence, find_start_fault
from labeltask_operator.steps import Move, Step
from labeltask_operator.views import ObjectView


@dataclass(frozen=True)
class Held:
    """A Job kept from starting. ``for_good``: waited long enough for a fault that waiting does not cure."""

    fault: Fault
    for_good: bool
    recheck_seconds: float


def conflict(job: JobView | None) -> Fault | None:
    """Return the fault of a Job that bears the name and belongs to somebody else; None while it is on its way out."""
    if job is not None and job.deleting:
        return None
    name = "" if job is None else job.name
    message = f"a Job {name} exists that belongs to somebody else; delete it, then create this object again"
    return Fault(Reason.JOB_CONFLICT, message)


def held_from_start(
    view: ObjectView,
    job: JobView,
    pods: Sequence[PodView],
    warnings: Sequence[Warned],
    now: datetime,
    settings: Settings,
) -> Held | None:
    """Return what keeps the workers from starting, if anything does."""
    fault = (
        find_start_fault(job, pods, warnings, now, settings.no_pod_seconds)
        or _unrefuted(view, job, pods)
        or find_silence(job, pods, now, settings.no_pod_seconds)
    )
    if fault is None:
        return None
    if not fault.hard:
        return Held(fault, for_good=False, recheck_seconds=10)
    left = settings.startup_deadline_seconds - _stalled_for(view, fault, now)
    return Held(fault, for_good=left <= 0, recheck_seconds=max(1.0, min(left, 10.0)))


def failure(view: ObjectView, job: JobView, phase: JobPhase, pods: Sequence[PodView]) -> Fault | None:
    """Return the fault that ends an object whose Job has failed, or never gets better; None while it may."""
    if phase is JobPhase.FAILED:
        return _with_last_stall(explain_failure(job, pods), view)
    # Killed for its memory: trying again with the same limit ends the same way.
    return find_out_of_memory(job, pods)


def is_waited_for(view: ObjectView, missing: NotResolved, now: datetime, settings: Settings) -> bool:
    """Tell whether what a young object refers to may still come: its Secret is created after it."""
    return missing.waits and (now - view.created).total_seconds() < settings.secret_wait_seconds


def stop_pods(phase: JobPhase, pods: Sequence[PodView]) -> Move | None:
    """Return what an abort has to do, or to wait for; None once no pod is left."""
    if phase in (JobPhase.ACTIVE, JobPhase.SUSPENDED):
        return Move(Step.DELETE_JOB, 5)
    if phase is JobPhase.DELETING or any(pod.active for pod in pods):
        return Move(Step.NONE, 2)
    return None


def tidy_up(
    view: ObjectView, phase: JobPhase, ttl: TtlSecondsAfterFinished | None, now: datetime, *, stopped: bool
) -> Move:
    """Return what is left to do for a finished object; ``stopped`` tells that it did not end well."""
    if stopped and phase in (JobPhase.ACTIVE, JobPhase.SUSPENDED):
        return Move(Step.DELETE_JOB, None)
    seconds = None if ttl is None else (ttl.failed if stopped else ttl.succeeded)
    left = _seconds_to_live(view, seconds, now)
    return Move(Step.DELETE_TASK, None) if left == 0 else Move(Step.NONE, left)


def _with_last_stall(fault: Fault, view: ObjectView) -> Fault:
    """Add what held a task that ran into its deadline: its pods are gone and can't tell any more."""
    stalled = _stall(view)
    if fault.reason is not Reason.DEADLINE_EXCEEDED or stalled is None:
        return fault
    return Fault(fault.reason, f"{fault.message}; it was held by {stalled['reason']}: {stalled['message']}")


def past_deadline(view: ObjectView, fault: Fault, deadline_seconds: int, now: datetime) -> Fault:
    """Return the fault that ends an object whose Job is refused for as long as it might have run; else ``fault``."""
    if fault.hard or _stalled_for(view, fault, now) < deadline_seconds:
        return fault
    message = f"no Job could be created within deadlineSeconds ({deadline_seconds}); it was held by {fault.reason}"
    return Fault(Reason.DEADLINE_EXCEEDED, f"{message}: {fault.message}")


def _seconds_to_live(view: ObjectView, ttl_seconds: int | None, now: datetime) -> float | None:
    """Return how long a finished object stays; None when it stays for good, 0 when its time is over."""
    finished = parse_moment(view.status.get("completionTime"))
    if ttl_seconds is None or finished is None:
        return None
    return max(0.0, (finished + timedelta(seconds=ttl_seconds) - now).total_seconds())


def _unrefuted(view: ObjectView, job: JobView, pods: Sequence[PodView]) -> Fault | None:
    """Return the fault that the status tells of this Job, while no living pod says otherwise.

    A Job at its deadline removes its pods before it says that it failed: what held them is still to be told then.
    """
    stalled = _stall(view)
    since = None if stalled is None else parse_moment(stalled.get("lastTransitionTime"))
    if stalled is None or since is None or since < job.started or any(pod.active and not pod.deleting for pod in pods):
        return None
    reason = stalled.get("reason")
    return Fault(Reason(reason), str(stalled.get("message", "")), hard=False) if reason in set(Reason) else None


def _stalled_for(view: ObjectView, fault: Fault, now: datetime) -> float:
    """Seconds since the status first told this fault: written down there, so that a restart does not begin anew."""
    stalled = _stall(view)
    since = None if stalled is None else parse_moment(stalled.get("lastTransitionTime"))
    if stalled is None or since is None or stalled.get("reason") != fault.reason:
        return 0.0
    return (now - since).total_seconds()


def _stall(view: ObjectView) -> Mapping[str, Any] | None:
    for condition in view.status.get("conditions") or []:
        if condition.get("type") == "Stalled" and condition.get("status") == "True":
            found: Mapping[str, Any] = condition
            return found
    return None
