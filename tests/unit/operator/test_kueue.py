"""With Kueue: Jobs are created suspended and labelled, wait in its words, and are paused through their Workload."""

import pytest

from labeltask_contract.names import job_name
from labeltask_operator.kueue import pick_workload
from labeltask_testing.builders import TASK_ID, make_labeltask, make_pod
from labeltask_testing.operator_fakes import Bench, Manifest, make_settings

JOB = job_name(TASK_ID)
NO_QUOTA = (
    "couldn't assign flavors to pod set main: insufficient unused quota for cpu in flavor default, 100m more needed"
)


@pytest.fixture
def bench() -> Bench:
    return Bench(settings=make_settings(kueue=True, default_queue_limit=0))


def make_workload(
    job_uid: str, message: str = "", active: bool = True, created: str = "2024-05-01T00:00:00Z"
) -> Manifest:
    condition = {"type": "QuotaReserved", "status": "False", "reason": "Pending", "message": message}
    labels = {"kueue.x-k8s.io/job-uid": job_uid}
    metadata = {"name": f"job-{JOB}-{created}", "uid": "w", "creationTimestamp": created, "labels": labels}
    return {"metadata": metadata, "spec": {"active": active}, "status": {"conditions": [condition] if message else []}}


def created(bench: Bench) -> str:
    """A task whose Job waits for Kueue."""
    name = bench.create(make_labeltask().with_spec(queue="nightly").manifest)
    bench.look(name, times=2)
    return name


def known_to_kueue(bench: Bench, message: str = NO_QUOTA) -> None:
    workload = make_workload(bench.cluster.jobs[JOB]["metadata"]["uid"], message)
    bench.cluster.workloads[workload["metadata"]["name"]] = workload


def admit(bench: Bench, suspend: bool = False) -> None:
    """Let Kueue start the Job (or take it back)."""
    job = bench.cluster.jobs[JOB]
    bench.put_job({**job, "spec": job["spec"] | {"suspend": suspend}})


def writes(bench: Bench) -> list[str]:
    return [
        call for call, _ in bench.cluster.calls if call not in ("patch_status", "ensure_event", "ensure_config_map")
    ]


def test_a_job_is_created_suspended_for_the_local_queue_whatever_the_own_limit_is(bench: Bench) -> None:
    created(bench)
    job = bench.cluster.jobs[JOB]
    assert job["spec"]["suspend"] is True
    assert job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "nightly"
    # A pod with the label would be taken for one that Kueue manages by itself.
    assert "kueue.x-k8s.io/queue-name" not in job["spec"]["template"]["metadata"]["labels"]


def test_a_waiting_task_tells_why_in_kueues_words(bench: Bench) -> None:
    name = created(bench)
    told = [bench.condition(name, "Queued")]
    known_to_kueue(bench)
    bench.wait(10)
    bench.look(name)
    told.append(bench.condition(name, "Queued"))
    text = "Kueue has not admitted the Job to LocalQueue nightly"
    assert [(queued["status"], queued["reason"], queued["message"]) for queued in told] == [
        ("True", "NotAdmitted", text),
        ("True", "NotAdmitted", f"{text}: {NO_QUOTA}"),
    ]
    assert bench.status(name)["stat"] == "PENDING"
    assert writes(bench) == ["ensure_job"]


def test_an_admitted_task_runs_and_one_that_kueue_takes_back_waits_again(bench: Bench) -> None:
    name = created(bench)
    known_to_kueue(bench)
    admit(bench)
    bench.put_pod(make_pod())
    bench.wait(10)
    bench.look(name)
    assert (bench.condition(name, "Queued")["status"], bench.condition(name, "Running")["status"]) == ("False", "True")
    bench.remove_pod("pod-0")
    admit(bench, suspend=True)
    bench.wait(10)
    bench.look(name)
    queued = bench.condition(name, "Queued")
    assert (queued["status"], queued["reason"]) == ("True", "NotAdmitted")
    assert writes(bench) == ["ensure_job"]


def test_suspend_and_resume_go_through_the_workload(bench: Bench) -> None:
    name = created(bench)
    known_to_kueue(bench)
    admit(bench)
    bench.change(name, suspend=True)
    bench.look(name)
    assert bench.condition(name, "Queued")["reason"] == "Suspended"
    # Kueue takes the pods away; nothing is left to do.
    admit(bench, suspend=True)
    bench.look(name)
    bench.change(name, suspend=False)
    bench.look(name)
    assert writes(bench) == ["ensure_job", "deactivate_workload", "activate_workload"]


def test_a_task_that_is_suspended_while_it_waits_is_not_admitted_meanwhile(bench: Bench) -> None:
    name = created(bench)
    known_to_kueue(bench)
    bench.change(name, suspend=True)
    bench.look(name, times=2)
    assert writes(bench) == ["ensure_job", "deactivate_workload"]


def test_an_aborted_task_that_waits_ends_without_having_started(bench: Bench) -> None:
    name = created(bench)
    known_to_kueue(bench)
    bench.change(name, abort=True)
    bench.look(name)
    bench.remove_job(JOB)
    bench.look(name)
    assert bench.status(name)["stat"] == "BREAK"


def test_the_newest_workload_of_a_job_counts() -> None:
    old, new = make_workload("job"), make_workload("job", created="2024-05-02T00:00:00Z", active=False)
    picked = pick_workload([new, old])
    assert picked is not None
    assert (picked.active, pick_workload([])) == (False, None)
