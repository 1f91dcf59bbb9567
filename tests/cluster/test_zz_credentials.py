"""The password of every task above, looked for everywhere it must not be. Runs last, when there is most to look at."""

import base64
import json
from urllib.parse import quote

from labeltask_testing.cluster_commands import engine, kubectl, kubectl_json
from labeltask_testing.installation import Installation
from labeltask_testing.requests import gender_request
from localkube.cluster import node_names, run_on_node


def forms(password: str) -> list[str]:
    """The password as it could look in JSON, in a URL, in base64."""
    escaped = json.dumps(password)[1:-1]
    return [password, escaped, quote(password), base64.b64encode(password.encode()).decode(), "canary-"]


def assert_clean(text: str, installation: Installation, where: str) -> None:
    found = [form for form in forms(installation.database.password) if form in text]
    assert found == [], f"the password stands in {where}"


def test_the_password_is_in_no_object_but_secrets(installation: Installation) -> None:
    kinds = kubectl("api-resources", "--namespaced", "--verbs", "list", "--output", "name").split()
    listed = ",".join(kind for kind in kinds if kind != "secrets")
    dumped = kubectl("get", listed, "--namespace", installation.namespace, "--output", "yaml", "--ignore-not-found")
    assert "kind: LabelTask" in dumped
    assert "kind: Event" in dumped
    assert_clean(dumped, installation, "an object")


def test_the_password_is_in_no_log(installation: Installation) -> None:
    pods = kubectl_json("get", "pods", "--namespace", installation.namespace)["items"]
    names = [pod["metadata"]["name"] for pod in pods if pod["metadata"]["name"].split("-")[0] != "database"]
    assert len(names) > 3
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


def test_the_password_is_in_no_answer(installation: Installation) -> None:
    request = gender_request(installation)
    site = request["SITE_CONFIG"]
    wrong = [
        {**request, "SITE_CONFIG": {key: value for key, value in site.items() if key != "port"}},
        {**request, "SITE_CONFIG": {**site, "port": "33o6"}},
        {**request, "SITE_CONFIG": {**site, "passwd": site["password"]}},
        {**request, "SITE_CONFIG": site["password"]},
        {**request, "MODEL_TYPE": site["password"]},
        {**request, site["password"]: 1},
    ]
    for body in wrong:
        answer = installation.post("/api/tasks/", body)
        assert answer.status_code == 400, body
        if site["password"] not in body:
            assert_clean(answer.text + str(answer.headers), installation, "an answer")
    assert_clean(installation.get("/api/tasks/").text, installation, "the list of tasks")


def test_the_password_is_in_no_process_list(installation: Installation) -> None:
    every_process = "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr '\\0' '\\n'"
    for node in node_names(engine()):
        shown = run_on_node(engine(), node, "sh", "-c", every_process)
        assert "labeltask_operator" in shown
        assert_clean(shown, installation, f"the processes of {node}")
