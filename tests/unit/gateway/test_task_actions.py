"""Suspend, resume and delete."""

import pytest

from labeltask_testing.gateway_fakes import Gateway, create_body, label_task_from_kubectl, state_row

ID = "8fec5762412c11ec836d04ea56825baa"


@pytest.mark.parametrize("prefix", ["/api/tasks", "/tasks"])
@pytest.mark.parametrize("slash", ["", "/"])
def test_suspend_and_resume_store_the_intent(prefix: str, slash: str) -> None:
    gateway = Gateway()
    gateway.cluster.add(label_task_from_kubectl(ID))
    for verb, word, wish in (("suspend", "suspended", True), ("resume", "resumed", False)):
        answer = gateway.post(f"{prefix}/{ID}/{verb}{slash}", {})
        assert (answer.status_code, answer.json()) == (
            200,
            {"error_code": 200, "error_message": f"task {ID} is being {word}"},
        )
        assert gateway.cluster.label_tasks[ID]["spec"]["suspend"] is wish


def test_suspending_twice_is_suspending_once() -> None:
    gateway = Gateway()
    gateway.cluster.add(label_task_from_kubectl(ID))
    answers = [gateway.post(f"/tasks/{ID}/suspend", {}).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert gateway.cluster.calls.count("patch_spec") == 1


@pytest.mark.parametrize("verb", ["suspend", "resume"])
@pytest.mark.parametrize(
    ("spec", "status", "outcome"),
    [
        ({}, {"stat": "SUCCESS", "prodStat": "finish"}, "SUCCESS"),
        ({}, {"stat": "FAILURE"}, "FAILURE"),
        ({"abort": True}, {"stat": "STARTED"}, "BREAK"),
    ],
)
def test_what_has_ended_or_is_aborted_is_409(
    verb: str, spec: dict[str, object], status: dict[str, str], outcome: str
) -> None:
    gateway = Gateway()
    gateway.cluster.add({**label_task_from_kubectl(ID, **spec), "status": status})
    answer = gateway.post(f"/tasks/{ID}/{verb}", {})
    assert (answer.status_code, answer.json()["error_message"]) == (
        409,
        f"task {ID} has ended already as {outcome}; nothing was changed",
    )
    assert "patch_spec" not in gateway.cluster.calls


def test_delete_removes_the_label_task_and_its_secret() -> None:
    gateway = Gateway()
    task_id = gateway.post("/tasks", create_body()).json()["error_message"]["task_id"]
    answer = gateway.delete(f"/api/tasks/{task_id}")
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "error_code": 200,
            "error_message": f"task {task_id} is being deleted from the cluster; its rows in the database stay",
        },
    )
    assert (gateway.cluster.label_tasks, gateway.cluster.secrets) == ({}, {})
    assert gateway.delete(f"/api/tasks/{task_id}").status_code == 404


def test_a_task_from_kubectl_is_deleted_by_its_id() -> None:
    gateway = Gateway()
    uid = gateway.cluster.add(label_task_from_kubectl("my-task"))
    assert gateway.delete(f"/tasks/{uid.replace('-', '')}").status_code == 200
    assert gateway.cluster.label_tasks == {}


@pytest.mark.parametrize(("method", "path"), [("POST", "/suspend"), ("POST", "/resume"), ("DELETE", "")])
def test_a_task_that_is_not_in_the_cluster_is_404(method: str, path: str) -> None:
    gateway = Gateway()
    gateway.history.rows[ID] = state_row(ID)
    answer = gateway.request(method, f"/tasks/{ID}{path}")
    assert (answer.status_code, answer.json()["error_message"]) == (404, f"there is no task {ID}")


def test_a_task_that_vanishes_meanwhile_is_404() -> None:
    gateway = Gateway()
    gateway.cluster.add(label_task_from_kubectl(ID))
    gateway.cluster.vanish_when_found = True
    assert gateway.post(f"/tasks/{ID}/suspend", {}).status_code == 404
