"""The decision for a dump, as a table: what is seen -> what is done."""

from datetime import timedelta
from typing import Any

import pytest

from labeltask_contract.dump_status import DumpPhase, DumpTable, pack_outcome
from labeltask_contract.reasons import Reason
from labeltask_operator.dump_reconcile import DumpDecision, DumpEnding, DumpObservation, decide_dump
from labeltask_operator.dump_resolve import DumpResolution, resolve_dump
from labeltask_operator.dump_view import DumpView
from labeltask_operator.job_outcome import Fault
from labeltask_operator.job_views import JobView, PodView
from labeltask_operator.references import NotResolved
from labeltask_operator.steps import Step
from labeltask_testing.builders import (
    DUMP_ID,
    NOW,
    ago,
    ended_pod,
    make_dump_job,
    make_labeldump,
    make_pod,
    waiting_pod,
)
from labeltask_testing.operator_fakes import FakeCluster, make_settings

DUMP = make_labeldump()
TABLES = (DumpTable(name="fb", rows_kept=1, rows_added=2, rows_replaced=3, authors_undecided=4),)
RESOLUTION = resolve_dump(DumpView.of(DUMP.manifest), FakeCluster(), make_settings())
MISSING = NotResolved(Reason.SECRET_MISSING, "no such Secret", waits=True)
WRONG = NotResolved(Reason.SPEC_INVALID, "no such group", waits=False)
STARTED = DUMP.with_status(phase="Running", jobName=f"ld-{DUMP_ID}")
ABORTED = STARTED.with_spec(abort=True)
SUCCEEDED = DUMP.with_status(phase="Succeeded", completionTime=ago(100))
FAILED = DUMP.with_status(phase="Failed", completionTime=ago(100))
JOB = make_dump_job()
TTL = {"succeeded": 60, "failed": 160}


def failed(reason: Reason, message: str, **more: Any) -> DumpDecision:
    return DumpDecision(ending=DumpEnding(DumpPhase.FAILED, reason, message), **more)


def told(reason: Reason, message: str, code: int) -> Any:
    return ended_pod(code, message=f'{{"reason": "{reason}", "message": "{message}"}}')


REMOVED = "Job was removed outside LabelTask; create the dump again to run it anew"
CONFLICT = f"a Job ld-{DUMP_ID} exists that belongs to somebody else; delete it, then create this object again"
IMAGE = "the node can't get the worker image registry/worker:1: ErrImagePull: no such"

