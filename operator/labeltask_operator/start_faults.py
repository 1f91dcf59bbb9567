"""What keeps the workers of a Job from starting: told by Job and pods, and where only they tell, by Kubernetes' Events.

Pure. Input: the views of one Job and its pods, and the warnings about the one object that :func:`silent_object` names.
Output: a ``Fault``, which says whether waiting can cure it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from labeltask_contract.reasons import Reason
from labeltask_operator.job_outcome import Fault, find_never_ran, short
from labeltask_operator.job_views import JobView, PodView
from labeltask_operator.moments import parse_moment

_IMAGE_FAULTS = {
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "ImageInspectError",
    "RegistryUnavailable",
    "SignatureValidationFailed",
}
_CONTAINER_FAULTS = {"CreateContainerError", "RunContainerError", "PreCreateHookError", "CreatePodSandboxError"}
_ABSENT_WORDS = ("not found", "find key", "non-existent")
"""The kubelet's words for a Secret, ConfigMap or key that is not there."""
_SLOW_START_SECONDS = 60


@dataclass(frozen=True)
class Warned:
    """One warning that Kubernetes gave about an object."""

    reason: str
    message: str
    at: datetime | None


def read_warnings(events: Iterable[Mapping[str, Any]]) -> tuple[Warned, ...]:
    """Return the warnings among Kubernetes' Events, the newest first."""
    found = [
        Warned(str(event.get("reason", "")), str(event.get("message", "")), _last_seen(event))
        for event in events
        if event.get("type") == "Warning"
    ]
    return tuple(sorted(found, key=lambda warned: "" if warned.at is None else warned.at.isoformat(), reverse=True))


def silent_object(job: JobView, pods: Sequence[PodView], now: datetime, patience_seconds: float) -> str | None:
    """Return the uid of the object whose Events alone tell why nothing starts; None while it need not be asked.

    A quota or limit that refuses pods shows in Events of the Job, a volume that can't be mounted in those of the pod:
    neither stands in a status.
    """
    active = _live(pods)
    if any(pod.running for pod in active):
        return None
    if not active:
        return job.uid if _waited(job, pods, now) >= patience_seconds else None
    for pod in active:
        if _creating(pod) and (now - pod.created).total_seconds() >= patience_seconds:
            return pod.uid
    return None


def find_start_fault(
    job: JobView, pods: Sequence[PodView], warnings: Sequence[Warned], now: datetime, no_pod_seconds: float
) -> Fault | None:
    """Return what keeps the workers from starting; None when one runs, has run, simply starts, or nothing tells."""
    active = _live(pods)
    if any(pod.running for pod in active):
        return None
    if not active:
        never_ran = next((fault for pod in pods if (fault := find_never_ran(pod)) is not None), None)
        return never_ran or _refused_pods(job, pods, warnings, now, no_pod_seconds)
    for pod in active:
        fault = _waiting_fault(job, pod) or _unscheduled(pod) or _slow_start(pod, warnings, now)
        if fault is not None:
            return fault
    return None


def _live(pods: Sequence[PodView]) -> list[PodView]:
    return [pod for pod in pods if pod.active and not pod.deleting]


def _waited(job: JobView, pods: Sequence[PodView], now: datetime) -> float:
    """Seconds since the Job could have made a pod: since its start, or since the last pod ended."""
    ends = [moment for pod in pods if (moment := parse_moment(pod.terminated.get("finishedAt"))) is not None]
    return (now - max([job.started, *ends])).total_seconds()


def _creating(pod: PodView) -> bool:
    return pod.waiting.get("reason") == "ContainerCreating"


def _waiting_fault(job: JobView, pod: PodView) -> Fault | None:
    reason = str(pod.waiting.get("reason", ""))
    told = short(str(pod.waiting.get("message", "")))
    if reason in _IMAGE_FAULTS:
        return Fault(Reason.IMAGE_PULL, f"the node can't get the worker image {job.image}: {reason}: {told}")
    if reason == "CreateContainerConfigError":
        return Fault(_mount_reason(told), f"{reason}: {told}")
    if reason in _CONTAINER_FAULTS:
        return Fault(Reason.POD_NOT_STARTING, f"the worker's container can't be started: {reason}: {told}")
    return None


def _mount_reason(told: str) -> Reason:
    return Reason.SECRET_MISSING if any(words in told for words in _ABSENT_WORDS) else Reason.POD_NOT_STARTING


def _unscheduled(pod: PodView) -> Fault | None:
    scheduled = pod.condition("PodScheduled")
    if scheduled.get("status") != "False" or scheduled.get("reason") != "Unschedulable":
        return None
    told = short(str(scheduled.get("message", "")))
    return Fault(Reason.UNSCHEDULABLE, f"no node takes the worker pod: {told}", hard=False)


def _slow_start(pod: PodView, warnings: Sequence[Warned], now: datetime) -> Fault | None:
    if not _creating(pod):
        return None
    for warned in warnings:
        if warned.reason == "FailedMount":
            reason = _mount_reason(warned.message)
            told = short(warned.message)
            return Fault(reason, f"pod {pod.name} can't mount its files: {told}", hard=reason is Reason.SECRET_MISSING)
    waited = (now - pod.created).total_seconds()
    if waited < _SLOW_START_SECONDS:
        return None
    told = short(f"{warnings[0].reason}: {warnings[0].message}") if warnings else "the image may still be being pulled"
    message = f"pod {pod.name} has been in ContainerCreating for {int(waited)} s: {told}"
    return Fault(Reason.POD_NOT_STARTING, message, hard=False)


def find_silence(job: JobView, pods: Sequence[PodView], now: datetime, no_pod_seconds: float) -> Fault | None:
    """Return the fault of a Job that never had a pod, though no Event says why."""
    waited = _waited(job, pods, now)
    if pods or job.pods_counted or waited < no_pod_seconds:
        return None
    message = (
        f"no pod could be created for Job {job.name} within {int(waited)} s, and no Event says why; is the Job "
        f"controller running, and what does kubectl describe job {job.name} tell?"
    )
    return Fault(Reason.POD_NOT_STARTING, message, hard=False)


def _refused_pods(
    job: JobView, pods: Sequence[PodView], warnings: Sequence[Warned], now: datetime, no_pod_seconds: float
) -> Fault | None:
    waited = _waited(job, pods, now)
    if waited < no_pod_seconds:
        return None
    for warned in warnings:
        recent = warned.at is None or (now - warned.at).total_seconds() <= waited + 1
        if warned.reason == "FailedCreate" and recent:
            return Fault(Reason.QUOTA_EXCEEDED, f"the namespace refuses the worker pod: {short(warned.message)}", False)
    return None


def _last_seen(event: Mapping[str, Any]) -> datetime | None:
    series = event.get("series") or {}
    for text in (series.get("lastObservedTime"), event.get("lastTimestamp"), event.get("eventTime")):
        if (moment := parse_moment(text)) is not None:
            return moment
    return parse_moment(event.get("metadata", {}).get("creationTimestamp"))
