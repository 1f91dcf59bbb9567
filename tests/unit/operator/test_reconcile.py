"""The decision, as a table: each key says what is seen, each value what follows. Level-based, so no event appears."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from labeltask_contract.conditions import ConditionReason
from labeltask_contract.reasons import Reason
from labeltask_contract.stat import ProdStat, Stat
from labeltask_operator.job_views import JobView, PodView
from labeltask_operator.reconcile import Decision, Observation, Place, decide
from labeltask_operator.resolve import NotResolved
from labeltask_operator.steps import Step
from labeltask_operator.stored_row import StoredRow
from labeltask_operator.views import TaskView
from labeltask_testing.builders import (
    NOW,
    TASK_ID,
    ago,
    ended_pod,
    make_job,
    make_labeltask,
    make_pod,
    make_progress,
    waiting_pod,
)
from labeltask_testing.operator_fakes import make_settings

NO_ROW = StoredRow(known=True, read_at=NOW, seen_at=NOW)
UNREAD = StoredRow()
DOWN = StoredRow(trouble="no answer", trouble_since=NOW - timedelta(seconds=5))
DOWN_LONG = StoredRow(trouble="no answer", trouble_since=NOW - timedelta(seconds=100))
FREE = Place(None, 10)
SECOND = Place(2, 10)
HOST_BUSY = Place(1, 3, "db.example:3306")
MISSING = NotResolved(Reason.SECRET_MISSING, 'Secret "x" does not exist', waits=True)
WRONG = NotResolved(Reason.RULE_INVALID, 'label "a", position 0: is empty', waits=False)
GROUP_DELETION = {"deletionTimestamp": ago(1)}


def row(stat: Stat, prod_stat: ProdStat | None = None, seen_ago: float = 100, **fields: Any) -> StoredRow:
    """A row just read, that has been as it is for a while."""
    since = NOW - timedelta(seconds=seen_ago)
    return StoredRow(True, make_progress(stat, prod_stat, **fields), since, NOW)


PENDING, STARTED = row(Stat.PENDING), row(Stat.STARTED)
LABELLED = row(Stat.SUCCESS)
FINISHED = row(Stat.SUCCESS, ProdStat.FINISH)
NO_DATA = row(Stat.SUCCESS, ProdStat.NO_DATA)
FAILED = row(Stat.FAILURE, error_message="no such table")
BROKEN = row(Stat.BREAK, error_message="aborted")

TASK = make_labeltask()
SEEN_JOB = TASK.with_status(jobName=make_job().manifest["metadata"]["name"])
ABORTED = TASK.with_spec(abort=True)
SUSPENDED = TASK.with_spec(suspend=True)
DONE = TASK.with_status(stat="SUCCESS", prodStat="finish", completionTime=ago(30))
GAVE_UP = TASK.with_status(stat="FAILURE", completionTime=ago(30))

ACTIVE = make_job()
PAUSED = make_job().with_spec(suspend=True)
DELETING = make_job().with_metadata(**GROUP_DELETION)
FOREIGN = make_job(owner_uid="somebody-else")
COMPLETE = make_job().finished("Complete", seconds_ago=1)
COMPLETE_LONG = make_job().finished("Complete", seconds_ago=60)
OUT_OF_TRIES = make_job().finished("Failed", "BackoffLimitExceeded")
TOO_LATE = make_job().finished("Failed", "DeadlineExceeded")

RUNNING = make_pod()
STARTING = make_pod({"waiting": {"reason": "ContainerCreating"}}, phase="Pending")
PULLING = waiting_pod("ErrImagePull", "not found")
NO_NODE = make_pod(
    {},
    phase="Pending",
    conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "Insufficient cpu"}],
)
KILLED = ended_pod(137)
OOM_KILLED = ended_pod(137, "OOMKilled")
EVICTED = make_pod({}, phase="Failed", reason="Evicted", message="The node was low on memory")


def stalled(task: Any, reason: str, seconds: float) -> Any:
    """A task whose status has told of a fault for a while."""
    condition = {
        "type": "Stalled",
        "status": "True",
        "reason": reason,
        "message": "told before",
        "lastTransitionTime": ago(seconds),
    }
    return task.with_status(conditions=[condition])


@dataclass(frozen=True)
class Case:
    """What is seen, and what must be decided; ``expected`` names fields of the decision (or ``ending.<field>``)."""

    expected: Mapping[str, Any]
    task: Any = TASK
    job: Any = None
    pods: tuple[Any, ...] = ()
    row: StoredRow = PENDING
    resolution: NotResolved | None = None
    place: Place = FREE


def ends(stat: Stat, reason: Reason | None = None, more: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The task ends."""
    return {"step": Step.NONE, "ending.stat": stat, "ending.reason": reason, **(more or {})}


