"""The decision: what is seen of one task -> what to do next. Pure; level-based, so no event is needed to understand it.

Numbered guards on fresh state, each returning. The same observation gives the same decision, whatever came before.
"""

from dataclasses import dataclass
from datetime import datetime

from labeltask_contract.conditions import ConditionReason
from labeltask_contract.reasons import Reason
from labeltask_contract.stat import ProdStat, Stat, is_final
from labeltask_operator.job_guards import conflict, failure, held_from_start, is_waited_for, stop_pods, tidy_up
from labeltask_operator.job_outcome import (
    Fault,
    JobPhase,
    explain_failure,
    find_out_of_memory,
    job_phase,
)
from labeltask_operator.job_views import JobView, PodView
from labeltask_operator.kueue import WorkloadView
from labeltask_operator.resolve import NotResolved, Resolution
from labeltask_operator.settings import Settings
from labeltask_operator.start_faults import Warned
from labeltask_operator.steps import Step
from labeltask_operator.stored_row import StoredRow
from labeltask_operator.views import TaskView

_TELL_SECONDS = 10
"""How long a FAILURE row waits for its Job to end, which brings the reason."""


@dataclass(frozen=True)
class Place:
    """A task's place in its queue; ``position`` counts from 1 and is None for a task that holds a place to run."""

    position: int | None
    limit: int
    host: str = ""
    """The database (``host:port``) that already serves ``limit`` tasks; empty where the queue is what is full."""

    @property
    def waits_for(self) -> ConditionReason:
        """What has no place left."""
        return ConditionReason.HOST_FULL if self.host else ConditionReason.QUEUE_FULL


@dataclass(frozen=True)
class Observation:
    """All that is known of one task at one moment."""

    now: datetime
    view: TaskView
    resolution: Resolution | NotResolved | None
    """None: not looked up, because the task needs nothing any more or its Job runs already."""
    job: JobView | None
    pods: tuple[PodView, ...]
    row: StoredRow
    place: Place
    warnings: tuple[Warned, ...] = ()
    """What Kubernetes' Events say where Job and pods say nothing."""
    workload: WorkloadView | None = None
    """What Kueue has made of a Job that it suspends or that shall pause."""
    attempts: int = 0
    """Pods seen so far; the Job may know of more."""

    @property
    def phase(self) -> JobPhase:
        """Where the Job stands."""
        return job_phase(self.job, self.view.uid)

    @property
    def finished_at(self) -> datetime:
        """When the Job ended; this moment where it has not."""
        found = None if self.job is None else self.job.finished_at
        return found or self.now


@dataclass(frozen=True)
class Ending:
    """How a task ends. ``in_row``: the state row says so already."""

    stat: Stat
    prod_stat: ProdStat | None = None
    reason: Reason | None = None
    message: str | None = None
    in_row: bool = False


@dataclass(frozen=True)
class Decision:
    """What to do, and what the status shall say about it."""

    step: Step = Step.NONE
    ending: Ending | None = None
    fault: Fault | None = None
    """Why the task makes no progress (Stalled=True)."""
    heartbeat_late: str = ""
    """The same, for workers that run and do not write."""
    not_accepted: NotResolved | None = None
    waiting: ConditionReason | None = None
    """Why no Job runs though nothing is wrong: Suspended, QueueFull, HostFull or NotAdmitted."""
    recheck_seconds: float | None = None
    """When to look again although nothing happens."""
    settled: bool = False
    """The status is final already and stays as it is."""


def decide(seen: Observation, settings: Settings) -> Decision:
    """Return the next step of one task."""
    view = seen.view
    # 1. Being deleted: the garbage collector takes Job and pods, the row is ended when the task is gone.
    if view.deleting:
        return Decision(settled=True)
    # 2. The row is final: it is the truth, whatever else was thought before.
    if seen.row.final:
        return _take_over(seen)
    # 3. Finished, as the status says: only tidying up is left.
    if recorded_final(view):
        return _tidy_up(seen)
    # 4. Aborted: pods first, word afterwards.
    if view.abort:
        return _abort(seen)
    # 5. No Job yet, or no more.
    if seen.phase is JobPhase.ABSENT:
        return _without_job(seen, settings)
    # 6. Somebody else's Job bears the name.
    if seen.phase is JobPhase.FOREIGN:
        fault = conflict(seen.job)
        # None: left by an earlier task of this name, and on its way out.
        return Decision(recheck_seconds=2) if fault is None else _fail(fault)
    # 7. Our Job.
    return _with_job(seen, settings)


