"""The decision for a dump: what is seen of it -> what to do next. Pure and level-based, as ``reconcile`` is for tasks.

Simpler than a task's: no queue, no pause, no row in MySQL. How it ended is what Job and pod say.
"""

from dataclasses import dataclass
from datetime import datetime

from labeltask_contract.dump_status import DumpPhase, DumpTable, unpack_outcome
from labeltask_contract.reasons import Reason
from labeltask_operator.dump_resolve import DumpResolution
from labeltask_operator.dump_view import DumpView
from labeltask_operator.job_guards import conflict, failure, held_from_start, is_waited_for, stop_pods, tidy_up
from labeltask_operator.job_outcome import Fault, JobPhase, job_phase
from labeltask_operator.job_views import JobView, PodView
from labeltask_operator.references import NotResolved
from labeltask_operator.settings import Settings
from labeltask_operator.start_faults import Warned
from labeltask_operator.steps import Step

_COUNTS_SECONDS = 10
"""How long a completed Job waits for the pod that holds the counts to be seen."""


@dataclass(frozen=True)
class DumpObservation:
    """All that is known of one dump at one moment."""

    now: datetime
    view: DumpView
    resolution: DumpResolution | NotResolved | None
    """None: not looked up, because a Job exists or nothing is needed any more."""
    job: JobView | None
    pods: tuple[PodView, ...]
    warnings: tuple[Warned, ...] = ()
    """What Kubernetes' Events say where Job and pods say nothing."""

    @property
    def phase(self) -> JobPhase:
        """Where the Job stands."""
        return job_phase(self.job, self.view.uid)


@dataclass(frozen=True)
class DumpEnding:
    """How a dump ends."""

    phase: DumpPhase
    reason: Reason | None = None
    message: str | None = None
    tables: tuple[DumpTable, ...] | None = None
    """None: it failed, or the pod that held the counts is gone."""


@dataclass(frozen=True)
class DumpDecision:
    """What to do, and what the status shall say about it."""

    step: Step = Step.NONE
    ending: DumpEnding | None = None
    fault: Fault | None = None
    not_accepted: NotResolved | None = None
    recheck_seconds: float | None = None
    settled: bool = False
    """The status is final already and stays as it is."""


def decide_dump(seen: DumpObservation, settings: Settings) -> DumpDecision:
    """Return the next step of one dump."""
    # 1. Being deleted: the garbage collector takes Job and pods.
    if seen.view.deleting:
        return DumpDecision(settled=True)
    # 2. Finished, as the status says: only tidying up is left.
    if seen.view.recorded_final:
        return _tidy_up(seen)
    # 3. Done: an abort that came too late changes nothing.
    if seen.phase is JobPhase.COMPLETE:
        return _completed(seen)
    # 4. Aborted: pods first, word afterwards.
    if seen.view.abort:
        return _abort(seen)
    # 5. No Job yet, or no more.
    if seen.phase is JobPhase.ABSENT:
        return _without_job(seen, settings)
    # 6. Somebody else's Job bears the name.
    if seen.phase is JobPhase.FOREIGN:
        fault = conflict(seen.job)
        return DumpDecision(recheck_seconds=2) if fault is None else fail(fault)
    # 7. Our Job.
    return _with_job(seen, settings)


def fail(fault: Fault, not_accepted: NotResolved | None = None) -> DumpDecision:
    """Return the decision that ends a dump for ``fault``."""
    ending = DumpEnding(DumpPhase.FAILED, fault.reason, fault.message)
    return DumpDecision(ending=ending, not_accepted=not_accepted)


def _tidy_up(seen: DumpObservation) -> DumpDecision:
    failed = seen.view.recorded_phase is DumpPhase.FAILED
    ttl = None if seen.view.spec is None else seen.view.spec.ttl_seconds_after_finished
    move = tidy_up(seen.view, seen.phase, ttl, seen.now, stopped=failed)
    return DumpDecision(step=move.step, settled=True, recheck_seconds=move.recheck_seconds)


def _completed(seen: DumpObservation) -> DumpDecision:
    told = [unpack_outcome(str(pod.terminated.get("message", ""))) for pod in seen.pods]
    tables = next((found for found in told if found is not None), None)
    ended = None if seen.job is None else seen.job.finished_at
    if tables is None and ended is not None and (seen.now - ended).total_seconds() < _COUNTS_SECONDS:
        return DumpDecision(recheck_seconds=2)
    return DumpDecision(ending=DumpEnding(DumpPhase.SUCCEEDED, tables=tables))


def _abort(seen: DumpObservation) -> DumpDecision:
    move = stop_pods(seen.phase, seen.pods)
    if move is not None:
        return DumpDecision(step=move.step, recheck_seconds=move.recheck_seconds)
    return fail(Fault(Reason.ABORTED, "aborted by spec.abort"))


def _without_job(seen: DumpObservation, settings: Settings) -> DumpDecision:
    # 5a. There was one.
    if seen.view.status.get("jobName"):
        if any(pod.active for pod in seen.pods):
            return DumpDecision(recheck_seconds=2)
        message = "Job was removed outside LabelTask; create the dump again to run it anew"
        return fail(Fault(Reason.JOB_REMOVED, message))
    # 5b. What the dump refers to is missing or wrong.
    if isinstance(seen.resolution, NotResolved):
        if is_waited_for(seen.view, seen.resolution, seen.now, settings):
            return DumpDecision(not_accepted=seen.resolution, recheck_seconds=1)
        return fail(Fault(seen.resolution.reason, seen.resolution.message), not_accepted=seen.resolution)
    return DumpDecision(step=Step.CREATE_JOB)


def _with_job(seen: DumpObservation, settings: Settings) -> DumpDecision:
    job = seen.job
    if job is None:
        raise AssertionError("guard 5 handles a dump without Job")
    # 7a. On its way out though nobody aborted: guard 5 judges when it is gone.
    if seen.phase is JobPhase.DELETING:
        return DumpDecision(recheck_seconds=2)
    # 7b. Ended, or as good as ended.
    failed = failure(seen.view, job, seen.phase, seen.pods)
    if failed is not None:
        return fail(failed)
    # 7c. Kept from starting.
    held = held_from_start(seen.view, job, seen.pods, seen.warnings, seen.now, settings)
    if held is not None:
        return (
            fail(held.fault) if held.for_good else DumpDecision(fault=held.fault, recheck_seconds=held.recheck_seconds)
        )
    # 7d. Running; without news it is looked at now and then all the same.
    return DumpDecision(recheck_seconds=settings.resync_seconds)
