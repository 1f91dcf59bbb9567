"""What keeps workers from starting, as Job, pods and Events tell it."""

from typing import Any

import pytest

from labeltask_contract.reasons import Reason
from labeltask_operator.job_outcome import Fault
from labeltask_operator.job_views import JobView, PodView
from labeltask_operator.start_faults import Warned, find_silence, find_start_fault, read_warnings, silent_object
from labeltask_testing.builders import NOW, ended_pod, make_job, make_kubernetes_event, make_pod, waiting_pod

NO_POD = JobView.of(make_job(created_ago=20).with_status(active=0).manifest)
QUOTA = 'Error creating: pods "lt-1-0-x" is forbidden: exceeded quota: small, requested: pods=1, limited: pods=0'


def unscheduled(message: str) -> Any:
    condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    return make_pod({}, phase="Pending", conditions=[condition])


STARTS: dict[str, tuple[list[Any], Reason | None, str, bool]] = {
    "a pod that runs": ([make_pod()], None, "", False),
    "a pod that starts": ([waiting_pod("ContainerCreating")], None, "", False),
    "a pod that starts slowly": (
        [waiting_pod("ContainerCreating", created_ago=90)],
        Reason.POD_NOT_STARTING,
        "pod pod-0 has been in ContainerCreating for 90 s",
        False,
    ),
    "an image that does not exist": (
        [waiting_pod("ErrImagePull", 'failed to pull "registry/worker:1": not found')],
        Reason.IMAGE_PULL,
        "registry/worker:1: ErrImagePull: failed to pull",
        True,
    ),
    "an image, tried again": ([waiting_pod("ImagePullBackOff", "Back-off")], Reason.IMAGE_PULL, "Back-off", True),
    "an image with a bad name": ([waiting_pod("InvalidImageName", "bad")], Reason.IMAGE_PULL, "InvalidImageName", True),
    "an image that must be there and is not": (
        [waiting_pod("ErrImageNeverPull", "absent")],
        Reason.IMAGE_PULL,
        "ErrImageNeverPull",
        True,
    ),
    "a Secret that is gone": (
        [waiting_pod("CreateContainerConfigError", 'secret "x" not found')],
        Reason.SECRET_MISSING,
        'secret "x" not found',
        True,
    ),
    "an image that would run as root": (
        [waiting_pod("CreateContainerConfigError", "container has runAsNonRoot and image will run as root")],
        Reason.POD_NOT_STARTING,
        "runAsNonRoot",
        True,
    ),
    "a container that can't be made": (
        [waiting_pod("CreateContainerError", "no such device")],
        Reason.POD_NOT_STARTING,
        "no such device",
        True,
    ),
    "an image without the worker": (
        [ended_pod(128, "StartError", 'exec: "run": executable file not found in $PATH')],
        Reason.POD_NOT_STARTING,
        "executable file not found",
        True,
    ),
    "no node with room": (
        [unscheduled("0/1 nodes: Insufficient cpu")],
        Reason.UNSCHEDULABLE,
        "Insufficient cpu",
        False,
    ),
    "one runs, one finds no node": ([make_pod(), unscheduled("full")], None, "", False),
    "only ended pods: the Job waits before the next": ([ended_pod(137)], None, "", False),
}


@pytest.mark.parametrize(("pods", "reason", "words", "hard"), STARTS.values(), ids=STARTS.keys())
def test_what_keeps_workers_from_starting(pods: list[Any], reason: Reason | None, words: str, hard: bool) -> None:
    fault = find_start_fault(JobView.of(make_job().manifest), [PodView.of(pod) for pod in pods], (), NOW, 15)
    assert (None if fault is None else fault.reason) == reason
    if fault is not None:
        assert words in fault.message
        assert fault.hard is hard


def warned(reason: str, message: str, seconds_ago: float = 3) -> tuple[Warned, ...]:
    return read_warnings([make_kubernetes_event("uid", reason, message, seconds_ago)])


def test_a_quota_is_named_in_the_words_of_the_jobs_event() -> None:
    fault = find_start_fault(NO_POD, [], warned("FailedCreate", QUOTA), NOW, 15)
    assert fault == Fault(Reason.QUOTA_EXCEEDED, f"the namespace refuses the worker pod: {QUOTA}", hard=False)


