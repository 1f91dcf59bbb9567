"""Observation and decision -> the status of the LabelTask, and the smallest patch that brings it there. Pure."""

from collections.abc import Mapping
from typing import Any

from labeltask_contract.conditions import ConditionReason, ConditionType
from labeltask_contract.reasons import FACTS
from labeltask_contract.stat import ProdStat, Stat
from labeltask_contract.status import (
    Condition,
    LabelTaskStatus,
    PatternFacts,
    Progress,
    ResultTable,
)
from labeltask_contract.times import format_time
from labeltask_operator.condition_list import ConditionList, cut_text
from labeltask_operator.job_outcome import JobPhase
from labeltask_operator.moments import format_moment
from labeltask_operator.reconcile import Decision, Ending, Observation
from labeltask_operator.resolve import Resolution
from labeltask_operator.steps import Step
from labeltask_operator.views import Manifest

_QUEUED = (ConditionReason.QUEUE_FULL, ConditionReason.HOST_FULL)
_HEARTBEAT_SECONDS = 30.0
_SECONDS_A_PLACE = 2
_FIGURES = {"progress", "attempts", "queuePosition", "peakMemoryMiB", "runTimeMinutes", "resultTables"}


def build_status(seen: Observation, decision: Decision, rows_per_second: int | None) -> Manifest:
    """Return the whole status as it should be, in the API's spelling; what is not known is left out."""
    before = seen.view.status
    ending = decision.ending
    stat = _stat(seen, ending)
    prod_stat = ending.prod_stat if ending is not None else None if seen.row.final else seen.row.prod_stat
    resolution = seen.resolution if isinstance(seen.resolution, Resolution) else None
    waits = decision.fault or decision.not_accepted
    reason = ending.reason if ending is not None else None if waits is None else waits.reason
    job_known = seen.job is not None and seen.phase is not JobPhase.FOREIGN
    status = LabelTaskStatus(
        observed_generation=seen.view.generation,
        task_id=seen.view.task_id,
        stat=stat,
        prod_stat=prod_stat,
        reason=reason,
        error_message=None if ending is None or ending.message is None else cut_text(ending.message),
        progress=_progress(seen, stat, rows_per_second),
        result_tables=_result_tables(seen),
        pattern=_pattern(before) if resolution is None else resolution.rules.facts,
        job_name=seen.job.name if job_known and seen.job is not None else before.get("jobName"),
        attempts=_attempts(seen),
        queue_position=seen.place.position if decision.waiting in _QUEUED else None,
        peak_memory_mi_b=None if seen.row.progress is None else seen.row.progress.state.peak_memory,
        run_time_minutes=None if seen.row.progress is None else seen.row.progress.state.run_time,
        create_time=_create_time(seen),
        start_time=_start_time(seen),
        completion_time=None if ending is None else before.get("completionTime") or format_moment(seen.now),
        warnings=_warnings(before) if resolution is None else resolution.rules.warnings or None,
        conditions=_conditions(seen, decision, prod_stat),
    )
    return status.model_dump(mode="json", by_alias=True, exclude_none=True)


def merge_patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> Manifest:
    """Return the JSON merge patch (RFC 7396) from ``before`` to ``after``; empty when they are equal."""
    patch: Manifest = {key: None for key in before if key not in after}
    for key, value in after.items():
        known = before.get(key)
        if isinstance(value, dict) and isinstance(known, Mapping):
            inner = merge_patch(known, value)
            if inner:
                patch[key] = inner
        elif key not in before or known != value:
            patch[key] = value
    return patch


def least_pause_seconds(patch: Mapping[str, Any], status_seconds: float) -> float:
    """Return how long after the last write of a status ``patch`` may be written; each write is one of etcd's.

    What is more than figures waits for nothing. That a worker lives is worth a write now and then. Places in a queue
    change for all that wait whenever one of them leaves: far back they are told less often, so that the writes grow
    with the logarithm of the queue and not with its length. Were all places to move all the time, a queue of a thousand
    would cost four writes a second.
    """
    if not set(patch) <= _FIGURES:
        return 0
    if set(patch) == {"queuePosition"}:
        return max(status_seconds, int(patch["queuePosition"] or 0) * _SECONDS_A_PLACE)
    if set(patch) == {"progress"} and set(patch["progress"] or {}) <= {"lastHeartbeat"}:
        return _HEARTBEAT_SECONDS
    return status_seconds


