from datetime import datetime

import pytest

from labeltask_contract.stat import ProdStat, Stat
from labeltask_gateway.errors import ClusterUnavailable, HistoryUnavailable
from labeltask_store.state_table import StateRow
from labeltask_testing.gateway_fakes import Gateway, create_body, label_task_from_kubectl

PRINTED_FIELDS = [
    "task_id",
    "stat",
    "prod_stat",
    "model_type",
    "predict_type",
    "date_range",
    "target_table",
    "create_time",
    "peak_memory",
    "length_receive_table",
    "length_output_table",
    "length_prod_table",
    "result",
    "uniq_source_author",
    "rate_of_label",
    "run_time",
    "check_point",
    "error_message",
]
ID = "535b5afb57ed11eca09604ea56825bad"
ROW = StateRow(
    task_id=ID,
    stat=Stat.SUCCESS,
    prod_stat=ProdStat.FINISH,
    model_type="rule_model",
    predict_type="content",
    date_range="2021-01-01 - 2021-03-01",
    target_table="wh_bbs_02",
    create_time=datetime(2021, 12, 8, 14, 8, 56),
    peak_memory=None,
    length_receive_table=5760849,
    length_output_table=536715,
    length_prod_table="109614",
    result="Ptt",
    uniq_source_author="228206",
    rate_of_label="48.03",
    run_time=33.9207,
    check_point=None,
    error_message=None,
)
PRINTED_ANSWER = {
    "task_id": ID,
    "stat": "SUCCESS",
    "prod_stat": "finish",
    "model_type": "rule_model",
    "predict_type": "content",
    "date_range": "2021-01-01 - 2021-03-01",
    "target_table": "wh_bbs_02",
    "create_time": "2021-12-08T14:08:56",
    "peak_memory": None,
    "length_receive_table": 5760849,
    "length_output_table": 536715,
    "length_prod_table": "109614",
    "result": "Ptt",
    "uniq_source_author": "228206",
    "rate_of_label": "48.03",
    "run_time": 33.9207,
    "check_point": None,
    "error_message": None,
}
NO_PROGRESS = {
    "rows_read": 0,
    "rows_estimated": None,
    "percent": None,
    "rows_per_second": None,
    "eta_seconds": None,
    "last_heartbeat": None,
}


@pytest.mark.parametrize("path", ["/api/tasks/{}", "/api/tasks/{}/", "/tasks/{}", "/tasks/{}/"])
def test_a_new_task_is_pending_and_everything_else_is_unknown(path: str) -> None:
    gateway = Gateway()
    task_id = gateway.post("/api/tasks/", create_body()).json()["error_message"]["task_id"]
    answer = gateway.get(path.format(task_id))
    assert answer.status_code == 200
    view = answer.json()["error_message"]
    assert list(view) == [*PRINTED_FIELDS, "progress", "reason", "warnings"]
    assert view == {
        **dict.fromkeys(PRINTED_FIELDS),
        "task_id": task_id,
        "stat": "PENDING",
        "model_type": "keyword_model",
        "predict_type": "author_name",
        "date_range": "2020-01-01 - 2021-01-01",
        "target_table": "wh_tiktok",
        "create_time": "2026-01-01T00:00:01",
        "progress": NO_PROGRESS,
        "reason": None,
        "warnings": [],
    }


def test_a_finished_task_gives_the_printed_answer() -> None:
    gateway = Gateway()
    gateway.cluster.add(
        {
            **label_task_from_kubectl(ID),
            "status": {
                "stat": "SUCCESS",
                "prodStat": "finish",
                "createTime": "2021-12-08 14:08:56",
                "runTimeMinutes": 33.9207,
                "progress": {"rowsRead": 5760849, "rowsLabelled": 536715},
                "resultTables": [
                    {"name": "Ptt", "productionRows": 109614, "uniqSourceAuthors": 228206, "rateOfLabel": "48.03"}
                ],
            },
        },
        created="2021-12-08T06:08:55Z",
    )
    view = gateway.get(f"/api/tasks/{ID}").json()["error_message"]
    assert {key: view[key] for key in PRINTED_FIELDS} == PRINTED_ANSWER


