import base64
import json
from typing import Any

import pytest

from labeltask_contract.connection import load_connection
from labeltask_contract.pattern import ModelType, unpack_pattern
from labeltask_gateway.default_rules import parse_default_rules
from labeltask_gateway.errors import ClusterRefused, ClusterUnavailable
from labeltask_testing.gateway_fakes import CANARY, Gateway, create_body, site_config
from labeltask_testing.printed_request import fill_printed

RULES = parse_default_rules(
    json.dumps({"keyword_model": {"author_name": {"男性": [["先生", "exactly"]]}}}, ensure_ascii=False).encode()
)
ANSWER_FIELDS = {
    "model_type": "keyword_model",
    "predict_type": "author_name",
    "start_time": "2020-01-01",
    "end_time": "2021-01-01",
    "target_schema": "wh_tiktok",
    "target_table": "ts_page_content",
    "output_schema": "audience_result",
    "countdown": 5,
    "queue": "queue1",
    "date_range": "2020-01-01 - 2021-01-01",
}


def secret_content(gateway: Gateway, key: str) -> bytes:
    (secret,) = gateway.cluster.secrets.values()
    return base64.b64decode(secret["data"][key])


def created_spec(gateway: Gateway) -> dict[str, Any]:
    (task,) = gateway.cluster.label_tasks.values()
    spec: dict[str, Any] = task["spec"]
    return spec


@pytest.mark.parametrize("path", ["/api/tasks/", "/api/tasks", "/tasks/", "/tasks"])
def test_the_printed_request_gives_the_printed_answer(path: str) -> None:
    gateway = Gateway(RULES)
    answer = gateway.post_text(path, fill_printed(site_config(), "wh_tiktok"))
    assert answer.status_code == 200
    (task_id,) = gateway.cluster.label_tasks
    assert answer.json() == {"error_code": 200, "error_message": {**ANSWER_FIELDS, "task_id": task_id}}
    assert list(answer.json()["error_message"]) == [*ANSWER_FIELDS, "task_id"]


def test_the_label_task_refers_to_its_secret_and_holds_no_credential() -> None:
    gateway = Gateway()
    task_id = gateway.post("/api/tasks/", create_body()).json()["error_message"]["task_id"]
    (task,) = gateway.cluster.label_tasks.values()
    uid = task["metadata"].pop("uid")
    assert task == {
        "apiVersion": "labelapi.io/v1",
        "kind": "LabelTask",
        "metadata": {
            "name": task_id,
            "creationTimestamp": "2026-01-01T00:00:01Z",
            "labels": {
                "labelapi.io/task-id": task_id,
                "labelapi.io/queue": "queue1",
                "app.kubernetes.io/part-of": "labeltask",
            },
        },
        "spec": {
            "modelType": "keyword_model",
            "predictType": "author_name",
            "startTime": "2020-01-01",
            "endTime": "2021-01-01",
            "policy": "first",
            "patternFrom": {"secretKeyRef": {"name": task_id, "key": "pattern.json.gz"}},
            "input": {"schema": "wh_tiktok", "table": "ts_page_content"},
            "output": {"schema": "audience_result"},
            "connectionFrom": {"secretKeyRef": {"name": task_id, "key": "connection.json"}},
            "countdownSeconds": 5,
            "queue": "queue1",
        },
    }
    (secret,) = gateway.cluster.secrets.values()
    assert {key: value for key, value in secret.items() if key != "data"} == {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "immutable": True,
        "metadata": {
            "name": task_id,
            "labels": task["metadata"]["labels"],
            "ownerReferences": [
                {
                    "apiVersion": "labelapi.io/v1",
                    "kind": "LabelTask",
                    "name": task_id,
                    "uid": uid,
                    "controller": True,
                    "blockOwnerDeletion": False,
                }
            ],
        },
    }
    assert sorted(secret["data"]) == ["connection.json", "pattern.json.gz"]


def test_the_order_of_labels_is_the_order_in_the_request() -> None:
    gateway = Gateway()
    pattern = {"zeta": [["a", "partially"]], "alpha": [["a", "partially"]], "中": [["a", "exactly"]]}
    assert gateway.post("/api/tasks/", create_body(PATTERN=pattern)).status_code == 200
    stored = unpack_pattern(secret_content(gateway, "pattern.json.gz"), ModelType.KEYWORD_MODEL)
    assert [rules.label for rules in stored] == ["zeta", "alpha", "中"]


def test_a_password_of_any_characters_is_stored_intact() -> None:
    gateway = Gateway()
    password = "p@ss:/%#?'\"\\密"
    assert gateway.post("/api/tasks/", create_body(SITE_CONFIG=site_config(password=password))).status_code == 200
    connection = load_connection(secret_content(gateway, "connection.json"))
    assert connection.password.get_secret_value() == password
    assert password not in "".join(gateway.answers)