def acts(step: Step, **more: Any) -> dict[str, Any]:
    """Something is done, and the task goes on."""
    return {"step": step, "ending": None, **more}


WAITS = acts(Step.NONE)
GOES_ON = acts(Step.NONE, fault=None, waiting=None)

CASES: dict[str, Case] = {
    # a new task
    "a new task with a place gets a Job": Case(acts(Step.CREATE_JOB)),
    "a new task whose database is down gets a Job: the worker tells the real failure": Case(
        acts(Step.CREATE_JOB), row=DOWN
    ),
    "a new task without a row yet gets a Job": Case(acts(Step.CREATE_JOB), row=NO_ROW),
    "a new task waits while its queue is full": Case(acts(Step.NONE, waiting=ConditionReason.QUEUE_FULL), place=SECOND),
    "a new task waits while its database serves as many as it may": Case(
        acts(Step.NONE, waiting=ConditionReason.HOST_FULL), place=HOST_BUSY
    ),
    "a new task that is suspended waits": Case(acts(Step.NONE, waiting=ConditionReason.SUSPENDED), task=SUSPENDED),
    "a new task that is aborted ends at once": Case(ends(Stat.BREAK, Reason.ABORTED), task=ABORTED),
    "a task being deleted is left alone": Case(
        acts(Step.NONE, settled=True), task=TASK.with_metadata(**GROUP_DELETION)
    ),
    "a missing Secret is waited for": Case(
        acts(Step.NONE, not_accepted=MISSING, recheck_seconds=1), resolution=MISSING
    ),
    "a missing Secret is a failure after its time": Case(
        ends(Stat.FAILURE, Reason.SECRET_MISSING), task=make_labeltask(created_ago=61), resolution=MISSING
    ),
    "wrong rules are a failure at once": Case(ends(Stat.FAILURE, Reason.RULE_INVALID), resolution=WRONG),
    "a row that is final already is the outcome, and no Job is made": Case(ends(Stat.SUCCESS), row=FINISHED),
    # a Job that is not ours, or no more
    "somebody else's Job is named and not touched": Case(ends(Stat.FAILURE, Reason.JOB_CONFLICT), job=FOREIGN),
    "an earlier task's Job on its way out is waited for": Case(
        WAITS, job=make_job(owner_uid="earlier").with_metadata(**GROUP_DELETION)
    ),
    "a Job removed by hand is a failure": Case(ends(Stat.FAILURE, Reason.JOB_REMOVED), task=SEEN_JOB, row=STARTED),
    "a Job removed by hand before its name was recorded is a failure: a worker had started": Case(
        ends(Stat.FAILURE, Reason.JOB_REMOVED), row=STARTED
    ),
    "a Job removed by hand while its pods still end is waited for": Case(
        WAITS, task=SEEN_JOB, row=STARTED, pods=(RUNNING,)
    ),
    "a Job gone by its time to live left SUCCESS in the row": Case(ends(Stat.SUCCESS), task=SEEN_JOB, row=FINISHED),
    "a Job gone while the database is down is no failure yet": Case(
        acts(Step.NONE, recheck_seconds=2), task=SEEN_JOB, row=DOWN
    ),
    "a Job gone while the database is down for long is a failure": Case(
        ends(Stat.FAILURE, Reason.JOB_REMOVED), task=SEEN_JOB, row=DOWN_LONG
    ),
    "a Job being deleted by hand is waited for": Case(WAITS, job=DELETING, pods=(RUNNING,), row=STARTED),
    # running
    "a running worker goes on": Case(GOES_ON, job=ACTIVE, pods=(RUNNING,), row=STARTED),
    "a starting worker goes on": Case(GOES_ON, job=ACTIVE, pods=(STARTING,)),
    "a worker in countdown goes on": Case(GOES_ON, job=ACTIVE, pods=(RUNNING,), row=LABELLED),
    "a killed worker is replaced by the Job": Case(GOES_ON, job=ACTIVE, pods=(KILLED,), row=STARTED),
    "an evicted worker is replaced by the Job": Case(GOES_ON, job=ACTIVE, pods=(EVICTED, RUNNING), row=STARTED),
    "a running worker goes on while the operator can't reach the database": Case(
        GOES_ON, job=ACTIVE, pods=(RUNNING,), row=DOWN_LONG
    ),
    "a worker that writes nothing for a minute is told of": Case(
        acts(
            Step.NONE, heartbeat_late="the worker runs but has written nothing to the database for more than a minute"
        ),
        job=ACTIVE,
        pods=(RUNNING,),
        row=row(Stat.STARTED, heartbeat_age=61),
    ),
    "a countdown without writing is no late heartbeat": Case(
        acts(Step.NONE, heartbeat_late=""), job=ACTIVE, pods=(RUNNING,), row=row(Stat.SUCCESS, heartbeat_age=600)
    ),
    # kept from starting
    "an image that can't be had is told of at once": Case(
        acts(Step.NONE, **{"fault.reason": Reason.IMAGE_PULL}), job=ACTIVE, pods=(PULLING,)
    ),
    "an image that can't be had ends the task after its time": Case(
        ends(Stat.FAILURE, Reason.IMAGE_PULL), task=stalled(TASK, "ImagePull", 46), job=ACTIVE, pods=(PULLING,)
    ),
    "a new kind of fault has its own time": Case(
        acts(Step.NONE, **{"fault.reason": Reason.IMAGE_PULL}),
        task=stalled(TASK, "Unschedulable", 500),
        job=ACTIVE,
        pods=(PULLING,),
    ),
    "a pod that no node takes is told of and waits for the deadline": Case(
        acts(Step.NONE, **{"fault.reason": Reason.UNSCHEDULABLE}),
        task=stalled(TASK, "Unschedulable", 5000),
        job=ACTIVE,
        pods=(NO_NODE,),
    ),
    "a Job that gets no pod is told of": Case(
        acts(Step.NONE, **{"fault.reason": Reason.POD_NOT_STARTING}), job=make_job(created_ago=20).with_status(active=0)
    ),
    "a Job that has no pod yet is given time": Case(GOES_ON, job=make_job(created_ago=3).with_status(active=0)),
    "one running worker is enough: a second that no node takes holds nothing up": Case(
        GOES_ON, job=ACTIVE, pods=(RUNNING, NO_NODE), row=STARTED
    ),
    # ended
    "success stands in the row; the Job ends by itself": Case(
        ends(Stat.SUCCESS, more={"ending.prod_stat": ProdStat.FINISH, "ending.in_row": True}),
        job=ACTIVE,
        pods=(RUNNING,),
        row=FINISHED,
    ),
    "no labelled row is a success": Case(
        ends(Stat.SUCCESS, more={"ending.prod_stat": ProdStat.NO_DATA}), job=COMPLETE, row=NO_DATA
    ),
    "one index out of tries is no failure when another finished the work": Case(
        ends(Stat.SUCCESS), job=OUT_OF_TRIES, row=FINISHED
    ),
    "a Job out of tries is a failure with the last pod's reason": Case(
        ends(Stat.FAILURE, Reason.INTERNAL), job=OUT_OF_TRIES, pods=(KILLED,), row=STARTED
    ),
    "a Job past its deadline is a failure": Case(
        ends(Stat.FAILURE, Reason.DEADLINE_EXCEEDED), job=TOO_LATE, row=STARTED
    ),
    "a worker killed for its memory ends the task before the Job tries again": Case(
        ends(Stat.FAILURE, Reason.OUT_OF_MEMORY), job=ACTIVE, pods=(OOM_KILLED,), row=STARTED
    ),
    "a FAILURE row waits a moment for the reason that the pod will tell": Case(
        acts(Step.NONE, recheck_seconds=1),
        job=ACTIVE,
        pods=(RUNNING,),
        row=row(Stat.FAILURE, seen_ago=1, error_message="no such table"),
    ),
    "a FAILURE row whose Job does not end is a failure all the same": Case(
        ends(Stat.FAILURE, Reason.INTERNAL, {"ending.message": "no such table"}),
        job=ACTIVE,
        pods=(RUNNING,),
        row=FAILED,
    ),
    "a FAILURE row takes its reason from the pod": Case(
        ends(Stat.FAILURE, Reason.TABLE_MISSING, {"ending.message": "no such table"}),
        job=make_job().finished("Failed", "PodFailurePolicy"),
        pods=(ended_pod(67, message='{"reason": "TableMissing", "message": "other words"}'),),
        row=FAILED,
    ),
    "a completed Job whose row is not final yet is given a moment": Case(WAITS, job=COMPLETE, row=STARTED),
    "a completed Job whose row never becomes final is a failure": Case(
        ends(Stat.FAILURE, Reason.INTERNAL), job=COMPLETE_LONG, row=STARTED
    ),
    "a completed Job is no failure while the database is down": Case(
        acts(Step.NONE, **{"fault.reason": Reason.SOURCE_UNREACHABLE}), job=COMPLETE_LONG, row=DOWN_LONG
    ),
    # aborted
    "an aborted task's Job is deleted first": Case(
        acts(Step.DELETE_JOB), task=ABORTED, job=ACTIVE, pods=(RUNNING,), row=STARTED
    ),
    "an aborted task's suspended Job is deleted too": Case(
        acts(Step.DELETE_JOB), task=ABORTED, job=PAUSED, row=STARTED
    ),
    "an aborted task waits while its Job goes": Case(WAITS, task=ABORTED, job=DELETING, row=STARTED),
    "an aborted task waits for its last pod": Case(WAITS, task=ABORTED, pods=(RUNNING,), row=STARTED),
    "an aborted task is BREAK when no pod is left": Case(ends(Stat.BREAK, Reason.ABORTED), task=ABORTED, row=STARTED),
    "an abort that came too late changes nothing": Case(ends(Stat.SUCCESS), task=ABORTED, row=FINISHED),
    "an abort in the countdown deletes the Job": Case(
        acts(Step.DELETE_JOB), task=ABORTED, job=ACTIVE, pods=(RUNNING,), row=LABELLED
    ),
    "an abort with a failed Job is BREAK": Case(
        ends(Stat.BREAK, Reason.ABORTED), task=ABORTED, job=OUT_OF_TRIES, pods=(KILLED,), row=STARTED
    ),
    "an abort leaves a foreign Job alone": Case(ends(Stat.BREAK, Reason.ABORTED), task=ABORTED, job=FOREIGN),
    "a BREAK row is the outcome": Case(ends(Stat.BREAK, Reason.ABORTED), job=ACTIVE, row=BROKEN),
    # suspended
    "a suspended task's Job is suspended": Case(
        acts(Step.SUSPEND_JOB, waiting=ConditionReason.SUSPENDED), task=SUSPENDED, job=ACTIVE, row=STARTED
    ),
    "a suspended Job stays so": Case(
        acts(Step.NONE, waiting=ConditionReason.SUSPENDED), task=SUSPENDED, job=PAUSED, row=STARTED
    ),
    "a resumed task's Job goes on": Case(acts(Step.RESUME_JOB), job=PAUSED, row=STARTED),
    "a resumed task queues for a place": Case(
        acts(Step.NONE, waiting=ConditionReason.QUEUE_FULL), job=PAUSED, row=STARTED, place=SECOND
    ),
    # another number of workers
    "a running Job gets the number of workers that is wished": Case(
        acts(Step.RESIZE_JOB), task=TASK.with_spec(parallelism=3), job=ACTIVE, pods=(RUNNING,), row=STARTED
    ),
    "a suspended Job does too": Case(
        acts(Step.RESIZE_JOB), task=SUSPENDED.with_spec(parallelism=3), job=PAUSED, row=STARTED
    ),
    "fewer workers are a wish too": Case(acts(Step.RESIZE_JOB), job=make_job().with_spec(parallelism=3), row=STARTED),
    "an ended Job keeps its number": Case(
        ends(Stat.SUCCESS), task=TASK.with_spec(parallelism=3), job=COMPLETE, row=FINISHED
    ),
    # finished, as the status says
    "a finished task stays as it is": Case(acts(Step.NONE, settled=True), task=DONE, row=UNREAD),
    "a finished task without Job gets none": Case(acts(Step.NONE, settled=True), task=DONE, row=FINISHED),
    "a successful task's Job is left to end": Case(acts(Step.NONE, settled=True), task=DONE, job=ACTIVE, row=UNREAD),
    "a failed task's running Job is deleted": Case(
        acts(Step.DELETE_JOB, settled=True), task=GAVE_UP, job=ACTIVE, row=UNREAD
    ),
    "a failed task's foreign Job is left alone": Case(
        acts(Step.NONE, settled=True), task=GAVE_UP, job=FOREIGN, row=UNREAD
    ),
    "an abort of a finished task changes nothing": Case(
        acts(Step.NONE, settled=True), task=DONE.with_spec(abort=True), job=COMPLETE, row=UNREAD
    ),
    "a row that says SUCCESS wins over a status that says FAILURE": Case(
        ends(Stat.SUCCESS, more={"settled": False}), task=GAVE_UP, row=FINISHED
    ),
    "a finished task is deleted when its time is over": Case(
        acts(Step.DELETE_TASK), task=DONE.with_spec(ttlSecondsAfterFinished={"succeeded": 29}), row=UNREAD
    ),
    "a failed task has a time of its own": Case(
        acts(Step.NONE, settled=True, recheck_seconds=10.0),
        task=GAVE_UP.with_spec(ttlSecondsAfterFinished={"succeeded": 0, "failed": 40}),
        row=UNREAD,
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_decision(case: Case) -> None:
    decision = decide(observed(case), make_settings())
    assert {name: field(decision, name) for name in case.expected} == dict(case.expected)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_the_same_observation_gives_the_same_decision(case: Case) -> None:
    assert decide(observed(case), make_settings()) == decide(observed(case), make_settings())


def test_a_deadline_names_what_held_the_task() -> None:
    case = Case({}, task=stalled(TASK, "Unschedulable", 50), job=TOO_LATE)
    ending = decide(observed(case), make_settings()).ending
    assert ending is not None
    assert ending.message == ("it ran longer than its deadlineSeconds (60); it was held by Unschedulable: told before")


def observed(case: Case) -> Observation:
    """The case as the controller would see it."""
    job = None if case.job is None else JobView.of(case.job.manifest)
    pods = tuple(PodView.of(pod) for pod in case.pods)
    view = TaskView.of(case.task.manifest)
    assert view.task_id == TASK_ID
    return Observation(NOW, view, case.resolution, job, pods, case.row, case.place)


def field(decision: Decision, name: str) -> Any:
    """Follow ``ending.stat`` and the like."""
    value: Any = decision
    for part in name.split("."):
        value = getattr(value, part, f"no {part}")
    return value
