"""What callers of the old service and of this one hold the gateway to, on the real cluster: printed requests, large
patterns, the order of labels whatever dies, replicas that go, requests that schemathesis makes up.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import httpx
import pytest
import schemathesis

from labeltask_testing.api_walks import ALIVE, walk
from labeltask_testing.cluster_commands import apply, kill_container_process, kubectl, kubectl_json, wait_rollout
from labeltask_testing.cluster_database import SOURCE_TABLE
from labeltask_testing.database_rows import assert_as_expected, labelled_rows
from labeltask_testing.installation import Body, Installation, wait_until
from labeltask_testing.printed_request import fill_printed
from labeltask_testing.requests import GENDER, expected_rows, gender_request, gender_resource
from labeltask_testing.running_tasks import stored_state
from labeltask_testing.source_rows import Post, create_source_table

PRINTED_SCHEMA = "wh_tiktok"


@pytest.fixture(scope="module")
def printed_source(installation: Installation) -> str:
    """The schema of the printed request: an author at each edge of January 2020."""
    database = installation.database
    times = ("2020-01-01 00:00:00", "2020-01-31 23:59:59", "2020-02-01 00:00:00")
    with database.as_root() as db, db.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{PRINTED_SCHEMA}` CHARACTER SET utf8mb4")
        cursor.execute(f"GRANT SELECT ON `{PRINTED_SCHEMA}`.* TO %s@'%%'", (database.user,))
        create_source_table(db, PRINTED_SCHEMA, SOURCE_TABLE)
        cursor.executemany(
            f"INSERT INTO `{PRINTED_SCHEMA}`.`{SOURCE_TABLE}` (id, s_id, author, content, post_time) "
            "VALUES (%s, 'WH_F0501', %s, '', %s)",
            [
                (str(number), author, at)
                for number, (author, at) in enumerate(zip(["王先生", "李小姐", "陳先生"], times, strict=True))
            ],
        )
    return PRINTED_SCHEMA


def post_text(installation: Installation, text: str) -> httpx.Response:
    headers = {"accept": "application/json", "Content-Type": "application/json"}
    return httpx.post(f"{installation.url}/api/tasks/", content=text.encode(), headers=headers, timeout=60)


def test_the_printed_requests_give_the_printed_answers_field_by_field(
    installation: Installation, printed_source: str
) -> None:
    answer = post_text(installation, fill_printed(installation.database.site_config, PRINTED_SCHEMA)).json()
    task_id = answer["error_message"]["task_id"]
    assert answer == {
        "error_code": 200,
        "error_message": {
            "model_type": "keyword_model",
            "predict_type": "author_name",
            "start_time": "2020-01-01",
            "end_time": "2021-01-01",
            "target_schema": printed_source,
            "target_table": "ts_page_content",
            "output_schema": "audience_result",
            "countdown": 5,
            "queue": "queue1",
            "date_range": "2020-01-01 - 2021-01-01",
            "task_id": task_id,
        },
    }
    # The predecessor answered check_status without a last slash, and under /tasks.
    installation.wait_final(task_id)
    whole = installation.get(f"/tasks/{task_id}").json()
    status = dict(whole["error_message"])
    shown = {name: status.pop(name) for name in ("create_time", "peak_memory", "run_time", "check_point")}
    assert datetime.fromisoformat(shown["create_time"]).tzinfo is None
    assert (shown["peak_memory"] > 0, shown["run_time"] > 0) == (True, True)
    assert list(whole) == ["error_code", "error_message"]
    assert {name: status[name] for name in list(status)[:14]} == {
        "task_id": task_id,
        "stat": "SUCCESS",
        "prod_stat": "finish",
        "model_type": "keyword_model",
        "predict_type": "author_name",
        "date_range": "2020-01-01 - 2021-01-01",
        "target_table": printed_source,
        "length_receive_table": 3,
        "length_output_table": 3,
        "length_prod_table": "3",
        "result": "Tiktok",
        "uniq_source_author": "3",
        "rate_of_label": "100.00",
        "error_message": None,
    }
    # Field by field what SQL readers see, time of creation and all; the same once the task is gone from the cluster.
    row = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in stored_state(installation, task_id).items()
    }
    assert {name: whole["error_message"][name] for name in row} == row
    assert list(whole["error_message"])[: len(row)] == list(row)
    assert httpx.delete(f"{installation.url}/tasks/{task_id}", timeout=60).status_code == 200
    remembered = installation.status(task_id)
    assert {name: remembered[name] for name in row} == row
    # abort as the notes print it: the same path as create, TASK_ID alone.
    request = fill_printed(installation.database.site_config, PRINTED_SCHEMA)
    second = post_text(installation, request).json()["error_message"]["task_id"]
    aborted = post_text(installation, f'{{\n    \t"TASK_ID": "{second}"\n    }}')
    assert aborted.json() == {
        "error_code": 200,
        "error_message": f"successfully send break status to task {second} in state",
    }
    assert installation.wait_final(second)["stat"] == "BREAK"


def test_a_row_at_the_end_of_the_range_is_not_read(installation: Installation, printed_source: str) -> None:
    request = gender_request(
        installation, INPUT_SCHEMA=printed_source, START_TIME="2020-01-01", END_TIME="2020-02-01", COUNTDOWN=0
    )
    assert installation.wait_final(installation.create(request))["length_receive_table"] == 2


def test_tables_of_the_predecessor_go_on_in_place(installation: Installation, printed_source: str) -> None:
    database, schema, old = installation.database, "audience_old", "535b5afb57ed11eca09604ea56825bad"
    with database.as_root() as db, db.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{schema}` CHARACTER SET utf8mb4")
        rights = "CREATE, ALTER, INDEX, SELECT, INSERT, UPDATE, DELETE, DROP"
        cursor.execute(f"GRANT {rights} ON `{schema}`.* TO %s@'%%'", (database.user,))
        cursor.execute(
            f"CREATE TABLE `{schema}`.state (task_id VARCHAR(32) PRIMARY KEY, stat VARCHAR(32), prod_stat VARCHAR(10), "
            "model_type VARCHAR(32), predict_type VARCHAR(32), date_range VARCHAR(64), target_table VARCHAR(32), "
            "create_time DATETIME, peak_memory FLOAT, length_receive_table INT, length_output_table INT, "
            "length_prod_table VARCHAR(100), result TEXT, uniq_source_author VARCHAR(100), rate_of_label VARCHAR(100), "
            "run_time FLOAT, check_point DATETIME) DEFAULT CHARSET=utf8mb4"
        )
        cursor.execute(
            f"INSERT INTO `{schema}`.state (task_id, stat, prod_stat) VALUES (%s, 'SUCCESS', 'finish')",
            (old,),
        )
        for table in ("Tiktok", "wh_panel_mapping_Tiktok"):
            cursor.execute(
                f"CREATE TABLE `{schema}`.`{table}` (id VARCHAR(32), task_id VARCHAR(32), source_author TEXT, "
                "panel VARCHAR(200), create_time DATETIME, field_content TEXT, match_content LONGTEXT, "
                "KEY task_id (task_id)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"
            )
            cursor.execute(
                f"INSERT INTO `{schema}`.`{table}` VALUES ('1', %s, 'WH_F0501_a', '/male', '2019-01-01', 'a', 'a')",
                (old,),
            )
    before = _rows(installation, schema, old)
    request = gender_request(
        installation, INPUT_SCHEMA=printed_source, START_TIME="2020-01-01", END_TIME="2021-01-01", OUTPUT_SCHEMA=schema
    )
    task_id = installation.create(request)
    assert installation.wait_final(task_id)["prod_stat"] == "finish"
    assert _rows(installation, schema, old) == before
    assert {name: len(rows) for name, rows in _rows(installation, schema, task_id).items()} == {
        "Tiktok": 3,
        "wh_panel_mapping_Tiktok": 3,
        "state": 1,
    }
    # A sample of an old table, by its index on task_id.
    sample = installation.get(f"/tasks/{task_id}/sample/").json()["error_message"]
    assert sorted(row["match_content"] for row in sample) == sorted(["王先生", "李小姐", "陳先生"])


def _rows(installation: Installation, schema: str, task_id: str) -> dict[str, list[Any]]:
    with installation.database.as_root() as db, db.cursor() as cursor:
        found = dict(labelled_rows(db, schema, task_id))
        cursor.execute(f"SELECT stat, prod_stat, result FROM `{schema}`.state WHERE task_id = %s", (task_id,))
        return {**found, "state": list(cursor.fetchall())}


def test_a_hundred_thousand_keywords_are_run(installation: Installation, posts: list[Post]) -> None:
    # A snowman stands in no author's name, so the oracle needs to know the other keywords only.
    noise = [[f"\u2603{number}", "partially"] for number in range(100_000)]
    pattern = {label: [*rules, *(noise if label == "女性" else [])] for label, rules in GENDER.items()}
    request = gender_request(installation, PATTERN=pattern, COUNTDOWN=0)
    assert len(json.dumps(request)) > 2_500_000
    task_id = installation.create(request)
    assert installation.wait_final(task_id)["error_message"] is None
    with installation.database.as_root() as db:
        expected = expected_rows(posts, task_id, {**request, "PATTERN": GENDER})
        assert_as_expected(db, installation.database.output_schema, task_id, expected)


def test_rules_that_fit_in_no_secret_are_413_with_the_limit(installation: Installation) -> None:
    keywords = [[f"{(number * 2654435761) % 2**64:x}{number:x}", "partially"] for number in range(150_000)]
    answer = installation.post("/tasks", gender_request(installation, PATTERN={"A": keywords}))
    assert (answer.status_code, "921,600 are allowed" in answer.text) == (413, True)


WRONG: dict[str, tuple[str, Callable[[Body], Any], str]] = {
    "a time with a zone": ("START_TIME", lambda _: "2020-01-01T00:00:00+08:00", "/START_TIME"),
    "an account without port": (
        "SITE_CONFIG",
        lambda body: {key: value for key, value in body["SITE_CONFIG"].items() if key != "port"},
        "/SITE_CONFIG/port",
    ),
    "a port with a letter": ("SITE_CONFIG", lambda body: {**body["SITE_CONFIG"], "port": "33o6"}, "/SITE_CONFIG/port"),
    "half a character": ("PATTERN", lambda _: {"A": [["\ud83d", "start"]]}, "/PATTERN/A/0"),
}


@pytest.mark.parametrize(("key", "value", "pointer"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_request_is_400_at_its_place_and_shows_no_password(
    key: str, value: Callable[[Body], Any], pointer: str, installation: Installation
) -> None:
    body = gender_request(installation)
    answer = post_text(installation, json.dumps({**body, key: value(body)}))
    assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (400, [pointer])
    assert "canary" not in answer.text


def test_the_order_of_labels_survives_gateway_operator_and_worker(
    installation: Installation, connection_secret: str
) -> None:
    both = {"zeta": [["先生", "partially"]], "alpha": [["先生", "partially"]]}
    keywords = [{"keyword": "先生", "match": ["partially"]}]
    written = [{"label": label, "keywords": keywords} for label in both]
    by_kubectl = gender_resource(installation, "order", connection_secret, pattern=written, countdownSeconds=0)
    namespace, database = installation.namespace, installation.database
    with database.as_root() as db, db.cursor() as cursor:
        # No worker reads a row before the first one is dead.
        cursor.execute(f"LOCK TABLES `{database.source_schema}`.`{SOURCE_TABLE}` WRITE")
        task_id = installation.create(gender_request(installation, PATTERN=both, COUNTDOWN=0))
        apply(by_kubectl)
        first = _running_pod(installation, task_id, besides=set())
        kill_container_process(_pod_of(installation, "operator"), namespace, "operator")
        kill_container_process(first, namespace, "worker")
        kubectl("rollout", "restart", "deployment/labeltask-gateway", "--namespace", namespace)
        _running_pod(installation, task_id, besides={first})
    for each in (task_id, installation.label_task("order")["metadata"]["uid"].replace("-", "")):
        assert installation.wait_final(each)["stat"] == "SUCCESS"
        with database.as_root() as db:
            tables = labelled_rows(db, database.output_schema, each)
        assert {row[3] for rows in tables.values() for row in rows} == {"/zeta"}
    wait_rollout(namespace, "deployment/labeltask-gateway")


def _running_pod(installation: Installation, task_id: str, besides: set[str]) -> str:
    def running() -> set[str]:
        selector = f"labelapi.io/task-id={task_id}"
        found = kubectl_json("get", "pods", "--namespace", installation.namespace, "--selector", selector)["items"]
        return {pod["metadata"]["name"] for pod in found if pod["status"]["phase"] == "Running"} - besides

    return wait_until(running, bool, seconds=90, what="a running worker").pop()


def _pod_of(installation: Installation, component: str) -> str:
    selector = f"app.kubernetes.io/component={component}"
    found = kubectl_json("get", "pods", "--namespace", installation.namespace, "--selector", selector)["items"]
    return str(next(pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"]))


@pytest.fixture
def three_gateways(installation: Installation) -> Iterator[None]:
    scale = ("scale", "deployment/labeltask-gateway", "--namespace", installation.namespace)
    kubectl(*scale, "--replicas", "3")
    wait_rollout(installation.namespace, "deployment/labeltask-gateway")
    yield
    kubectl(*scale, "--replicas", "1")
    wait_rollout(installation.namespace, "deployment/labeltask-gateway")


@contextmanager
def load(installation: Installation) -> Iterator[Counter[str]]:
    """Ten callers, a connection for each request; counts answers by status, and connections that broke."""
    seen: Counter[str] = Counter()
    stop = threading.Event()
    body = gender_request(installation, MODEL_TYPE="none")

    def call(number: int) -> None:
        while not stop.is_set():
            try:
                if number % 2:
                    answer = httpx.get(f"{installation.url}/tasks/{'0' * 32}", timeout=120)
                else:
                    answer = httpx.post(f"{installation.url}/tasks", json=body, timeout=120)
                seen[str(answer.status_code)] += 1
            except httpx.TransportError:
                seen["broken"] += 1

    def wait_more(number: int) -> None:
        wanted = seen["404"] + number
        wait_until(lambda: seen["404"], lambda count: count >= wanted, seconds=300, what="answers")

    with ThreadPoolExecutor(10) as threads:
        calling = [threads.submit(call, number) for number in range(10)]
        try:
            wait_more(20)
            yield seen
            wait_more(50)
        finally:
            stop.set()
        for one in calling:
            one.result()


def test_of_three_gateways_one_dies_and_nothing_but_its_connections_breaks(
    installation: Installation, three_gateways: None
) -> None:
    with load(installation) as seen:
        kill_container_process(_pod_of(installation, "gateway"), installation.namespace, "gateway")
    # How many break is a matter of how long Kubernetes takes to see it.
    assert set(seen) <= {"404", "400", "broken"}, seen


def test_gateways_that_are_replaced_one_by_one_break_no_connection(
    installation: Installation, three_gateways: None
) -> None:
    with load(installation) as seen:
        kubectl("rollout", "restart", "deployment/labeltask-gateway", "--namespace", installation.namespace)
        wait_rollout(installation.namespace, "deployment/labeltask-gateway")
    assert set(seen) == {"404", "400"}, seen


def test_a_database_that_accepts_and_says_nothing_fails_the_task_by_host_and_port(installation: Installation) -> None:
    namespace, name = installation.namespace, "silent"
    program = "import socket\ns = socket.create_server(('', 3306))\nheld = []\nwhile True: held.append(s.accept())"
    metadata = {"name": name, "namespace": namespace, "labels": {"app": name}}
    security = {
        "allowPrivilegeEscalation": False,
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {
        "name": name,
        "image": installation.images.control,
        "imagePullPolicy": "Never",
        "command": ["python", "-c", program],
        "securityContext": security,
    }
    pod = {"containers": [container], "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 0}
    service = {"selector": {"app": name}, "ports": [{"port": 3306}]}
    apply(
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service},
    )
    kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--namespace", namespace, "--timeout", "60s")
    host = f"{name}.{namespace}.svc.cluster.local"
    site = {**installation.database.site_config, "host": host}
    task_id = installation.create(gender_request(installation, SITE_CONFIG=site))
    status = installation.wait_final(task_id, seconds=300)
    assert (status["stat"], status["reason"], f"{host}:3306" in status["error_message"]) == (
        "FAILURE",
        "SourceUnreachable",
        True,
    )
    seen = installation.label_task(task_id)["status"]
    times = [datetime.fromisoformat(seen[name]) for name in ("startTime", "completionTime")]
    assert (times[1] - times[0]).total_seconds() < 60
    sampled = installation.get(f"/tasks/{task_id}/sample/")
    assert (sampled.status_code, sampled.headers["Retry-After"]) == (503, "5")
    kubectl("delete", "pod,service", name, "--namespace", namespace)


@pytest.mark.filterwarnings("ignore")
def test_requests_that_nobody_thought_of_are_no_fault_on_the_real_cluster_either(installation: Installation) -> None:
    finished = installation.create(gender_request(installation, COUNTDOWN=0))
    installation.wait_final(finished)
    dump = {
        "GROUP": "GENDER",
        "TASK_IDS": [finished],
        "INPUT_DATABASE": "audience_result",
        "OUTPUT_DATABASE": "audience_result",
        "SITE_CONFIG": installation.database.site_config,
    }
    schema = schemathesis.openapi.from_url(f"{installation.url}/openapi.json")
    # They wait for a place that never comes, so nothing ends while it is walked on.
    created = gender_request(installation, QUEUE="held")
    bodies = {"create": [created], "validate": [created], "dump": [dump]}
    walked = walk(schema, bodies, 2, {"check_status": 200, "sample": 200, "abort": 409})
    kubectl("delete", "labeltasks,labeldumps", "--all", "--namespace", installation.namespace, "--timeout", "60s")
    assert walked.failures == []
    assert walked.seen("alive") == set(ALIVE), walked.answers
    assert walked.seen("gone") == set(ALIVE) - {"dump_status", "abort_dump"}, walked.answers