def test_optional_keys_reach_the_spec_and_come_back() -> None:
    gateway = Gateway(connections={"warehouse": {"secretName": "db"}})
    body = create_body(
        POLICY="all", PARALLELISM=4, DEADLINE_SECONDS=60, RULE_REPORT=True, SITE="warehouse", SITE_CONFIG=...
    )
    answer = gateway.post("/api/tasks/", body).json()["error_message"]
    assert {key: answer[key] for key in ("policy", "parallelism", "deadline_seconds", "rule_report", "site")} == {
        "policy": "all",
        "parallelism": 4,
        "deadline_seconds": 60,
        "rule_report": True,
        "site": "warehouse",
    }
    spec = created_spec(gateway)
    assert (spec["policy"], spec["parallelism"], spec["deadlineSeconds"], spec["ruleReport"]) == ("all", 4, 60, True)
    assert spec["connectionFrom"] == {"site": "warehouse"}
    assert sorted(next(iter(gateway.cluster.secrets.values()))["data"]) == ["pattern.json.gz"]


def test_without_a_connection_the_deployments_default_is_used() -> None:
    gateway = Gateway(connections={"warehouse": {"secretName": "db"}}, default_connection="warehouse")
    assert gateway.post("/api/tasks/", create_body(SITE_CONFIG=...)).status_code == 200
    assert "connectionFrom" not in created_spec(gateway)


def test_what_is_left_out_gets_the_defaults() -> None:
    gateway = Gateway()
    body = create_body(INPUT_TABLE=..., COUNTDOWN=..., QUEUE=..., POLICY=None)
    answer = gateway.post("/api/tasks/", body).json()["error_message"]
    assert (answer["target_table"], answer["countdown"], answer["queue"]) == ("ts_page_content", 5, "default")
    assert "policy" not in answer


def test_a_rule_model_is_accepted() -> None:
    gateway = Gateway()
    body = create_body(MODEL_TYPE="rule_model", PREDICT_TYPE="content", PATTERN={"a": ["(?<=我是)男生", r"(.)\1"]})
    assert gateway.post("/api/tasks/", body).status_code == 200
    stored = unpack_pattern(secret_content(gateway, "pattern.json.gz"), ModelType.RULE_MODEL)
    assert stored[0].expressions == ("(?<=我是)男生", r"(.)\1")


def test_a_hundred_thousand_keywords_are_accepted() -> None:
    gateway = Gateway()
    keywords = [[f"關鍵字{number}", "partially"] for number in range(100_000)]
    answer = gateway.post("/api/tasks/", create_body(PATTERN={"大": keywords}))
    assert answer.status_code == 200


def test_rules_that_fit_in_no_secret_are_413_with_the_limit() -> None:
    gateway = Gateway()
    keywords = [[f"{(number * 2654435761) % 2**64:x}{number:x}", "partially"] for number in range(150_000)]
    answer = gateway.post("/api/tasks/", create_body(PATTERN={"大": keywords}))
    assert answer.status_code == 413
    assert answer.json()["errors"][0]["pointer"] == "/PATTERN"
    assert "921,600 are allowed" in answer.json()["error_message"]
    assert gateway.cluster.calls == []


@pytest.mark.parametrize(
    ("failure", "status"), [(ClusterUnavailable(), 503), (ClusterRefused("create a Secret: 403"), 500)]
)
def test_a_secret_that_can_not_be_created_takes_the_label_task_with_it(failure: Exception, status: int) -> None:
    gateway = Gateway()
    gateway.cluster.failures["create_secret"] = failure
    answer = gateway.post("/api/tasks/", create_body())
    assert (answer.status_code, answer.json()["error_code"]) == (status, status)
    assert gateway.cluster.calls == ["create_label_task", "create_secret", "delete_label_task"]
    assert gateway.cluster.label_tasks == {}
    assert gateway.cluster.secrets == {}


def test_a_clean_up_that_fails_does_not_hide_why_it_was_needed() -> None:
    gateway = Gateway()
    gateway.cluster.failures["create_secret"] = ClusterUnavailable("first")
    gateway.cluster.failures["delete_label_task"] = ClusterUnavailable("second")
    answer = gateway.post("/api/tasks/", create_body())
    assert (answer.status_code, answer.json()["error_message"]) == (503, "first")


def test_a_create_of_unknown_outcome_is_taken_back() -> None:
    gateway = Gateway()
    gateway.cluster.failures["create_label_task"] = ClusterUnavailable()
    answer = gateway.post("/api/tasks/", create_body())
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert gateway.cluster.calls == ["create_label_task", "delete_label_task"]


def test_the_password_is_in_no_answer() -> None:
    gateway = Gateway()
    task_id = gateway.post("/api/tasks/", create_body()).json()["error_message"]["task_id"]
    gateway.get(f"/api/tasks/{task_id}")
    gateway.get("/api/tasks/")
    assert CANARY not in "".join(gateway.answers)
    assert CANARY not in json.dumps(gateway.cluster.label_tasks)
