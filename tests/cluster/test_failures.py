"""Failures that callers cause or meet: each ends in FAILURE within a minute, in the same words everywhere."""

from typing import Any

import pytest

from labeltask_testing.cluster_commands import apply
from labeltask_testing.failed_tasks import assert_failed
from labeltask_testing.installation import Installation, wait_until
from labeltask_testing.requests import gender_request, gender_resource
from labeltask_testing.running_tasks import pods
from labeltask_testing.source_rows import create_source_table


def assert_tried_once(installation: Installation, task_id: str) -> None:
    """What no retry cures is not tried again."""
    assert (installation.label_task(task_id)["status"]["attempts"], len(pods(installation, task_id))) == (1, 1)


def test_a_wrong_password(installation: Installation) -> None:
    site = {**installation.database.site_config, "password": "wrong-canary"}
    task_id = installation.create(gender_request(installation, SITE_CONFIG=site))
    assert_failed(installation, task_id, "AccessDenied", "labeltask", installation.database.host_in_cluster)
    assert_tried_once(installation, task_id)


def test_a_missing_table(installation: Installation) -> None:
    task_id = installation.create(gender_request(installation, INPUT_TABLE="no_such_table"))
    assert_failed(installation, task_id, "TableMissing", "wh_test", "no_such_table")
    assert_tried_once(installation, task_id)


def test_a_missing_schema(installation: Installation) -> None:
    task_id = installation.create(gender_request(installation, INPUT_SCHEMA="no_such_schema"))
    # An account that may not see a schema can't know whether it exists: MySQL says "access denied" then.
    assert_failed(installation, task_id, "AccessDenied", "no_such_schema")
    assert_tried_once(installation, task_id)


def test_an_unknown_host(installation: Installation) -> None:
    site = {**installation.database.site_config, "host": "no-such-database.labeltask-test.svc.cluster.local"}
    task_id = installation.create(gender_request(installation, SITE_CONFIG=site))
    resource = wait_until(
        lambda: installation.label_task(task_id).get("status", {}),
        lambda seen: "completionTime" in seen,
        seconds=60,
        what="the task to fail",
    )
    assert (resource["stat"], resource["reason"]) == ("FAILURE", "SourceUnreachable")
    assert "no-such-database.labeltask-test.svc.cluster.local:3306" in resource["errorMessage"]
    answer = installation.status(task_id)
    assert (answer["stat"], answer["error_message"]) == ("FAILURE", resource["errorMessage"])


def test_an_image_that_does_not_exist(installation: Installation, connection_secret: str) -> None:
    image = "localhost/no-such-image:1"
    apply(gender_resource(installation, "no-image", connection_secret, image=image))
    assert_failed(installation, "no-image", "ImagePull", image)


def test_a_worker_that_runs_out_of_memory(installation: Installation, connection_secret: str) -> None:
    database = installation.database
    with database.as_root() as db, db.cursor() as cursor:
        create_source_table(db, database.source_schema, "large_texts")
        cursor.execute(f"TRUNCATE TABLE `{database.source_schema}`.large_texts")
        cursor.executemany(
            f"INSERT INTO `{database.source_schema}`.large_texts (id, s_id, author, content, post_time) "
            "VALUES (%s, 'WH_F0001', '陳先生', REPEAT('長', 5000000), '2020-01-10')",
            [(str(number),) for number in range(8)],
        )
    resources = {"requests": {"memory": "32Mi"}, "limits": {"memory": "64Mi"}}
    task = gender_resource(
        installation,
        "small-memory",
        connection_secret,
        predictType="content",
        resources=resources,
        input={"schema": database.source_schema, "table": "large_texts"},
    )
    apply(task)
    assert_failed(installation, "small-memory", "OutOfMemory", "OOMKilled", "64Mi", "resources.limits.memory")


def kept_in(source: str, name: str, key: str) -> dict[str, Any]:
    return {source: {"name": name, "key": key}}


LACKING: dict[str, tuple[str, dict[str, Any], str]] = {
    "no-secret": (
        "connectionFrom",
        kept_in("secretKeyRef", "no-such", "connection.json"),
        'Secret "no-such" does not exist',
    ),
    "no-key-of-a-secret": (
        "connectionFrom",
        kept_in("secretKeyRef", "by-kubectl", "other.json"),
        'Secret "by-kubectl" has no key "other.json"; it has: connection.json',
    ),
    "no-config-map": (
        "patternFrom",
        kept_in("configMapKeyRef", "no-such", "rules.json"),
        'ConfigMap "no-such" does not exist',
    ),
    "no-key-of-a-config-map": (
        "patternFrom",
        kept_in("configMapKeyRef", "kube-root-ca.crt", "rules.json"),
        'ConfigMap "kube-root-ca.crt" has no key "rules.json"; it has: ca.crt',
    ),
}


@pytest.mark.parametrize("name", LACKING)
def test_what_is_not_there_is_named_while_the_task_still_waits_for_it(
    installation: Installation, connection_secret: str, name: str
) -> None:
    field, source, words = LACKING[name]
    task = gender_resource(installation, name, connection_secret, **{field: source})
    if field == "patternFrom":
        del task["spec"]["pattern"]
    apply(task)
    resource = wait_until(
        lambda: installation.label_task(name).get("status", {}),
        lambda seen: any(c["type"] == "Accepted" for c in seen.get("conditions", [])),
        seconds=30,
        what="what is missing to be named",
    )
    (accepted,) = [c for c in resource["conditions"] if c["type"] == "Accepted"]
    assert (accepted["status"], accepted["reason"]) == ("False", "SecretMissing")
    assert words in accepted["message"]


def test_rules_that_only_the_operator_can_refuse_are_refused_in_the_gateways_words(
    installation: Installation, connection_secret: str
) -> None:
    pattern = [{"label": "A", "expressions": ["ok", "[a-"]}]
    request = gender_request(installation, MODEL_TYPE="rule_model", PATTERN={"A": ["ok", "[a-"]})
    refused = installation.post("/api/tasks/", request)
    assert refused.status_code == 400
    message = refused.json()["error_message"]
    assert 'label "A", position 1: the expression does not compile' in message
    apply(gender_resource(installation, "wrong-rule", connection_secret, modelType="rule_model", pattern=pattern))
    resource = wait_until(
        lambda: installation.label_task("wrong-rule").get("status", {}),
        lambda seen: "completionTime" in seen,
        seconds=30,
        what="the rule to be refused",
    )
    assert (resource["stat"], resource["reason"]) == ("FAILURE", "RuleInvalid")
    assert 'label "A", position 1: the expression does not compile' in resource["errorMessage"]
    assert installation.status(resource["taskId"])["stat"] == "FAILURE"