def recorded_final(view: TaskView) -> bool:
    """Tell whether the status says that nothing changes any more."""
    stat = view.recorded_stat
    prod = view.status.get("prodStat")
    return is_final(stat, ProdStat(prod) if prod in set(ProdStat) else None)


def _take_over(seen: Observation) -> Decision:
    row = seen.row
    if recorded_final(seen.view) and seen.view.recorded_stat is row.stat:
        return _tidy_up(seen)
    if row.stat is Stat.BREAK:
        message = row.error_message or "aborted"
        return Decision(ending=Ending(Stat.BREAK, reason=Reason.ABORTED, message=message, in_row=True))
    if row.stat is Stat.SUCCESS:
        return Decision(ending=Ending(Stat.SUCCESS, row.prod_stat, in_row=True))
    fault = _told_by_cluster(seen)
    if fault is None and seen.job is not None and not seen.job.finished and row.seen_for(seen.now) < _TELL_SECONDS:
        return Decision(recheck_seconds=1)
    reason = Reason.INTERNAL if fault is None else fault.reason
    message = row.error_message or ("" if fault is None else fault.message)
    return Decision(ending=Ending(Stat.FAILURE, reason=reason, message=message, in_row=True))


def _told_by_cluster(seen: Observation) -> Fault | None:
    if seen.job is None or seen.phase is JobPhase.FOREIGN:
        return None
    found = find_out_of_memory(seen.job, seen.pods)
    if found is not None or not (seen.job.condition("Failed") or seen.job.condition("FailureTarget")):
        return found
    return explain_failure(seen.job, seen.pods)


def _tidy_up(seen: Observation) -> Decision:
    # A Job of a successful task is about to end by itself: its pods have written their last word already.
    stopped = seen.view.recorded_stat in (Stat.FAILURE, Stat.BREAK)
    spec = seen.view.spec if seen.view.may_expire else None
    ttl = None if spec is None else spec.ttl_seconds_after_finished
    move = tidy_up(seen.view, seen.phase, ttl, seen.now, stopped=stopped)
    return Decision(step=move.step, settled=True, recheck_seconds=move.recheck_seconds)


def _abort(seen: Observation) -> Decision:
    move = stop_pods(seen.phase, seen.pods)
    if move is not None:
        return Decision(step=move.step, recheck_seconds=move.recheck_seconds)
    return Decision(ending=Ending(Stat.BREAK, reason=Reason.ABORTED, message="aborted by spec.abort"))


def _without_job(seen: Observation, settings: Settings) -> Decision:
    view = seen.view
    # 5a. There was one: recorded, or a worker has written the row.
    if view.status.get("jobName") or seen.row.stat in (Stat.STARTED, Stat.SUCCESS):
        return _job_removed(seen, settings)
    # 5b. What the task refers to is missing or wrong.
    if isinstance(seen.resolution, NotResolved):
        if is_waited_for(view, seen.resolution, seen.now, settings):
            return Decision(not_accepted=seen.resolution, recheck_seconds=1)
        fault = Fault(seen.resolution.reason, seen.resolution.message)
        return _fail(fault, not_accepted=seen.resolution)
    # 5c. Not wanted yet, or no place yet.
    if view.suspend:
        return Decision(waiting=ConditionReason.SUSPENDED)
    if seen.place.position is not None:
        return Decision(waiting=seen.place.waits_for, recheck_seconds=settings.resync_seconds)
    return Decision(step=Step.CREATE_JOB)


def _job_removed(seen: Observation, settings: Settings) -> Decision:
    if any(pod.active for pod in seen.pods):
        return Decision(recheck_seconds=2)
    message = "Job was removed outside LabelTask; create the task again to run it anew"
    if seen.row.fresh:
        return _fail(Fault(Reason.JOB_REMOVED, message))
    if seen.row.unreachable_for(seen.now, settings.secret_wait_seconds):
        return _fail(Fault(Reason.JOB_REMOVED, f"{message} (the state table can't be read: {seen.row.trouble})"))
    # The Job may have ended well and been removed since; only the row can tell.
    return Decision(fault=_unread(seen.row), recheck_seconds=2)