def test_a_quota_that_refuses_a_replacement_is_named_too() -> None:
    killed = PodView.of(ended_pod(137, finished_ago=17))
    job = JobView.of(make_job(created_ago=300).with_status(active=0, failed=1).manifest)
    fault = find_start_fault(job, [killed], warned("FailedCreate", QUOTA), NOW, 15)
    assert fault is not None
    assert fault.reason is Reason.QUOTA_EXCEEDED


def test_a_refusal_from_before_the_last_pod_is_no_news() -> None:
    killed = PodView.of(ended_pod(137, finished_ago=17))
    job = JobView.of(make_job(created_ago=300).with_status(active=0, failed=1).manifest)
    assert find_start_fault(job, [killed], warned("FailedCreate", QUOTA, seconds_ago=60), NOW, 15) is None


def test_a_job_without_any_pod_and_without_an_event_still_stalls() -> None:
    young = JobView.of(make_job(created_ago=14).with_status(active=0).manifest)
    assert find_silence(young, [], NOW, 15) is None
    fault = find_silence(NO_POD, [], NOW, 15)
    assert fault is not None
    assert (fault.reason, fault.hard) == (Reason.POD_NOT_STARTING, False)
    assert "kubectl describe job" in fault.message


MOUNTS: dict[str, tuple[str, Reason, bool]] = {
    "a Secret": ('MountVolume.SetUp failed for volume "task" : secret "db" not found', Reason.SECRET_MISSING, True),
    "a key": (
        'MountVolume.SetUp failed for volume "task" : references non-existent secret key: c',
        Reason.SECRET_MISSING,
        True,
    ),
    "a disk": ("MountVolume.SetUp failed: input/output error", Reason.POD_NOT_STARTING, False),
}


@pytest.mark.parametrize(("told", "reason", "hard"), MOUNTS.values(), ids=MOUNTS.keys())
def test_what_a_pod_can_not_mount_is_named(told: str, reason: Reason, hard: bool) -> None:
    pod = PodView.of(waiting_pod("ContainerCreating", created_ago=20))
    fault = find_start_fault(JobView.of(make_job().manifest), [pod], warned("FailedMount", told), NOW, 15)
    assert fault == Fault(reason, f"pod pod-0 can't mount its files: {told}", hard)


def test_another_warning_of_a_slow_pod_is_passed_on() -> None:
    pod = PodView.of(waiting_pod("ContainerCreating", created_ago=70))
    told = warned("FailedCreatePodSandBox", "no network")
    fault = find_start_fault(JobView.of(make_job().manifest), [pod], told, NOW, 15)
    message = "pod pod-0 has been in ContainerCreating for 70 s: FailedCreatePodSandBox: no network"
    assert fault == Fault(Reason.POD_NOT_STARTING, message, hard=False)


def test_the_newest_warning_comes_first_and_what_is_normal_is_left_out() -> None:
    normal = make_kubernetes_event("uid", "Scheduled", "on node a", 1) | {"type": "Normal"}
    events = [make_kubernetes_event("uid", "FailedMount", f"{at} s ago", at) for at in (50, 10, 30)]
    assert [found.message for found in read_warnings([normal, *events])] == ["10 s ago", "30 s ago", "50 s ago"]


SILENT: dict[str, tuple[JobView, list[Any], str | None]] = {
    "a Job without a pod": (NO_POD, [], NO_POD.uid),
    "a young Job": (JobView.of(make_job(created_ago=5).manifest), [], None),
    "a pod that runs": (NO_POD, [make_pod()], None),
    "a pod whose image is being got": (NO_POD, [waiting_pod("ImagePullBackOff", created_ago=20)], None),
    "a pod that is long being made": (NO_POD, [waiting_pod("ContainerCreating", created_ago=20)], "uid-of-pod-0"),
    "a pod that is being made": (NO_POD, [waiting_pod("ContainerCreating", created_ago=5)], None),
    "a Job whose pod ended a moment ago": (NO_POD, [ended_pod(137)], None),
    "a Job whose pod ended long ago": (NO_POD, [ended_pod(137, finished_ago=18)], NO_POD.uid),
}


@pytest.mark.parametrize(("job", "pods", "asked"), SILENT.values(), ids=SILENT.keys())
def test_events_are_read_only_where_nothing_else_tells(job: JobView, pods: list[Any], asked: str | None) -> None:
    assert silent_object(job, [PodView.of(pod) for pod in pods], NOW, 15) == asked
