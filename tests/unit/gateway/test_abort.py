import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from labeltask_contract.stat import ProdStat, Stat
from labeltask_gateway.errors import ClusterUnavailable
from labeltask_store.state_table import StateRow
from labeltask_testing.gateway_fakes import Gateway, create_body, label_task_from_kubectl

ID = "8fec5762412c11ec836d04ea56825baa"
SPELLINGS = ["/api/tasks/abort/", "/api/tasks/abort", "/tasks/abort/", "/tasks/abort", "/api/tasks/", "/tasks"]
ROW = StateRow(
    task_id=ID,
    stat=Stat.SUCCESS,
    prod_stat=ProdStat.NO_DATA,
    model_type=None,
    predict_type=None,
    date_range=None,
    target_table=None,
    create_time=datetime(2021, 12, 8),
    peak_memory=None,
    length_receive_table=None,
    length_output_table=None,
    length_prod_table=None,
    result=None,
    uniq_source_author=None,
    rate_of_label=None,
    run_time=None,
    check_point=None,
    error_message=None,
)


def task_with(status: dict[str, Any]) -> Gateway:
    gateway = Gateway()
    gateway.cluster.add({**label_task_from_kubectl(ID), "status": status})
    return gateway


@pytest.mark.parametrize("path", SPELLINGS)
def test_abort_stores_the_intent_and_gives_the_printed_answer(path: str) -> None:
    gateway = Gateway()
    task_id = gateway.post("/api/tasks/", create_body()).json()["error_message"]["task_id"]
    answer = gateway.post(path, {"TASK_ID": task_id})
    assert answer.status_code == 200
    assert answer.json() == {
        "error_code": 200,
        "error_message": f"successfully send break status to task {task_id} in state",
    }
    assert gateway.cluster.label_tasks[task_id]["spec"]["abort"] is True


@pytest.mark.parametrize("status", [{}, {"stat": "PENDING"}, {"stat": "STARTED"}, {"stat": "SUCCESS"}])
def test_a_task_that_is_not_over_can_be_aborted(status: dict[str, Any]) -> None:
    assert task_with(status).post("/api/tasks/abort/", {"TASK_ID": ID}).status_code == 200


def test_aborting_twice_is_aborting_once() -> None:
    gateway = task_with({"stat": "STARTED"})
    first, second = (gateway.post("/api/tasks/abort/", {"TASK_ID": ID}) for _ in range(2))
    assert (first.status_code, first.json()) == (200, second.json())
    assert gateway.cluster.calls.count("patch_spec") == 1


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ({"stat": "SUCCESS", "prodStat": "finish"}, "SUCCESS"),
        ({"stat": "SUCCESS", "prodStat": "no_data"}, "SUCCESS"),
        ({"stat": "FAILURE"}, "FAILURE"),
        ({"stat": "BREAK"}, "BREAK"),
    ],
)
def test_a_task_that_is_over_is_409_and_says_how_it_ended(status: dict[str, Any], outcome: str) -> None:
    gateway = task_with(status)
    answer = gateway.post("/api/tasks/abort/", {"TASK_ID": ID})
    assert (answer.status_code, answer.json()["error_code"]) == (409, 409)
    assert answer.json()["error_message"] == f"task {ID} has ended already as {outcome}; nothing was changed"
    assert "patch_spec" not in gateway.cluster.calls


def test_a_task_that_only_the_state_table_knows_is_over() -> None:
    gateway = Gateway()
    gateway.history.rows[ID] = ROW
    assert gateway.post("/api/tasks/abort/", {"TASK_ID": ID}).status_code == 409
    gateway.history.rows[ID] = replace(ROW, stat=Stat.STARTED, prod_stat=None)
    assert gateway.post("/api/tasks/abort/", {"TASK_ID": ID}).status_code == 404


@pytest.mark.parametrize("task_id", [ID, "nope", "", "../x", "\ud83d"])
def test_an_unknown_id_is_404(task_id: str) -> None:
    # json.dumps writes the lone surrogate as an escape, as callers do.
    answer = Gateway().post_text("/api/tasks/abort/", json.dumps({"TASK_ID": task_id}))
    assert (answer.status_code, answer.json()["error_code"]) == (404, 404)


def test_a_task_that_goes_away_meanwhile_is_404() -> None:
    gateway = task_with({"stat": "STARTED"})
    gateway.cluster.vanish_when_found = True
    assert gateway.post("/api/tasks/abort/", {"TASK_ID": ID}).status_code == 404


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/TASK_ID"]),
        ({"TASK_ID": None}, ["/TASK_ID"]),
        ({"TASK_ID": 7}, ["/TASK_ID"]),
        ({"TASK_ID": [ID]}, ["/TASK_ID"]),
        ({"TASK_ID": ID, "QUEUE": "x"}, ["/QUEUE"]),
    ],
)
def test_a_body_that_is_not_one_id_is_400(body: dict[str, object], pointers: list[str]) -> None:
    gateway = Gateway()
    answer = gateway.post("/api/tasks/abort/", body)
    assert answer.status_code == 400
    assert [error["pointer"] for error in answer.json()["errors"]] == pointers
    assert gateway.cluster.calls == []


def test_task_id_beside_other_keys_creates_nothing() -> None:
    gateway = Gateway()
    answer = gateway.post("/api/tasks/", create_body(TASK_ID=ID))
    assert answer.status_code == 400
    assert gateway.cluster.calls == []


def test_an_abort_that_could_not_be_stored_is_no_success() -> None:
    gateway = task_with({"stat": "STARTED"})
    gateway.cluster.failures["patch_spec"] = ClusterUnavailable()
    assert gateway.post("/api/tasks/abort/", {"TASK_ID": ID}).status_code == 503