def _with_job(seen: Observation, settings: Settings) -> Decision:
    job = seen.job
    if job is None:
        raise AssertionError("guard 5 handles a task without Job")
    # 7a. On its way out though nobody aborted: guard 5 judges when it is gone.
    if seen.phase is JobPhase.DELETING:
        return Decision(recheck_seconds=2)
    # 7b. Ended well, as far as the Job can tell.
    if seen.phase is JobPhase.COMPLETE:
        return _completed(seen, settings)
    # 7c. Ended, or as good as ended.
    failed = failure(seen.view, job, seen.phase, seen.pods)
    if failed is not None:
        return _fail(failed)
    # 7d. Another number of workers is wished.
    if seen.view.spec is not None and job.parallelism != seen.view.spec.parallelism:
        return Decision(step=Step.RESIZE_JOB, recheck_seconds=1)
    # 7e. Pause and go on.
    if seen.view.suspend or job.suspended:
        return _paused(seen, job, settings)
    # 7f. Kept from starting.
    held = held_from_start(seen.view, job, seen.pods, seen.warnings, seen.now, settings)
    if held is not None:
        return _fail(held.fault) if held.for_good else Decision(fault=held.fault, recheck_seconds=held.recheck_seconds)
    # 7g. Running.
    return Decision(heartbeat_late=_late_heartbeat(seen, settings), recheck_seconds=settings.heartbeat_late_seconds / 4)


def _paused(seen: Observation, job: JobView, settings: Settings) -> Decision:
    if settings.kueue:
        return _paused_by_kueue(seen, settings)
    if seen.view.suspend:
        step = Step.NONE if job.suspended else Step.SUSPEND_JOB
        return Decision(step=step, waiting=ConditionReason.SUSPENDED)
    if seen.place.position is not None:
        return Decision(waiting=seen.place.waits_for, recheck_seconds=settings.resync_seconds)
    return Decision(step=Step.RESUME_JOB)


def _paused_by_kueue(seen: Observation, settings: Settings) -> Decision:
    """Kueue alone suspends and resumes Jobs; a task that shall pause or go on tells it so by the Workload."""
    waiting = ConditionReason.SUSPENDED if seen.view.suspend else ConditionReason.NOT_ADMITTED
    if seen.workload is None:
        return Decision(waiting=waiting, recheck_seconds=2)
    step = Step.NONE
    if seen.workload.active is seen.view.suspend:
        step = Step.SUSPEND_JOB if seen.view.suspend else Step.RESUME_JOB
    return Decision(step=step, waiting=waiting, recheck_seconds=settings.resync_seconds)


def _completed(seen: Observation, settings: Settings) -> Decision:
    row = seen.row
    if not row.fresh and not row.unreachable_for(seen.now, settings.end_retry_seconds):
        return Decision(fault=_unread(row), recheck_seconds=2)
    if row.fresh and (seen.now - seen.finished_at).total_seconds() < _TELL_SECONDS:
        # The look may be older than the worker's last commit.
        return Decision(recheck_seconds=2)
    stored = "is missing" if row.stat is None else f"says {row.stat}"
    told = f"its row in the state table {stored}" if row.fresh else row.trouble
    return _fail(Fault(Reason.INTERNAL, f"the Job completed, but {told}"))


def _unread(row: StoredRow) -> Fault:
    return Fault(Reason.SOURCE_UNREACHABLE, row.trouble or "the state row is being read", hard=False)


def _late_heartbeat(seen: Observation, settings: Settings) -> str:
    # Only while labelling: nothing is written during the countdown.
    age = seen.row.heartbeat_age(seen.now) if seen.row.stat is Stat.STARTED else None
    if age is None or age < settings.heartbeat_late_seconds or not any(pod.running for pod in seen.pods):
        return ""
    return "the worker runs but has written nothing to the database for more than a minute"


def _fail(fault: Fault, not_accepted: NotResolved | None = None) -> Decision:
    ending = Ending(Stat.FAILURE, reason=fault.reason, message=fault.message)
    return Decision(ending=ending, not_accepted=not_accepted)
