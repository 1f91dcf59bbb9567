"""The main job, whole: rules in by REST or kubectl, rows out, judged by an independent relabelling."""

import json
from typing import Any

import pytest

from labeltask_testing.cluster_commands import apply, kubectl, kubectl_json
from labeltask_testing.database_rows import assert_as_expected
from labeltask_testing.installation import Body, Installation, wait_until
from labeltask_testing.requests import CONTENT, GENDER, expected_rows, gender_request, gender_resource
from labeltask_testing.running_tasks import assert_whole
from labeltask_testing.source_rows import Post


@pytest.mark.parametrize(
    ("model", "predict", "pattern", "changes"),
    [
        ("keyword_model", "author_name", GENDER, {}),
        ("keyword_model", "author_name", GENDER, {"POLICY": "all", "PARALLELISM": 2}),
        ("rule_model", "content", CONTENT, {}),
    ],
)
def test_a_task_by_rest_leaves_the_rows_of_an_independent_relabelling(
    model: str,
    predict: str,
    pattern: dict[str, list[Any]],
    changes: Body,
    installation: Installation,
    posts: list[Post],
) -> None:
    request = gender_request(installation, MODEL_TYPE=model, PREDICT_TYPE=predict, PATTERN=pattern, **changes)
    task_id = installation.create(request)
    status = installation.wait_final(task_id)
    expected = expected_rows(posts, task_id, request)
    with installation.database.as_root() as db:
        assert_as_expected(db, installation.database.output_schema, task_id, expected)
    assert {name: status[name] for name in expected.state} == expected.state
    assert {
        "task_id": task_id,
        "model_type": model,
        "predict_type": predict,
        "date_range": "2020-01-05 - 2020-01-25 12:00:00",
        "target_table": "wh_test",
    }.items() <= status.items()
    resource = installation.label_task(task_id)["status"]
    conditions = {c["type"]: (c["status"], c["reason"]) for c in resource["conditions"]}
    assert conditions["Complete"] == ("True", "Succeeded")
    assert conditions["Produced"][0] == "True"
    assert (resource["stat"], resource["prodStat"], resource["progress"]["percent"]) == ("SUCCESS", "finish", 100)


def test_a_task_by_kubectl_leaves_the_same_rows(
    installation: Installation, connection_secret: str, posts: list[Post]
) -> None:
    # 200 characters and dots, which no Job may be called.
    name = "by-kubectl." + "x" * 189
    apply(gender_resource(installation, name, connection_secret))
    resource = wait_until(
        lambda: kubectl_json("get", "labeltask", name, "--namespace", installation.namespace),
        lambda seen: "completionTime" in seen.get("status", {}),
        seconds=120,
        what="the task by kubectl to end",
    )
    task_id = resource["metadata"]["uid"].replace("-", "")
    assert resource["status"]["taskId"] == task_id
    assert (resource["status"]["stat"], resource["status"].get("errorMessage")) == ("SUCCESS", None)
    request = gender_request(installation)
    with installation.database.as_root() as db:
        assert_as_expected(db, installation.database.output_schema, task_id, expected_rows(posts, task_id, request))
    shown = kubectl("get", "lt", name, "--namespace", installation.namespace)
    assert shown.splitlines()[0].split() == [
        "NAME",
        "STAT",
        "PROD",
        "PROGRESS",
        "ROWS/S",
        "ETA",
        "MODEL",
        "PREDICT",
        "AGE",
    ]
    assert shown.splitlines()[1].split()[:4] == [name, "SUCCESS", "finish", "100"]


def test_rules_may_be_kept_in_a_config_map_as_rest_callers_write_them(
    installation: Installation, connection_secret: str, posts: list[Post]
) -> None:
    metadata = {"name": "kept-rules", "namespace": installation.namespace}
    rules = {"rules.json": json.dumps(GENDER)}
    task = gender_resource(installation, "by-config-map", connection_secret)
    del task["spec"]["pattern"]
    task["spec"]["patternFrom"] = {"configMapKeyRef": {"name": "kept-rules", "key": "rules.json"}}
    apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": rules}, task)
    task_id = kubectl_json("get", "labeltask", "by-config-map", "--namespace", installation.namespace)["metadata"][
        "uid"
    ]
    assert_whole(installation, task_id.replace("-", ""), posts)


def test_nothing_labelled_is_a_success_without_production_rows(installation: Installation, posts: list[Post]) -> None:
    request = gender_request(installation, PREDICT_TYPE="title", PATTERN={"學生": [["no such words", "partially"]]})
    task_id = installation.create(request)
    status = installation.wait_final(task_id)
    expected = expected_rows(posts, task_id, request)
    assert expected.state["prod_stat"] == "no_data"
    assert {name: status[name] for name in expected.state} == expected.state
