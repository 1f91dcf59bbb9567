"""Abort, delete and kill while a task runs: what remains is either a clean BREAK or the rows of an undisturbed run."""

import pytest

from labeltask_testing.cluster_commands import CommandError, kill_container_process, kubectl
from labeltask_testing.database_rows import labelled_rows
from labeltask_testing.installation import Installation, wait_until
from labeltask_testing.running_tasks import (
    assert_whole,
    change,
    job_uid,
    operator_pod,
    pods,
    start,
    stored_state,
    wait_rows,
    wait_running_pod,
)
from labeltask_testing.source_rows import Post


def test_abort_by_rest_while_running_leaves_no_pod_and_break_everywhere(
    installation: Installation, connection_secret: str
) -> None:
    task_id = start(installation, connection_secret, "to-abort")
    answer = installation.post("/api/tasks/abort/", {"TASK_ID": task_id})
    assert (answer.status_code, answer.json()) == (
        200,
        {"error_code": 200, "error_message": f"successfully send break status to task {task_id} in state"},
    )
    wait_until(lambda: pods(installation, task_id), lambda seen: not seen, seconds=30, what="its pods to go")
    status = installation.wait_final(task_id, seconds=30)
    assert status["stat"] == "BREAK"
    resource = installation.label_task("to-abort")["status"]
    assert (resource["stat"], resource["reason"]) == ("BREAK", "Aborted")
    assert {c["type"]: c["status"] for c in resource["conditions"]}["Aborted"] == "True"
    stored = stored_state(installation, task_id)
    assert stored["stat"] == "BREAK"
    with installation.database.as_root() as db:
        rows = labelled_rows(db, installation.database.output_schema, task_id)
    assert stored["length_output_table"] == sum(map(len, rows.values())) > 0
    assert status["error_message"] == resource["errorMessage"] == stored["error_message"]
    with pytest.raises(CommandError, match="NotFound"):
        kubectl("get", "job", f"lt-{task_id}", "--namespace", installation.namespace)
    again = installation.post("/api/tasks/abort/", {"TASK_ID": task_id})
    assert again.status_code == 409
    assert stored_state(installation, task_id) == stored


def test_abort_by_kubectl_patch_does_the_same(installation: Installation, connection_secret: str) -> None:
    task_id = start(installation, connection_secret, "to-patch")
    change(installation, "to-patch", abort=True)
    assert installation.wait_final(task_id, seconds=30)["stat"] == "BREAK"
    assert pods(installation, task_id) == []
    assert stored_state(installation, task_id)["stat"] == "BREAK"


def test_delete_while_running_leaves_no_pod_and_break_in_the_state_table(
    installation: Installation, connection_secret: str
) -> None:
    task_id = start(installation, connection_secret, "to-delete")
    kubectl("delete", "labeltask", "to-delete", "--namespace", installation.namespace, "--timeout", "30s")
    wait_until(lambda: pods(installation, task_id), lambda seen: not seen, seconds=30, what="its pods to go")
    wait_until(
        lambda: stored_state(installation, task_id)["stat"],
        lambda stat: stat == "BREAK",
        seconds=30,
        what="BREAK in the state table",
    )
    left = kubectl("get", "job,configmap", "--namespace", installation.namespace, "--output", "name")
    assert task_id not in left


def test_a_worker_killed_three_times_leaves_each_row_once(
    installation: Installation, connection_secret: str, posts: list[Post]
) -> None:
    task_id = start(installation, connection_secret, "to-kill")
    killed: set[str] = set()
    rows = 0
    while len(killed) < 3:
        rows = wait_rows(installation, "to-kill", more_than=rows)
        name = wait_running_pod(installation, task_id, but=killed)
        kill_container_process(name, installation.namespace, "worker")
        killed.add(name)
    assert_whole(installation, task_id, posts)
    assert installation.label_task("to-kill")["status"]["attempts"] == 4


def test_an_operator_killed_while_tasks_run_goes_on_with_the_same_jobs(
    installation: Installation, connection_secret: str, posts: list[Post]
) -> None:
    task_id = start(installation, connection_secret, "unattended")
    before = job_uid(installation, task_id)
    kill_container_process(operator_pod(installation)["metadata"]["name"], installation.namespace, "operator")
    assert_whole(installation, task_id, posts)
    assert job_uid(installation, task_id) == before
    assert installation.label_task("unattended")["status"]["attempts"] == 1