def test_a_running_task_shows_its_progress_and_its_tables_before_phase_two() -> None:
    gateway = Gateway()
    task = label_task_from_kubectl(ID, modelType="new_model", policy="new", newInTheNextVersion=1)
    task["status"] = {
        "stat": "STARTED",
        "peakMemoryMiB": 81.5,
        "errorMessage": "lost",
        "warnings": ["I can never match"],
        "reason": "NewInTheNextVersion",
        "conditions": [{"type": "NewInTheNextVersion", "status": "True"}],
        "newInTheNextVersion": {"x": 1},
        "progress": {
            "rowsRead": 10,
            "rowsLabelled": 4,
            "rowsEstimated": 100,
            "percent": 10,
            "rowsPerSecond": 5,
            "etaSeconds": 18,
            "checkPoint": "2021-01-02 03:04:05",
            "lastHeartbeat": "2026-01-01T00:00:09Z",
            "newInTheNextVersion": 1,
        },
        "resultTables": [{"name": "Ptt"}, {"name": "forum", "productionRows": 2}],
    }
    gateway.cluster.add(task)
    view = gateway.get(f"/api/tasks/{ID}").json()["error_message"]
    assert view["progress"] == {
        "rows_read": 10,
        "rows_estimated": 100,
        "percent": 10,
        "rows_per_second": 5,
        "eta_seconds": 18,
        "last_heartbeat": "2026-01-01T00:00:09Z",
    }
    assert (view["result"], view["length_prod_table"], view["rate_of_label"]) == ("Ptt,forum", None, None)
    assert (view["check_point"], view["peak_memory"]) == ("2021-01-02T03:04:05", 81.5)
    assert (view["reason"], view["error_message"]) == ("NewInTheNextVersion", "lost")
    assert view["warnings"] == ["I can never match"]


def test_a_task_from_kubectl_is_found_by_its_uid_without_dashes() -> None:
    gateway = Gateway()
    task_id = gateway.cluster.add(label_task_from_kubectl("my-task")).replace("-", "")
    view = gateway.get(f"/api/tasks/{task_id}").json()["error_message"]
    assert (view["task_id"], view["target_table"]) == (task_id, "wh_bbs_02")


def test_a_task_that_is_gone_from_the_cluster_is_answered_from_the_state_table() -> None:
    gateway = Gateway()
    gateway.history.rows[ID] = ROW
    answer = gateway.get(f"/api/tasks/{ID}")
    assert answer.json() == {
        "error_code": 200,
        "error_message": {**PRINTED_ANSWER, "progress": None, "reason": None, "warnings": []},
    }


def test_an_unknown_task_is_404() -> None:
    gateway = Gateway()
    answer = gateway.get(f"/api/tasks/{ID}")
    assert (answer.status_code, answer.json()["error_message"]) == (404, f"there is no task {ID}")


@pytest.mark.parametrize("text", ["nope", "A" * 32, "%00", "1" * 33, "..%2F..%2Fsecrets", "密"])
def test_what_can_not_be_an_id_is_404_and_asks_nobody(text: str) -> None:
    gateway = Gateway()
    answer = gateway.get(f"/api/tasks/{text}")
    assert (answer.status_code, answer.json()["error_code"]) == (404, 404)
    assert gateway.cluster.calls == []


@pytest.mark.parametrize("part", ["cluster", "history"])
def test_when_nobody_answers_the_caller_is_told_to_come_back(part: str) -> None:
    gateway = Gateway()
    if part == "cluster":
        gateway.cluster.failures["find_label_task"] = ClusterUnavailable()
    else:
        gateway.history.failure = HistoryUnavailable()
    answer = gateway.get(f"/api/tasks/{ID}")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize("path", ["/api/tasks/", "/api/tasks", "/tasks/", "/tasks"])
def test_recent_tasks_come_youngest_first(path: str) -> None:
    gateway = Gateway()
    ids = [gateway.post("/api/tasks/", create_body()).json()["error_message"]["task_id"] for _ in range(3)]
    answer = gateway.get(path).json()
    assert (answer["error_code"], answer["error_message"]) == (200, "OK")
    assert [view["task_id"] for view in answer["content"]] == ids[::-1]
    limited = gateway.get(f"{path}?limit=1").json()["content"]
    assert [view["task_id"] for view in limited] == ids[-1:]


@pytest.mark.parametrize("limit", ["0", "501", "x", ""])
def test_a_wrong_limit_is_400(limit: str) -> None:
    answer = Gateway().get(f"/api/tasks/?limit={limit}")
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/query/limit"
