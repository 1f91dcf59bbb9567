"""Observation and decision -> the status of the LabelDump. Pure."""

from typing import Any

from labeltask_contract.conditions import ConditionReason, ConditionType
from labeltask_contract.dump_status import DumpPhase, LabelDumpStatus
from labeltask_contract.reasons import FACTS, Reason
from labeltask_contract.status import Condition
from labeltask_operator.condition_list import ConditionList, cut_text
from labeltask_operator.dump_reconcile import DumpDecision, DumpEnding, DumpObservation
from labeltask_operator.dump_resolve import DumpResolution
from labeltask_operator.job_outcome import JobPhase
from labeltask_operator.moments import format_moment
from labeltask_operator.views import Manifest


def build_dump_status(seen: DumpObservation, decision: DumpDecision) -> Manifest:
    """Return the whole status as it should be, in the API's spelling; what is not known is left out."""
    before = seen.view.status
    ending = decision.ending
    waits = decision.fault or decision.not_accepted
    job = None if seen.phase is JobPhase.FOREIGN else seen.job
    attempts = max(int(before.get("attempts") or 0), len(seen.pods), 0 if job is None else job.pods_counted)
    status = LabelDumpStatus(
        observed_generation=seen.view.generation,
        phase=_phase(seen, ending),
        tables=None if ending is None else ending.tables,
        reason=ending.reason if ending is not None else None if waits is None else waits.reason,
        error_message=None if ending is None or ending.message is None else cut_text(ending.message),
        job_name=before.get("jobName") if job is None else job.name,
        attempts=attempts or None,
        start_time=_start_time(seen),
        completion_time=None if ending is None else format_moment(seen.now),
        conditions=_conditions(seen, decision),
    )
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def _phase(seen: DumpObservation, ending: DumpEnding | None) -> DumpPhase:
    if ending is not None:
        return ending.phase
    running = any(pod.running for pod in seen.pods) or seen.view.recorded_phase is DumpPhase.RUNNING
    return DumpPhase.RUNNING if running else DumpPhase.PENDING


def _start_time(seen: DumpObservation) -> str | None:
    known: str | None = seen.view.status.get("startTime")
    started = [moment for pod in seen.pods if (moment := pod.container_started) is not None]
    return known or (format_moment(min(started)) if started else None)


def _conditions(seen: DumpObservation, decision: DumpDecision) -> tuple[Condition, ...]:
    conditions = ConditionList(seen.view, seen.now)
    _accepted(seen, decision, conditions)
    ending = decision.ending
    if ending is not None:
        conditions.set(ConditionType.RUNNING, "False", ConditionReason.FINISHED)
    elif any(pod.running for pod in seen.pods):
        conditions.set(ConditionType.RUNNING, "True", ConditionReason.POD_RUNNING)
    elif seen.job is not None:
        conditions.set(ConditionType.RUNNING, "False", ConditionReason.POD_STARTING)
    else:
        conditions.set(ConditionType.RUNNING, "False", ConditionReason.NO_POD)
    if decision.fault is not None:
        conditions.set(ConditionType.STALLED, "True", decision.fault.reason, decision.fault.message)
    else:
        waits = ConditionReason.PENDING if decision.not_accepted is not None else ConditionReason.PROGRESSING
        conditions.set(ConditionType.STALLED, "False", waits if ending is None else ConditionReason.FINISHED)
    if ending is not None:
        _final(ending, conditions)
    return conditions.made()


def _accepted(seen: DumpObservation, decision: DumpDecision, conditions: ConditionList) -> None:
    before: Any = conditions.known.get(ConditionType.ACCEPTED)
    if decision.not_accepted is not None:
        refusal = decision.not_accepted
        conditions.set(ConditionType.ACCEPTED, "False", refusal.reason, refusal.message)
    elif isinstance(seen.resolution, DumpResolution) or seen.job is not None or seen.view.status.get("jobName"):
        conditions.set(ConditionType.ACCEPTED, "True", ConditionReason.VALID)
    elif before is not None:
        conditions.set(ConditionType.ACCEPTED, before["status"], before["reason"], before["message"])
    else:
        conditions.set(ConditionType.ACCEPTED, "Unknown", ConditionReason.PENDING)


def _final(ending: DumpEnding, conditions: ConditionList) -> None:
    if ending.phase is DumpPhase.SUCCEEDED:
        lost = "the pod that held the counts was removed; the dump tables are there" if ending.tables is None else ""
        conditions.set(ConditionType.COMPLETE, "True", ConditionReason.SUCCEEDED, lost)
        return
    kind = ConditionType.ABORTED if ending.reason is Reason.ABORTED else ConditionType.FAILED
    words = ending.message or (FACTS[ending.reason].summary if ending.reason is not None else "")
    conditions.set(kind, "True", ending.reason or ConditionReason.FINISHED, words)