CASES: dict[str, tuple[Any, Any, Any, list[Any], DumpDecision]] = {
    "a dump being deleted is left alone": (
        DUMP.with_metadata(deletionTimestamp=ago(1)), None, None, [], DumpDecision(settled=True)
    ),
    "a new dump gets its Job": (DUMP, RESOLUTION, None, [], DumpDecision(step=Step.CREATE_JOB)),
    "a Secret may still come": (DUMP, MISSING, None, [], DumpDecision(not_accepted=MISSING, recheck_seconds=1)),
    "a Secret that has not come in a minute": (
        make_labeldump(created_ago=61), MISSING, None, [],
        failed(Reason.SECRET_MISSING, "no such Secret", not_accepted=MISSING),
    ),
    "a wrong setting fails at once": (
        DUMP, WRONG, None, [], failed(Reason.SPEC_INVALID, "no such group", not_accepted=WRONG)
    ),
    "an abort before there is a Job": (
        DUMP.with_spec(abort=True), None, None, [], failed(Reason.ABORTED, "aborted by spec.abort")
    ),
    "an abort deletes the Job": (
        ABORTED, None, JOB, [make_pod()], DumpDecision(step=Step.DELETE_JOB, recheck_seconds=5)
    ),
    "an abort waits for the Job to go": (
        ABORTED, None, JOB.with_metadata(deletionTimestamp=ago(1)), [], DumpDecision(recheck_seconds=2)
    ),
    "an abort waits for the last pod": (ABORTED, None, None, [make_pod()], DumpDecision(recheck_seconds=2)),
    "an abort is told when nothing runs any more": (
        ABORTED, None, None, [], failed(Reason.ABORTED, "aborted by spec.abort")
    ),
    "an abort that comes too late changes nothing": (
        ABORTED, None, JOB.finished("Complete"), [ended_pod(0, message=pack_outcome(TABLES).decode())],
        DumpDecision(ending=DumpEnding(DumpPhase.SUCCEEDED, tables=TABLES)),
    ),
    "a running Job is looked at now and then": (
        STARTED, None, JOB, [make_pod()], DumpDecision(recheck_seconds=make_settings().resync_seconds)
    ),
    "success with the counts of the pod": (
        STARTED, None, JOB.finished("Complete"), [ended_pod(0, message=pack_outcome(TABLES).decode())],
        DumpDecision(ending=DumpEnding(DumpPhase.SUCCEEDED, tables=TABLES)),
    ),
    "a completed Job whose pod is not seen yet": (
        STARTED, None, JOB.finished("Complete", seconds_ago=1), [], DumpDecision(recheck_seconds=2)
    ),
    "a completed Job whose pod is gone": (
        STARTED, None, JOB.finished("Complete", seconds_ago=11), [],
        DumpDecision(ending=DumpEnding(DumpPhase.SUCCEEDED)),
    ),
    "a task that is not finished": (
        STARTED, None, JOB.finished("Failed", "PodFailurePolicy"), [told(Reason.TASK_NOT_FINISHED, "1 of 2", 79)],
        failed(Reason.TASK_NOT_FINISHED, "1 of 2"),
    ),
    "a deadline": (
        STARTED, None, JOB.finished("Failed", "DeadlineExceeded"), [],
        failed(Reason.DEADLINE_EXCEEDED, "it ran longer than its deadlineSeconds (60)"),
    ),
    "an image that can not be had is waited for": (
        STARTED, None, JOB, [waiting_pod("ErrImagePull", "no such")],
        DumpDecision(fault=Fault(Reason.IMAGE_PULL, IMAGE), recheck_seconds=10),
    ),
    "a Job that somebody removed": (STARTED, None, None, [], failed(Reason.JOB_REMOVED, REMOVED)),
    "a Job of somebody else": (
        DUMP, None, make_dump_job(owner_uid="other"), [], failed(Reason.JOB_CONFLICT, CONFLICT)
    ),
    "a finished dump stays for good": (SUCCEEDED, None, JOB, [], DumpDecision(settled=True)),
    "a finished dump whose time is over": (
        SUCCEEDED.with_spec(ttlSecondsAfterFinished=TTL), None, JOB, [],
        DumpDecision(step=Step.DELETE_TASK, settled=True),
    ),
    "a failed dump has a time of its own": (
        FAILED.with_spec(ttlSecondsAfterFinished=TTL), None, None, [],
        DumpDecision(settled=True, recheck_seconds=60),
    ),
    "a failed dump whose Job still tries": (FAILED, None, JOB, [], DumpDecision(step=Step.DELETE_JOB, settled=True)),
}  # fmt: skip


@pytest.mark.parametrize(("dump", "resolution", "job", "pods", "expected"), CASES.values(), ids=CASES.keys())
def test_decision(dump: Any, resolution: Any, job: Any, pods: list[Any], expected: DumpDecision) -> None:
    seen = DumpObservation(
        NOW,
        DumpView.of(dump.manifest),
        resolution,
        None if job is None else JobView.of(job.manifest),
        tuple(PodView.of(pod) for pod in pods),
    )
    assert decide_dump(seen, make_settings()) == expected


def test_an_image_that_can_not_be_had_fails_the_dump_after_the_start_up_deadline() -> None:
    stalled = {"type": "Stalled", "status": "True", "reason": "ImagePull", "message": "", "lastTransitionTime": ago(46)}
    view = DumpView.of(STARTED.with_status(conditions=[stalled]).manifest)
    pods = (PodView.of(waiting_pod("ErrImagePull", "no such")),)
    seen = DumpObservation(NOW, view, None, JobView.of(JOB.manifest), pods)
    assert decide_dump(seen, make_settings()) == failed(Reason.IMAGE_PULL, IMAGE)


def test_the_resolution_of_the_cases_is_one() -> None:
    assert isinstance(RESOLUTION, DumpResolution)
    assert NOW - timedelta(seconds=10) == DumpView.of(DUMP.manifest).created
