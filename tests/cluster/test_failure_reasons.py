"""Reasons that take time to show, or that the database or cluster has to be prepared for: all tasks run at once."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from labeltask_contract.names import job_name
from labeltask_testing.cluster_commands import apply, kill_container_process, kubectl, kubectl_json
from labeltask_testing.failed_tasks import assert_failed, running_pod, stalled_at, wait_failed
from labeltask_testing.installation import Installation, wait_until
from labeltask_testing.operator_process import operator_figures
from labeltask_testing.requests import gender_resource

RESULT_COLUMNS = (
    "id VARCHAR(32) NOT NULL, task_id VARCHAR(32) NOT NULL, source_author TEXT, panel VARCHAR(200), "
    "create_time DATETIME, field_content TEXT, match_content LONGTEXT"
)
SOURCE_COLUMNS = "id VARCHAR(32) PRIMARY KEY, s_id VARCHAR(32), author TEXT, content TEXT, post_time DATETIME"
ONE_ROW = "VALUES ('1', 'WH_F0001', '陳先生', CONCAT(REPEAT('a', 40), 'x'), '2020-01-10')"
CONFLICTING = "c0ff11c7" * 4
DEADLINE = 45


def prepare_database(installation: Installation) -> None:
    """A schema for each way in which writing fails, a table for each way in which reading does."""
    database = installation.database
    long_author = "CONCAT(REPEAT('x', 65526), '先生')"
    source, account = f"`{database.source_schema}`", f"'{database.user}'@'%'"
    full = "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1114, MESSAGE_TEXT = 'The table Ptt is full'"
    odd = "SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 1105, MESSAGE_TEXT = 'nobody knows'"
    statements = [
        f"GRANT SELECT ON `gone_schema`.* TO {account}",
        f"CREATE TABLE IF NOT EXISTS {source}.no_author (id VARCHAR(32), s_id VARCHAR(32), post_time DATETIME)",
        f"CREATE TABLE IF NOT EXISTS {source}.one_row ({SOURCE_COLUMNS})",
        f"REPLACE INTO {source}.one_row {ONE_ROW}",
        f"CREATE TABLE IF NOT EXISTS {source}.long_author ({SOURCE_COLUMNS})",
        f"REPLACE INTO {source}.long_author " + ONE_ROW.replace("'陳先生'", long_author),
    ]
    for schema, charset, trigger in (
        ("fails_charset", "utf8mb3", ""),
        ("fails_disk", "utf8mb4", full),
        ("fails_oddly", "utf8mb4", odd),
    ):
        statements += [
            f"CREATE DATABASE IF NOT EXISTS {schema} CHARACTER SET utf8mb4",
            f"GRANT CREATE, ALTER, INDEX, SELECT, INSERT, UPDATE, DELETE, DROP ON {schema}.* TO {account}",
            f"CREATE TABLE IF NOT EXISTS {schema}.Ptt ({RESULT_COLUMNS}) CHARACTER SET {charset}",
        ]
        if trigger:
            made = f"CREATE OR REPLACE TRIGGER {schema}.refuse BEFORE INSERT ON {schema}.Ptt FOR EACH ROW {trigger}"
            statements.append(made)
    with database.as_root() as db, db.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def limits(namespace: str) -> list[dict[str, Any]]:
    """What refuses pods of absurd size and no other."""
    names = {"name": "absurd", "namespace": namespace}
    container = {"type": "Container", "max": {"memory": "400Gi"}}
    return [
        {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": names, "spec": {"hard": {"requests.cpu": "90"}}},
        {"apiVersion": "v1", "kind": "LimitRange", "metadata": names, "spec": {"limits": [container]}},
    ]


def foreign_job(installation: Installation) -> dict[str, Any]:
    container = {
        "name": "other",
        "image": installation.images.worker,
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod = {"restartPolicy": "Never", "containers": [container]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(CONFLICTING),
            "namespace": installation.namespace,
            "labels": {"app.kubernetes.io/managed-by": "labeltask-operator", "labelapi.io/task-id": CONFLICTING},
        },
        "spec": {"suspend": True, "template": {"spec": pod}},
    }


@pytest.fixture(scope="module")
def tasks(installation: Installation, connection_secret: str) -> Iterator[Installation]:
    prepare_database(installation)
    source = installation.database.source_schema

    def reads(table: str) -> dict[str, Any]:
        return {"input": {"schema": source, "table": table}}

    def writes(schema: str) -> dict[str, Any]:
        return {**reads("one_row"), "output": {"schema": schema}}

    runs_away = {
        "modelType": "rule_model",
        "predictType": "content",
        "pattern": [{"label": "A", "expressions": ["ok", "^(a+)+$"]}],
    }
    kept = {"secretKeyRef": {"name": "soon-gone", "key": "connection.json"}}
    changes: dict[str, dict[str, Any]] = {
        "spec-invalid": {"resources": {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}},
        "schema-missing": {"input": {"schema": "gone_schema"}},
        "column-missing": reads("no_author"),
        "charset-unfit": writes("fails_charset"),
        "disk-full": writes("fails_disk"),
        "internal": {**writes("fails_oddly"), "backoffLimit": 0},
        "rule-too-slow": {**reads("one_row"), **runs_away},
        "row-too-large": reads("long_author"),
        "unschedulable": {"resources": {"requests": {"cpu": "80"}}, "deadlineSeconds": DEADLINE},
        "over-quota": {"resources": {"requests": {"cpu": "100"}}, "deadlineSeconds": DEADLINE},
        "over-limit": {
            "resources": {"requests": {"memory": "450Gi"}, "limits": {"memory": "450Gi"}},
            "deadlineSeconds": DEADLINE,
        },
        "secret-missing": {"connectionFrom": {"secretKeyRef": {"name": "never-there", "key": "connection.json"}}},
        "secret-gone": {"connectionFrom": kept, "suspend": True},
        "not-starting": {"image": installation.images.control, "backoffLimit": 0},
        "too-long": {**reads("one_row"), "countdownSeconds": 3600, "deadlineSeconds": 8},
        "evicted": {**reads("one_row"), "countdownSeconds": 3600, "backoffLimit": 0},
        "job-removed": {**reads("one_row"), "countdownSeconds": 3600},
        CONFLICTING: {},
    }
    given = kubectl_json("get", "secret", connection_secret, "--namespace", installation.namespace)
    copied = {"apiVersion": "v1", "kind": "Secret", "data": given["data"]}
    copied["metadata"] = {"name": "soon-gone", "namespace": installation.namespace}
    refusing = limits(installation.namespace)
    apply(copied, foreign_job(installation), *refusing)
    # A queue each: the limit of one is no reason to wait here.
    apply(
        *(
            gender_resource(installation, name, connection_secret, **{"queue": name, **changed})
            for name, changed in changes.items()
        )
    )
    yield installation
    kubectl("delete", "resourcequota/absurd", "limitrange/absurd", "--namespace", installation.namespace)
    kubectl("delete", "job", job_name(CONFLICTING), "--namespace", installation.namespace)


def test_a_worker_that_the_node_evicts(tasks: Installation) -> None:
    pod = running_pod(tasks, "evicted")
    # Frozen, it can't hand its work back: a worker that can is replaced, however often it is evicted.
    kill_container_process(pod, tasks.namespace, "worker", "STOP")
    fill = "open('/tmp/full', 'wb').write(bytes(100 * 2**20))"
    kubectl("exec", pod, "--namespace", tasks.namespace, "--", "python", "-c", fill)
    assert_failed(tasks, "evicted", "Evicted", "EmptyDir", "64Mi", seconds=180)


def test_a_job_that_somebody_removes(tasks: Installation) -> None:
    running_pod(tasks, "job-removed")
    job = tasks.label_task("job-removed")["status"]["jobName"]
    kubectl("delete", "job", job, "--namespace", tasks.namespace)
    assert_failed(tasks, "job-removed", "JobRemoved", "Job was removed outside LabelTask")


def test_a_job_that_is_somebody_elses_is_named_and_left_alone(tasks: Installation) -> None:
    assert_failed(tasks, CONFLICTING, "JobConflict", job_name(CONFLICTING), "delete it")
    kubectl("get", "job", job_name(CONFLICTING), "--namespace", tasks.namespace)


def test_a_volume_whose_secret_is_gone_is_named(tasks: Installation) -> None:
    wait_until(
        lambda: tasks.label_task("secret-gone").get("status", {}).get("conditions", []),
        lambda seen: any(c["type"] == "Accepted" and c["status"] == "True" for c in seen),
        seconds=60,
        what="the suspended task to be accepted",
    )
    kubectl("delete", "secret", "soon-gone", "--namespace", tasks.namespace)
    go_on = json.dumps({"spec": {"suspend": False}})
    resumed = datetime.now(UTC)
    kubectl("patch", "labeltask", "secret-gone", "--namespace", tasks.namespace, "--type", "merge", "--patch", go_on)
    wait_failed(tasks, "secret-gone", "SecretMissing", 'secret "soon-gone" not found', seconds=150)
    assert (stalled_at(tasks, "secret-gone", "SecretMissing") - resumed).total_seconds() <= 60


@pytest.mark.parametrize(
    ("name", "reason", "schema", "words"),
    [
        ("spec-invalid", "SpecInvalid", None, ["cpu", "must be less than or equal to"]),
        ("schema-missing", "SchemaMissing", None, ["gone_schema"]),
        ("column-missing", "ColumnMissing", None, ["author", "no_author"]),
        ("charset-unfit", "CharsetUnfit", "fails_charset", ["Ptt", "utf8mb3", "utf8mb4"]),
        ("disk-full", "DiskFull", "fails_disk", ["The table Ptt is full", "no room left"]),
        ("internal", "Internal", "fails_oddly", []),
        ("rule-too-slow", "RuleTooSlow", None, ['label "A"', "position 1"]),
        ("row-too-large", "RowTooLarge", None, ["source_author"]),
        ("not-starting", "PodNotStarting", None, ["executable file not found"]),
        ("too-long", "DeadlineExceeded", None, ["deadlineSeconds (8)"]),
        ("secret-missing", "SecretMissing", None, ['Secret "never-there" does not exist']),
    ],
)
def test_a_reason_and_its_words_are_the_same_everywhere(
    tasks: Installation, name: str, reason: str, schema: str | None, words: list[str]
) -> None:
    if name == "secret-missing":  # without its connection nobody can write the row
        wait_failed(tasks, name, reason, *words, seconds=90)
    else:
        assert_failed(tasks, name, reason, *words, schema=schema)


@pytest.mark.parametrize(
    ("name", "reason", "words"),
    [
        ("unschedulable", "Unschedulable", "Insufficient cpu"),
        ("over-quota", "QuotaExceeded", "exceeded quota: absurd"),
        ("over-limit", "QuotaExceeded", "maximum memory usage per Container is 400Gi"),
    ],
)
def test_what_keeps_a_worker_from_starting_shows_within_a_minute_and_ends_the_task_at_its_deadline(
    tasks: Installation, name: str, reason: str, words: str
) -> None:
    assert_failed(tasks, name, "DeadlineExceeded", f"deadlineSeconds ({DEADLINE})", f"held by {reason}", words)
    created = datetime.fromisoformat(tasks.label_task(name)["metadata"]["creationTimestamp"])
    assert (stalled_at(tasks, name, reason) - created).total_seconds() <= 60


def counted_and_found(installation: Installation) -> tuple[dict[tuple[str, str], int], dict[tuple[str, str], int]]:
    """Tasks by stat and reason: what the operator's metrics say, and what stands in the tasks."""
    counted = {
        (sample.labels["stat"], sample.labels["reason"]): int(sample.value)
        for family in text_string_to_metric_families(operator_figures(installation))
        for sample in family.samples
        if sample.name == "labeltask_operator_objects" and sample.labels["kind"] == "LabelTask"
    }
    found = kubectl_json("get", "labeltasks", "--namespace", installation.namespace)["items"]
    statuses = [task.get("status", {}) for task in found]
    return counted, Counter((status.get("stat", ""), status.get("reason", "")) for status in statuses)


def test_the_operators_metrics_count_the_same_reasons(tasks: Installation) -> None:
    counted, found = wait_until(
        lambda: counted_and_found(tasks),
        lambda both: both[0] == both[1] and {"ColumnMissing", "DiskFull", "SecretMissing"} <= {r for _, r in both[0]},
        seconds=180,
        what="metrics that say what the tasks do",
    )
    assert counted == found


def test_a_server_that_can_only_be_read(installation: Installation, connection_secret: str) -> None:
    with installation.database.as_root() as db, db.cursor() as cursor:
        cursor.execute("SET GLOBAL read_only = 1")
    try:
        apply(gender_resource(installation, "read-only", connection_secret))
        wait_failed(installation, "read-only", "OutputNotWritable", "read-only", installation.database.host_in_cluster)
    finally:
        with installation.database.as_root() as db, db.cursor() as cursor:
            cursor.execute("SET GLOBAL read_only = 0")