def _stat(seen: Observation, ending: Ending | None) -> Stat:
    if ending is not None:
        return ending.stat
    # A status becomes final in one write, with reason and message: a row that is final waits for its ending here.
    known = None if seen.row.final else seen.row.stat
    return known or seen.view.recorded_stat or Stat.PENDING


def _progress(seen: Observation, stat: Stat, rows_per_second: int | None) -> Progress | None:
    stored = seen.row.progress
    if stored is None:
        known = seen.view.status.get("progress")
        return None if known is None else Progress.model_validate(known)
    estimated = stored.rows_estimated
    percent: int | None = None
    eta: int | None = None
    if stat is Stat.SUCCESS:
        percent = 100
    elif estimated is not None:
        # 100 is for what is done: an estimate may be too low.
        percent = min(99, 100 * stored.rows_read // estimated) if estimated else 0
        if stat is Stat.STARTED and rows_per_second:
            eta = max(0, estimated - stored.rows_read) // rows_per_second
    heartbeat = seen.row.last_heartbeat()
    check_point = stored.state.check_point
    return Progress(
        rows_read=stored.rows_read,
        rows_labelled=stored.rows_labelled,
        rows_estimated=estimated,
        percent=percent,
        rows_per_second=rows_per_second if stat is Stat.STARTED else None,
        eta_seconds=eta,
        check_point=None if check_point is None else format_time(check_point),
        last_heartbeat=None if heartbeat is None else format_moment(heartbeat),
    )


def _result_tables(seen: Observation) -> tuple[ResultTable, ...] | None:
    stored = seen.row.progress
    if stored is None or not stored.state.result:
        return _known_tables(seen.view.status)
    names = stored.state.result.split(",")

    def column(joined: str | None) -> list[str | None]:
        parts: list[str | None] = [part.strip() or None for part in (joined or "").split(",")]
        return parts if len(parts) == len(names) else [None] * len(names)

    rows = column(stored.state.length_prod_table)
    authors = column(stored.state.uniq_source_author)
    rates = column(stored.state.rate_of_label)
    return tuple(
        ResultTable(
            name=name.strip(), production_rows=_count(row), uniq_source_authors=_count(author), rate_of_label=rate
        )
        for name, row, author, rate in zip(names, rows, authors, rates, strict=True)
    )


def _count(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None


def _known_tables(before: Mapping[str, Any]) -> tuple[ResultTable, ...] | None:
    known = before.get("resultTables")
    return None if known is None else tuple(ResultTable.model_validate(table) for table in known)


def _pattern(before: Mapping[str, Any]) -> PatternFacts | None:
    known = before.get("pattern")
    return None if known is None else PatternFacts.model_validate(known)


def _warnings(before: Mapping[str, Any]) -> tuple[str, ...] | None:
    known = before.get("warnings")
    return None if known is None else tuple(known)


def _attempts(seen: Observation) -> int | None:
    job = seen.job if seen.phase is not JobPhase.FOREIGN else None
    recorded = int(seen.view.status.get("attempts") or 0)
    most = max(recorded, seen.attempts, 0 if job is None else job.pods_counted)
    return most or None


def _create_time(seen: Observation) -> str | None:
    known: str | None = seen.view.status.get("createTime")
    stored = None if seen.row.progress is None else seen.row.progress.state.create_time
    return known or (None if stored is None else format_time(stored))


def _start_time(seen: Observation) -> str | None:
    known: str | None = seen.view.status.get("startTime")
    started = [moment for pod in seen.pods if (moment := pod.container_started) is not None]
    return known or (format_moment(min(started)) if started else None)


def _conditions(seen: Observation, decision: Decision, prod_stat: ProdStat | None) -> tuple[Condition, ...]:
    conditions = ConditionList(seen.view, seen.now)
    state, known = conditions.set, conditions.known
    _accepted(seen, decision, known, state)
    _queued(seen, decision, state)
    _running(seen, decision, state)
    if decision.fault is not None:
        state(ConditionType.STALLED, "True", decision.fault.reason, decision.fault.message)
    elif decision.heartbeat_late:
        state(ConditionType.STALLED, "True", ConditionReason.HEARTBEAT_LATE, decision.heartbeat_late)
    else:
        state(ConditionType.STALLED, "False", _idle_word(decision))
    if prod_stat is not None:
        word = ConditionReason.NO_DATA if prod_stat is ProdStat.NO_DATA else ConditionReason.TABLES_WRITTEN
        state(ConditionType.PRODUCED, "True", word)
    if decision.ending is not None:
        _final(decision.ending, state)
    return conditions.made()


def _idle_word(decision: Decision) -> ConditionReason:
    if decision.ending is not None:
        return ConditionReason.FINISHED
    if decision.waiting is not None:
        return decision.waiting
    return ConditionReason.PENDING if decision.not_accepted is not None else ConditionReason.PROGRESSING


def _accepted(seen: Observation, decision: Decision, known: Mapping[str, Any], state: Any) -> None:
    if decision.not_accepted is not None:
        state(ConditionType.ACCEPTED, "False", decision.not_accepted.reason, decision.not_accepted.message)
    elif isinstance(seen.resolution, Resolution) or seen.job is not None or seen.view.status.get("jobName"):
        state(ConditionType.ACCEPTED, "True", ConditionReason.VALID)
    elif (before := known.get(ConditionType.ACCEPTED)) is not None:
        state(ConditionType.ACCEPTED, before["status"], before["reason"], before["message"])
    else:
        state(ConditionType.ACCEPTED, "Unknown", ConditionReason.PENDING)


def _queued(seen: Observation, decision: Decision, state: Any) -> None:
    if decision.ending is not None:
        state(ConditionType.QUEUED, "False", ConditionReason.FINISHED)
    elif decision.waiting in _QUEUED:
        # The position stands in queuePosition: in a message it would make each move a change of conditions.
        who = f"database {seen.place.host} serves" if seen.place.host else f"queue {seen.view.queue} runs"
        state(ConditionType.QUEUED, "True", decision.waiting, f"{who} {seen.place.limit} tasks at once")
    elif decision.waiting is ConditionReason.NOT_ADMITTED:
        said = "" if seen.workload is None else seen.workload.why_waiting
        text = f"Kueue has not admitted the Job to LocalQueue {seen.view.queue}" + (f": {said}" if said else "")
        state(ConditionType.QUEUED, "True", decision.waiting, text)
    elif decision.waiting is ConditionReason.SUSPENDED:
        state(ConditionType.QUEUED, "False", ConditionReason.SUSPENDED)
    elif decision.not_accepted is not None:
        state(ConditionType.QUEUED, "False", ConditionReason.PENDING)
    else:
        state(ConditionType.QUEUED, "False", ConditionReason.ADMITTED)


def _running(seen: Observation, decision: Decision, state: Any) -> None:
    if decision.ending is not None:
        state(ConditionType.RUNNING, "False", ConditionReason.FINISHED)
    elif any(pod.running for pod in seen.pods):
        state(ConditionType.RUNNING, "True", ConditionReason.POD_RUNNING)
    elif decision.waiting is ConditionReason.SUSPENDED:
        state(ConditionType.RUNNING, "False", ConditionReason.SUSPENDED)
    elif decision.step is Step.CREATE_JOB or any(pod.active for pod in seen.pods):
        state(ConditionType.RUNNING, "False", ConditionReason.POD_STARTING)
    else:
        state(ConditionType.RUNNING, "False", ConditionReason.NO_POD)


def _final(ending: Ending, state: Any) -> None:
    if ending.stat is Stat.SUCCESS:
        state(ConditionType.COMPLETE, "True", ConditionReason.SUCCEEDED)
        return
    kind = ConditionType.ABORTED if ending.stat is Stat.BREAK else ConditionType.FAILED
    reason = ending.reason or ConditionReason.FINISHED
    words = ending.message or (FACTS[ending.reason].summary if ending.reason is not None else "")
    state(kind, "True", reason, words)
