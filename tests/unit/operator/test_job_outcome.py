"""What Job and pods say: each key a sight of the cluster, each value the reason and a part of the words."""

from typing import Any

import pytest

from labeltask_contract.reasons import Reason
from labeltask_operator.job_outcome import (
    Fault,
    JobPhase,
    explain_failure,
    find_out_of_memory,
    job_phase,
    read_termination_message,
)
from labeltask_operator.job_views import JobView, PodView
from labeltask_testing.builders import UID, ended_pod, make_job, make_pod

TOLD = '{"reason": "TableMissing", "message": "來源表 src.posts 不存在"}'
BY_POLICY = make_job().finished("Failed", "PodFailurePolicy", "Container worker failed with exit code 67")
OUT_OF_TRIES = make_job().finished("Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit")
killed = ended_pod(137, name="pod-2", finished_ago=0)

FAILURES: dict[str, tuple[Any, list[Any], Reason, str]] = {
    "the worker's own words": (BY_POLICY, [ended_pod(67, message=TOLD)], Reason.TABLE_MISSING, "來源表 src.posts"),
    "a program that is not in the image": (
        OUT_OF_TRIES,
        [ended_pod(128, "StartError", 'exec: "run": executable file not found in $PATH')],
        Reason.POD_NOT_STARTING,
        "StartError: exec",
    ),
    "the pod that ended the Job, not one that was killed after it": (
        BY_POLICY,
        [ended_pod(67, message=TOLD, finished_ago=5), ended_pod(137, name="pod-1", finished_ago=1)],
        Reason.TABLE_MISSING,
        "來源表",
    ),
    "an exit code without words": (BY_POLICY, [ended_pod(65)], Reason.ACCESS_DENIED, "exit code 65"),
    "words that are no JSON": (BY_POLICY, [ended_pod(67, message="Traceback")], Reason.TABLE_MISSING, "exit code 67"),
    "words with a reason that nobody knows": (
        BY_POLICY,
        [ended_pod(67, message='{"reason": "Bored", "message": "x"}')],
        Reason.TABLE_MISSING,
        "exit code 67",
    ),
    "the last of several tries": (
        OUT_OF_TRIES,
        [
            ended_pod(77, message='{"reason": "ConnectionLost", "message": "first"}', finished_ago=90),
            ended_pod(77, name="pod-1", message='{"reason": "ConnectionLost", "message": "last"}', finished_ago=9),
        ],
        Reason.CONNECTION_LOST,
        "last",
    ),
    "the try that was one too many, not a pod that was stopped because of it": (
        OUT_OF_TRIES,
        [
            ended_pod(77, message='{"reason": "ConnectionLost", "message": "gone"}', finished_ago=9),
            ended_pod(75, name="pod-1", message='{"reason": "Interrupted", "message": "stopped"}', finished_ago=1),
            {**killed, "metadata": {**killed["metadata"], "deletionTimestamp": "2026-03-01T12:00:00Z"}},
        ],
        Reason.CONNECTION_LOST,
        "gone",
    ),
    "killed again and again": (OUT_OF_TRIES, [ended_pod(137)], Reason.INTERNAL, "SIGKILL"),
    "out of memory": (OUT_OF_TRIES, [ended_pod(137, "OOMKilled")], Reason.OUT_OF_MEMORY, "64Mi"),
    "evicted": (
        OUT_OF_TRIES,
        [make_pod({}, phase="Failed", reason="Evicted", message="The node was low on resource: memory")],
        Reason.EVICTED,
        "low on resource",
    ),
    "past the deadline": (
        make_job().finished("Failed", "DeadlineExceeded"),
        [],
        Reason.DEADLINE_EXCEEDED,
        "deadlineSeconds (60)",
    ),
    "no pod left": (OUT_OF_TRIES, [], Reason.INTERNAL, "backoff limit"),
    "only pods that succeeded": (OUT_OF_TRIES, [ended_pod(0, "Completed")], Reason.INTERNAL, "backoff limit"),
}


@pytest.mark.parametrize(("job", "pods", "reason", "words"), FAILURES.values(), ids=FAILURES.keys())
def test_why_a_job_failed(job: Any, pods: list[Any], reason: Reason, words: str) -> None:
    fault = explain_failure(JobView.of(job.manifest), [PodView.of(pod) for pod in pods])
    assert fault.reason is reason
    assert words in fault.message


def test_only_the_kubelets_word_is_out_of_memory() -> None:
    job = JobView.of(make_job().manifest)
    assert find_out_of_memory(job, [PodView.of(ended_pod(137))]) is None
    fault = find_out_of_memory(job, [PodView.of(ended_pod(137, "OOMKilled"))])
    assert fault is not None
    assert "raise spec.resources.limits.memory" in fault.message


PHASES: dict[JobPhase, Any] = {
    JobPhase.ABSENT: None,
    JobPhase.FOREIGN: make_job(owner_uid="other"),
    JobPhase.DELETING: make_job().with_metadata(deletionTimestamp="2026-03-01T12:00:00Z"),
    JobPhase.SUSPENDED: make_job().with_spec(suspend=True),
    JobPhase.ACTIVE: make_job(),
    JobPhase.COMPLETE: make_job().finished("Complete"),
    JobPhase.FAILED: make_job().finished("Failed"),
}


@pytest.mark.parametrize(("phase", "job"), PHASES.items(), ids=PHASES.keys())
def test_where_a_job_stands(phase: JobPhase, job: Any) -> None:
    assert job_phase(None if job is None else JobView.of(job.manifest), UID) is phase


def test_a_termination_message_is_cut_to_what_a_status_takes() -> None:
    told = read_termination_message('{"reason": "Internal", "message": "' + "x" * 4000 + '"}')
    assert told is not None
    assert len(told.message) == 1500
    assert read_termination_message("") is None
    assert read_termination_message('["Internal"]') is None
    assert read_termination_message('{"reason": "Internal", "message": "m"}') == Fault(Reason.INTERNAL, "m")
