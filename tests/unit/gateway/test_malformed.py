"""Objects that no definition of ours would let in: they are shown as far as they can be read, and hide no other."""

from typing import Any

import pytest

from labeltask_contract.names import LABEL_DUMP, task_id_of
from labeltask_gateway.recent import Wanted
from labeltask_gateway.task_index import TaskIndex
from labeltask_testing.builders import make_labeldump
from labeltask_testing.gateway_fakes import Gateway, label_task_from_kubectl
from labeltask_testing.malformed import GARBAGE_STATUSES, MALFORMED_SPECS, with_spec

# What only the operator reads keeps nobody from being told the rest.
READABLE = ("text-for-parallelism", "object-for-queue")
SPECS = [pytest.param(spec, id=name) for name, spec in MALFORMED_SPECS.items() if name not in READABLE]
STATUSES = [pytest.param(status, id=name) for name, status in GARBAGE_STATUSES.items()]


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.mark.parametrize("spec", SPECS)
def test_a_malformed_task_is_shown_and_can_be_aborted_and_deleted(gateway: Gateway, spec: Any) -> None:
    uid = gateway.cluster.add(with_spec(label_task_from_kubectl("odd"), spec))
    gateway.cluster.add(label_task_from_kubectl("good"))
    gateway.cluster.label_tasks["odd"].setdefault("spec", {})
    task_id = task_id_of("odd", uid)
    shown = gateway.get("/api/tasks/").json()["content"]
    assert [task["target_table"] for task in shown] == ["wh_bbs_02", None]
    answer = gateway.get(f"/api/tasks/{task_id}")
    assert (answer.status_code, answer.json()["error_message"]) == (200, shown[1])
    assert (shown[1]["stat"], shown[1]["model_type"], shown[1]["date_range"]) == ("PENDING", None, None)
    sample = gateway.get(f"/api/tasks/{task_id}/sample/")
    assert (sample.status_code, "malformed" in sample.json()["error_message"]) == (409, True)
    if isinstance(gateway.cluster.label_tasks["odd"]["spec"], dict):
        assert gateway.post("/api/tasks/abort/", {"TASK_ID": task_id}).status_code == 200
    assert gateway.delete(f"/api/tasks/{task_id}").status_code == 200


@pytest.mark.parametrize("name", READABLE)
def test_a_task_that_is_malformed_where_no_answer_looks_is_shown_whole(gateway: Gateway, name: str) -> None:
    uid = gateway.cluster.add(with_spec(label_task_from_kubectl("odd"), MALFORMED_SPECS[name]))
    task_id = task_id_of("odd", uid)
    shown = gateway.get(f"/api/tasks/{task_id}").json()["error_message"]
    assert (shown["stat"], shown["target_table"], shown["model_type"]) == ("PENDING", "wh_bbs_02", "rule_model")
    assert gateway.post("/api/tasks/abort/", {"TASK_ID": task_id}).status_code == 200
    assert gateway.delete(f"/api/tasks/{task_id}").status_code == 200


@pytest.mark.parametrize("status", STATUSES)
def test_a_garbage_status_is_passed_over(gateway: Gateway, status: Any) -> None:
    uid = gateway.cluster.add({**label_task_from_kubectl("odd"), "status": status})
    answer = gateway.get(f"/api/tasks/{task_id_of('odd', uid)}").json()["error_message"]
    assert (answer["stat"], answer["target_table"], answer["warnings"]) == ("PENDING", "wh_bbs_02", [])
    assert gateway.get("/api/tasks/").json()["content"] == [answer]


def test_malformed_tasks_do_not_keep_the_list_from_being_filled() -> None:
    tasks = [
        *(with_spec(label_task_from_kubectl(f"spec-{name}"), spec) for name, spec in MALFORMED_SPECS.items()),
        *({**label_task_from_kubectl(f"status-{name}"), "status": odd} for name, odd in GARBAGE_STATUSES.items()),
    ]
    gateway = Gateway()
    for task in tasks:
        gateway.cluster.add(task)
    page = {"items": list(gateway.cluster.label_tasks.values()), "metadata": {"resourceVersion": "5"}}
    index = TaskIndex(lambda: iter([page]), lambda _: iter([]), 2)
    assert len(index.youngest(Wanted(len(tasks)))) == len(tasks)
    index.stop()


@pytest.mark.parametrize("spec", [SPECS[0], SPECS[1], SPECS[3], SPECS[-1]])
def test_a_malformed_dump_is_shown(gateway: Gateway, spec: Any) -> None:
    gateway.cluster.add(with_spec(make_labeldump("d" * 32).manifest, spec), kind=LABEL_DUMP)
    answer = gateway.get(f"/api/tasks/dump/{'d' * 32}")
    assert answer.status_code == 200
    told = answer.json()["error_message"]
    assert (told["phase"], told["group"], told["task_ids"]) == ("Pending", None, [])
