"""Abort, delete and kill while a task runs: what remains is either a clean BREAK or the rows of an undisturbed run."""

import json
from typing import Any

import pytest

from labeltask_testing.cluster_commands import CommandError, apply, kill_container_process, kubectl, kubectl_json
from labeltask_testing.database_rows import assert_as_expected, labelled_rows, state
from labeltask_testing.installation import Body, Installation, wait_until
from labeltask_testing.requests import expected_rows, gender_request, gender_resource
from labeltask_testing.source_rows import Post

# One row a transaction: some 13,000 commits, long enough to be disturbed at any point.
SLOW = {"batchRows": 1}


def start(installation: Installation, connection_secret: str, name: str, **changes: Any) -> str:
    """Create a slow task and wait until it has committed rows; return its id."""
    apply(gender_resource(installation, name, connection_secret, **{**SLOW, **changes}))
    wait_rows(installation, name, more_than=0)
    task_id: str = installation.label_task(name)["status"]["taskId"]
    return task_id


def wait_rows(installation: Installation, name: str, more_than: int) -> int:
    """Wait until a task has read more rows than that, and return how many."""

    def rows_read() -> int:
        status = installation.label_task(name).get("status", {})
        assert status.get("stat") in (None, "PENDING", "STARTED"), status
        return int(status.get("progress", {}).get("rowsRead", 0))

    return wait_until(rows_read, lambda rows: rows > more_than, seconds=90, what=f"{name} to read > {more_than} rows")


def pods(installation: Installation, task_id: str) -> list[Body]:
    found: list[Body] = kubectl_json(
        "get", "pods", "--namespace", installation.namespace, "--selector", f"labelapi.io/task-id={task_id}"
    )["items"]
    return found


def running_pods(installation: Installation, task_id: str) -> set[str]:
    return {p["metadata"]["name"] for p in pods(installation, task_id) if p["status"]["phase"] == "Running"}


def stored_state(installation: Installation, task_id: str) -> dict[str, Any]:
    with installation.database.as_root() as db:
        return state(db, installation.database.output_schema, task_id)


def assert_whole(installation: Installation, task_id: str, posts: list[Post]) -> None:
    """The task ends in SUCCESS with exactly the rows of an undisturbed run."""
    status = installation.wait_final(task_id, seconds=180)
    assert (status["stat"], status["error_message"]) == ("SUCCESS", None)
    with installation.database.as_root() as db:
        expected = expected_rows(posts, task_id, gender_request(installation))
        assert_as_expected(db, installation.database.output_schema, task_id, expected)


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
    patch = json.dumps({"spec": {"abort": True}})
    kubectl(
        "patch", "labeltask", "to-patch", "--namespace", installation.namespace, "--type", "merge", "--patch", patch
    )
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
        name = wait_until(
            lambda: running_pods(installation, task_id) - killed,
            lambda names: len(names) == 1,
            seconds=60,
            what="one running pod",
        ).pop()
        kill_container_process(name, installation.namespace, "worker")
        killed.add(name)
    assert_whole(installation, task_id, posts)
    assert installation.label_task("to-kill")["status"]["attempts"] == 4


def test_an_operator_killed_while_tasks_run_goes_on_with_the_same_jobs(
    installation: Installation, connection_secret: str, posts: list[Post]
) -> None:
    task_id = start(installation, connection_secret, "unattended")
    before = kubectl_json("get", "job", f"lt-{task_id}", "--namespace", installation.namespace)["metadata"]["uid"]
    (operator,) = kubectl_json(
        "get",
        "pods",
        "--namespace",
        installation.namespace,
        "--selector",
        "app.kubernetes.io/component=operator",
    )["items"]
    kill_container_process(operator["metadata"]["name"], installation.namespace, "operator")
    assert_whole(installation, task_id, posts)
    after = kubectl_json("get", "job", f"lt-{task_id}", "--namespace", installation.namespace)["metadata"]["uid"]
    assert after == before
    assert installation.label_task("unattended")["status"]["attempts"] == 1
