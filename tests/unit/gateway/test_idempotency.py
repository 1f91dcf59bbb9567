"""Idempotency-Key: one task for many equal requests, a refusal for another, whichever gateway they reach."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from labeltask_gateway.errors import ClusterUnavailable
from labeltask_gateway.idempotency import FINGERPRINT_ANNOTATION, fingerprint
from labeltask_store.state_table import StateRow
from labeltask_testing.gateway_fakes import CANARY, Gateway, create_body, site_config, state_row

KEY = {"Idempotency-Key": "nightly-2020-01-01"}


def task_ids(gateway: Gateway) -> list[str]:
    return list(gateway.cluster.label_tasks)


def test_twenty_equal_requests_at_once_make_one_task_and_get_one_answer() -> None:
    gateway = Gateway()
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: gateway.post("/tasks", create_body(), headers=KEY), range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    assert task_ids(gateway) == [answers[0].json()["error_message"]["task_id"]]
    assert list(gateway.cluster.secrets) == task_ids(gateway)


def test_a_gateway_that_started_later_knows_the_key_from_the_label_task() -> None:
    first, second = Gateway(), Gateway()
    second.cluster = first.cluster
    before = first.post("/tasks", create_body(), headers=KEY)
    later = Gateway()
    later.cluster.label_tasks = first.cluster.label_tasks
    later.cluster.secrets = first.cluster.secrets
    assert later.post("/tasks", create_body(), headers=KEY).json() == before.json()


def test_the_same_key_in_two_namespaces_makes_tasks_of_two_ids() -> None:
    """Both may write to one schema, where the id is all that keeps their rows apart."""
    one, other = Gateway(namespace="team-a"), Gateway(namespace="team-b")
    for gateway in (one, other):
        gateway.post("/tasks", create_body(), headers=KEY)
    assert len({*task_ids(one), *task_ids(other)}) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"COUNTDOWN": 6},
        {"PATTERN": {"女性": [["小姐", ["start", "end"]]], "男性": [["先生", "partially"]]}},
        {"SITE_CONFIG": site_config(host="other.example")},
        {"SITE_CONFIG": site_config(password="another")},
        {"POLICY": "first"},
    ],
    ids=["a number", "the order of labels", "the host", "the password", "a default written out"],
)
def test_the_key_with_another_body_is_409_and_changes_nothing(changes: dict[str, object]) -> None:
    gateway = Gateway()
    gateway.post("/tasks", create_body(), headers=KEY)
    before = dict(gateway.cluster.label_tasks)
    answer = gateway.post("/tasks", create_body(**changes), headers=KEY)
    assert answer.status_code == 409
    assert answer.json()["error_message"].startswith("this Idempotency-Key belongs to ")
    assert gateway.cluster.label_tasks == before


def test_the_order_of_keys_and_null_are_no_difference() -> None:
    gateway = Gateway()
    first = gateway.post("/tasks", create_body(), headers=KEY)
    turned = {**dict(reversed(create_body().items())), "POLICY": None}
    assert gateway.post("/tasks", turned, headers=KEY).json() == first.json()


def test_other_keys_are_other_tasks() -> None:
    gateway = Gateway()
    for key in ("a", "b", "a"):
        gateway.post("/tasks", create_body(), headers={"Idempotency-Key": key})
    assert len(task_ids(gateway)) == 2


def test_nothing_in_the_label_task_tells_of_the_password() -> None:
    assert fingerprint("k", create_body()) == fingerprint("k", create_body(SITE_CONFIG=site_config(password="x")))
    gateway = Gateway()
    gateway.post("/tasks", create_body(), headers=KEY)
    (task,) = gateway.cluster.label_tasks.values()
    assert list(task["metadata"]["annotations"]) == [FINGERPRINT_ANNOTATION]
    assert CANARY not in str(task)


@pytest.mark.parametrize("data", [{}, {"connection.json": "e30="}], ids=["another key", "no connection"])
def test_a_secret_of_the_tasks_name_that_somebody_else_made_is_a_409(data: dict[str, str]) -> None:
    gateway = Gateway()
    task_id = gateway.post("/tasks", create_body(), headers=KEY).json()["error_message"]["task_id"]
    gateway.cluster.secrets[task_id] = {"data": data}
    answer = gateway.post("/tasks", create_body(), headers=KEY)
    assert (answer.status_code, answer.json()["error_message"]) == (
        409,
        f"this Idempotency-Key belongs to {task_id}, whose Secret was not made by this gateway; nothing was created, "
        "send another key",
    )


def test_a_gateway_that_died_between_the_two_objects_is_completed_by_the_next_request() -> None:
    gateway = Gateway()
    gateway.cluster.failures["create_secret"] = ClusterUnavailable()
    assert gateway.post("/tasks", create_body(), headers=KEY).status_code == 503
    assert (len(task_ids(gateway)), gateway.cluster.secrets) == (1, {})
    del gateway.cluster.failures["create_secret"]
    assert gateway.post("/tasks", create_body(), headers=KEY).status_code == 200
    assert list(gateway.cluster.secrets) == task_ids(gateway)


def test_an_equal_request_that_was_accepted_while_this_one_looked_is_no_other_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gateway = Gateway()
    first = gateway.post("/tasks", create_body(), headers=KEY)
    (task_id,) = task_ids(gateway)
    task = gateway.cluster.label_tasks.pop(task_id)
    find = gateway.history.find

    def find_late(task_id: str) -> StateRow | None:
        # The other request's LabelTask and its row in `state` come after this request's first look at the cluster.
        gateway.cluster.label_tasks[task_id] = task
        gateway.history.rows[task_id] = state_row(task_id)
        return find(task_id)

    monkeypatch.setattr(gateway.history, "find", find_late)
    again = gateway.post("/tasks", create_body(), headers=KEY)
    assert (again.status_code, again.json()) == (200, first.json())


def test_a_key_whose_task_is_gone_from_the_cluster_but_not_from_the_history_is_409() -> None:
    gateway = Gateway()
    task_id = gateway.post("/tasks", create_body(), headers=KEY).json()["error_message"]["task_id"]
    gateway.delete(f"/tasks/{task_id}")
    gateway.history.rows[task_id] = state_row(task_id)
    answer = gateway.post("/tasks", create_body(), headers=KEY)
    assert (answer.status_code, answer.json()["error_message"]) == (
        409,
        f"this Idempotency-Key belongs to task {task_id}, which is gone from the cluster; nothing was created, "
        "send another key",
    )
    assert task_ids(gateway) == []


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "ä".encode()])
def test_a_key_that_is_no_visible_ascii_is_400(key: str | bytes) -> None:
    gateway = Gateway()
    answer = gateway.post("/tasks", create_body(), headers={"Idempotency-Key": key})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/header/Idempotency-Key"
    assert task_ids(gateway) == []
