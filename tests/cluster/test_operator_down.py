"""What happens while the operator is down is known to it a minute after its start, and no Job is made twice."""

import json
import time
from dataclasses import dataclass

import pytest

from labeltask_testing.cluster_commands import kubectl, kubectl_json
from labeltask_testing.gated_tasks import GatedTasks, gated_tasks
from labeltask_testing.installation import Installation, wait_until
from labeltask_testing.operator_process import scale_operator, stop_operator
from labeltask_testing.running_tasks import change, job_uid, pods


@dataclass(frozen=True)
class Outage:
    """What was done while no operator ran."""

    going: GatedTasks
    """Their gate opened meanwhile."""
    held: GatedTasks
    ids: dict[str, str]
    jobs: dict[str, str]
    """Uids of the Jobs from before."""
    back_since: float


def jobs_left(installation: Installation) -> str:
    return kubectl("get", "jobs", "--namespace", installation.namespace, "--output", "name")


@pytest.fixture(scope="module")
def outage(installation: Installation, connection_secret: str) -> Outage:
    going = gated_tasks(installation, connection_secret, "outage_going")
    held = gated_tasks(installation, connection_secret, "outage_held")
    ids = going.start("ended-meanwhile", "ended-and-expired") | held.start("aborted-meanwhile", "deleted-meanwhile")
    jobs = {name: job_uid(installation, task_id) for name, task_id in ids.items()}
    stop_operator(installation)
    try:
        going.create("created-meanwhile")
        going.create("came-and-went")
        kubectl("delete", "labeltask", "came-and-went", "deleted-meanwhile", "--namespace", installation.namespace)
        change(installation, "aborted-meanwhile", abort=True)
        # As a cluster does that removes what has finished: the Job is gone before anybody has seen it finished.
        expire = json.dumps({"spec": {"ttlSecondsAfterFinished": 1}})
        job = f"lt-{ids['ended-and-expired']}"
        kubectl("patch", "job", job, "--namespace", installation.namespace, "--type", "merge", "--patch", expire)
        going.open()
        for name in ("ended-meanwhile", "ended-and-expired"):
            going.wait_finished_row(ids[name])
        wait_until(lambda: jobs_left(installation), lambda left: job not in left, seconds=60, what="the Job to expire")
        assert pods(installation, ids["aborted-meanwhile"]) != []
    finally:
        scale_operator(installation, 1)
    return Outage(going, held, ids, jobs, time.monotonic())


def test_everything_is_right_within_a_minute(outage: Outage) -> None:
    for name in ("ended-meanwhile", "ended-and-expired", "created-meanwhile"):
        outage.going.wait_stat(name, "SUCCESS")
    broken = outage.held.wait_stat("aborted-meanwhile", "BREAK")
    assert (broken["reason"], broken["errorMessage"]) == ("Aborted", "aborted by spec.abort")
    assert time.monotonic() - outage.back_since < 60


def test_each_task_has_the_rows_of_an_undisturbed_run_from_one_pod_of_one_job(outage: Outage) -> None:
    tasks = outage.going.installation
    for name in ("ended-meanwhile", "created-meanwhile"):
        status = outage.going.assert_whole(name)
        assert status["attempts"] == len(pods(tasks, status["taskId"])) == 1
    assert job_uid(tasks, outage.ids["ended-meanwhile"]) == outage.jobs["ended-meanwhile"]


def test_a_job_that_expired_unseen_leaves_success_and_no_second_job(outage: Outage) -> None:
    status = outage.going.assert_whole("ended-and-expired")
    assert (status["attempts"], status["taskId"] in jobs_left(outage.going.installation)) == (1, False)


def test_what_was_aborted_has_no_pod_and_what_was_deleted_has_nothing(outage: Outage) -> None:
    tasks = outage.going.installation
    assert outage.held.row(outage.ids["aborted-meanwhile"])["stat"] == "BREAK"
    assert pods(tasks, outage.ids["aborted-meanwhile"]) == []
    gone = outage.ids["deleted-meanwhile"]
    wait_until(lambda: pods(tasks, gone), lambda left: not left, seconds=30, what="its pods to go")
    assert gone not in kubectl("get", "job,configmap", "--namespace", tasks.namespace, "--output", "name")
    owners = [
        owner["name"]
        for job in kubectl_json("get", "jobs", "--namespace", tasks.namespace)["items"]
        for owner in job["metadata"].get("ownerReferences", [])
    ]
    assert "came-and-went" not in owners
