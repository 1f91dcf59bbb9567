"""Events on a LabelTask or LabelDump: few, one for each turn of its life, in the words of its conditions.

Input: the status as it was and as it is about to be written. Output: Events. Each has a name made of object, condition
and reason: told twice, by a restart or by a state that comes and goes, it is still one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import structlog

from labeltask_contract.conditions import ConditionType
from labeltask_contract.names import API_VERSION, MANAGER, ResourceKind
from labeltask_operator.cluster import ApiFailure, Cluster
from labeltask_operator.moments import format_moment
from labeltask_operator.views import Manifest, ObjectView

_log = structlog.get_logger(__name__)
_MAX_MESSAGE_CHARACTERS = 1_000
"""Of 1,024: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/."""

_WORTH_TELLING = {
    (ConditionType.ACCEPTED, "True"),
    (ConditionType.ACCEPTED, "False"),
    (ConditionType.QUEUED, "True"),
    (ConditionType.STALLED, "True"),
    (ConditionType.COMPLETE, "True"),
    (ConditionType.FAILED, "True"),
    (ConditionType.ABORTED, "True"),
}
_BY_REASON = (ConditionType.STALLED, ConditionType.FAILED)
"""The reason is the word that people look for; of the others it is the condition."""


@dataclass(frozen=True)
class Announcement:
    """One Event. ``about``: the condition or field that changed."""

    about: str
    reason: str
    message: str
    kind: Literal["Normal", "Warning"] = "Normal"


def find_announcements(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Announcement, ...]:
    """Return what is new in the status ``after`` and worth an Event."""
    return tuple(_find(before, after))


def _find(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Announcement]:
    known = {condition["type"]: condition for condition in before.get("conditions") or []}
    for condition in after.get("conditions") or []:
        told = known.get(condition["type"], {})
        changed = [name for name in ("status", "reason") if condition[name] != told.get(name)]
        if changed and (condition["type"], condition["status"]) in _WORTH_TELLING:
            yield _of_condition(condition, after)
    if after.get("warnings") and not before.get("warnings"):
        yield Announcement("Warnings", "RuleWarning", "; ".join(after["warnings"]), "Warning")
    if after.get("startTime") and not before.get("startTime"):
        yield Announcement("StartTime", "Started", f"the first worker pod of Job {after.get('jobName')} runs")


def _of_condition(condition: Mapping[str, Any], after: Mapping[str, Any]) -> Announcement:
    kind, reason, message = condition["type"], condition["reason"], condition["message"]
    if kind in _BY_REASON:
        return Announcement(
            kind, reason, f"stalled: {message}" if kind == ConditionType.STALLED else message, "Warning"
        )
    if kind == ConditionType.ACCEPTED and condition["status"] == "False":
        return Announcement("NotAccepted", reason, message, "Warning")
    if kind == ConditionType.COMPLETE:
        return Announcement(kind, reason, _done(after, message))
    return Announcement(kind, kind, message or "settings, rules and connection were found and are right")


def _done(after: Mapping[str, Any], message: str) -> str:
    progress = after.get("progress")
    if progress is None:
        return message or "the dump tables are written"
    return f"{progress['rowsRead']} rows read, {progress['rowsLabelled']} labelled"


def build_event(kind: ResourceKind, view: ObjectView, told: Announcement, now: datetime) -> Manifest:
    """Return the Event's manifest."""
    namespace = view.body["metadata"].get("namespace")
    moment = format_moment(now)
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{view.uid}.{told.about}.{told.reason}".lower(), "namespace": namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": kind.kind,
            "namespace": namespace,
            "name": view.name,
            "uid": view.uid,
        },
        "type": told.kind,
        "reason": told.reason,
        "message": told.message[:_MAX_MESSAGE_CHARACTERS],
        "source": {"component": MANAGER},
        "reportingComponent": MANAGER,
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
    }


def announce(cluster: Cluster, kind: ResourceKind, view: ObjectView, status: Manifest, now: datetime) -> None:
    """Tell what is new in ``status``. An Event that can't be written is logged: nothing depends on it."""
    for told in find_announcements(view.status, status):
        try:
            cluster.ensure_event(build_event(kind, view, told, now))
        except ApiFailure as failure:
            _log.warning("an Event could not be written", reason=told.reason, error=failure.message)
            return
