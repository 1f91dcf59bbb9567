"""The password of every task above, looked for everywhere it must not be. Runs last, when there is most to look at."""

import base64
import json
from urllib.parse import quote

import httpx
import pytest

from labeltask_testing.cluster_commands import engine, kubectl, kubectl_json
from labeltask_testing.installation import Body, Installation, wait_until
from labeltask_testing.operator_process import operator_figures
from labeltask_testing.requests import gender_request
from localkube.cluster import node_names, run_on_node


@pytest.fixture(scope="module")
def dump_id(installation: Installation) -> str:
    """A dump by REST that has ended, with a Secret of its own."""
    with installation.database.as_root() as db, db.cursor() as cursor:
        cursor.execute("CREATE DATABASE IF NOT EXISTS audience_previous CHARACTER SET utf8mb4")
        cursor.execute("GRANT SELECT ON audience_previous.* TO %s@'%%'", (installation.database.user,))
    task_id = installation.create(gender_request(installation, COUNTDOWN=0))
    installation.wait_final(task_id)
    made = installation.post("/api/tasks/dump/", dump_request(installation, task_id))
    assert made.status_code == 200, made.text
    found: str = made.json()["error_message"]["dump_id"]
    status = wait_until(
        lambda: installation.get(f"/api/tasks/dump/{found}").json()["error_message"],
        lambda seen: seen["completion_time"] is not None,
        seconds=180,
        what="the dump to end",
    )
    assert (status["phase"], status["error_message"]) == ("Succeeded", None)
    return found


def dump_request(installation: Installation, *task_ids: str) -> Body:
    schema = installation.database.output_schema
    return {
        "GROUP": "GENDER",
        "TASK_IDS": list(task_ids),
        "INPUT_DATABASE": "audience_previous",
        "OUTPUT_DATABASE": schema,
        "SITE_CONFIG": installation.database.site_config,
    }


def forms(password: str) -> list[str]:
    """The password as it could look in JSON, in a URL, in base64."""
    escaped = json.dumps(password)[1:-1]
    return [password, escaped, quote(password), base64.b64encode(password.encode()).decode(), "canary-"]


def assert_clean(text: str, installation: Installation, where: str) -> None:
    found = [form for form in forms(installation.database.password) if form in text]
    assert found == [], f"the password stands in {where}"


def test_the_password_is_in_no_object_but_secrets(installation: Installation, dump_id: str) -> None:
    kinds = kubectl("api-resources", "--namespaced", "--verbs", "list", "--output", "name").split()
    listed = ",".join(kind for kind in kinds if kind != "secrets")
    dumped = kubectl("get", listed, "--namespace", installation.namespace, "--output", "yaml", "--ignore-not-found")
    assert "kind: LabelTask" in dumped
    assert f"name: {dump_id}" in dumped
    assert "kind: Event" in dumped
    assert_clean(dumped, installation, "an object")


def test_the_password_is_in_no_log(installation: Installation, dump_id: str) -> None:
    pods = kubectl_json("get", "pods", "--namespace", installation.namespace)["items"]
    names = [pod["metadata"]["name"] for pod in pods if pod["metadata"]["name"].split("-")[0] != "database"]
    dump = kubectl_json("get", "labeldump", dump_id, "--namespace", installation.namespace)
    assert any(name.startswith(dump["status"]["jobName"]) for name in names), names
    for name in names:
        log = kubectl("logs", name, "--namespace", installation.namespace, "--all-containers", "--ignore-errors")
        assert_clean(log, installation, f"the log of {name}")


def test_the_password_is_in_no_table(installation: Installation) -> None:
    with installation.database.as_root() as db, db.cursor() as cursor:
        cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_schema = 'audience_result'")
        tables = [name for (name,) in cursor.fetchall()]
        assert {"state", "label_slice"} <= set(tables)
        for table in tables:
            cursor.execute(f"SELECT * FROM audience_result.`{table}`")
            assert_clean(repr(cursor.fetchall()), installation, f"the table {table}")


@pytest.mark.parametrize("accept", ["application/json", "application/problem+json"])
def test_the_password_is_in_no_answer(installation: Installation, dump_id: str, accept: str) -> None:
    password, account = installation.database.password, installation.database.site_config
    task_id = installation.get(f"/tasks/dump/{dump_id}").json()["error_message"]["task_ids"][0]
    create, dump = gender_request(installation), dump_request(installation, task_id)
    wrong_accounts: list[object] = [
        {key: value for key, value in account.items() if key != "port"},
        {**account, "port": "33o6"},
        {**account, "passwd": password},
        {**account, "user": password * 5},
        password,
    ]
    tried: list[tuple[str, Body, int]] = [
        *(("/api/tasks/", {**create, "SITE_CONFIG": site}, 400) for site in wrong_accounts),
        *(("/api/tasks/validate/", {**create, "SITE_CONFIG": site}, 400) for site in wrong_accounts),
        *(("/api/tasks/dump/", {**dump, "SITE_CONFIG": site}, 400) for site in wrong_accounts),
        ("/api/tasks/", {**create, "MODEL_TYPE": password}, 400),
        ("/api/tasks/dump/", {**dump, "GROUP": password}, 400),
        ("/api/tasks/dump/", {**dump, "TASK_IDS": [password]}, 400),
        ("/api/tasks/dump/", {**dump, "TASK_IDS": ["0" * 32]}, 409),
        ("/api/tasks/dump/", {**dump, "SITE_CONFIG": {**account, "user": "nobody"}}, 503),
        ("/api/tasks/validate/", {**create, "SITE_CONFIG": {**account, "user": "nobody"}}, 200),
        (f"/api/tasks/dump/{dump_id}/abort/", {}, 409),
    ]
    for path, body, status in tried:
        answer = httpx.post(f"{installation.url}{path}", json=body, headers={"Accept": accept}, timeout=60)
        assert answer.status_code == status, (path, answer.text)
        assert_clean(answer.text + str(answer.headers), installation, f"an answer of {path}")
    for path in ("/api/tasks/", f"/tasks/{task_id}", f"/tasks/{task_id}/sample", f"/tasks/dump/{dump_id}", "/metrics"):
        answer = httpx.get(f"{installation.url}{path}", headers={"Accept": accept}, timeout=60)
        assert answer.status_code == 200, (path, answer.text)
        assert_clean(answer.text + str(answer.headers), installation, f"the answer of {path}")


def test_the_password_is_in_no_figure_of_the_operator(installation: Installation) -> None:
    figures = operator_figures(installation)
    assert "labeltask_operator_objects" in figures
    assert_clean(figures, installation, "the operator's figures")


def test_the_password_is_in_no_process_list(installation: Installation) -> None:
    every_process = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'"
    for node in node_names(engine()):
        shown = run_on_node(engine(), node, "sh", "-c", every_process)
        assert "labeltask_operator" in shown
        assert_clean(shown, installation, f"the processes of {node}")
