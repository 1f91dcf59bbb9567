"""What both decisions judge alike: a Job that is somebody else's, one kept from starting, faults that last. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from labeltask_contract.reasons import Reason
from labeltask_operator.job_outcome import Fault
from labeltask_operator.moments import parse_moment
from labeltask_operator.settings import Settings
from labeltask_operator.start_faults import Warned, find_silence, find_start_fault
from labeltask_operator.views import JobView, ObjectView, PodView


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


def with_last_stall(fault: Fault, view: ObjectView) -> Fault:
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


def seconds_to_live(view: ObjectView, ttl_seconds: int | None, now: datetime) -> float | None:
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
