"""GET /api/tasks/{task_id}/sample/: whose tables are looked at with which account, and what is answered."""

import base64
import json
from typing import Any

import pytest

from labeltask_contract.connection import load_connection
from labeltask_contract.names import CONNECTION_FILE, secret_name
from labeltask_gateway.errors import DatabaseUnavailable
from labeltask_store.result_tables import ResultRow
from labeltask_testing.certificates import make_authority
from labeltask_testing.gateway_fakes import CANARY, DATABASE, Gateway, create_body, label_task_from_kubectl, site_config

ID = "7c7bd38c410a11ecb688d45d6456a14d"
ROW = ResultRow(
    id="1577818324915_FBEXUB",
    task_id=ID,
    source_author="WH_F0045_Kuan Vera",
    panel="/female",
    create_time="2020-01-01 00:00:03",
    field_content="WH_F0045",
    match_content="Kuan Vera",
)
PRINTED = {
    "id": "1577818324915_FBEXUB",
    "task_id": ID,
    "source_author": "WH_F0045_Kuan Vera",
    "panel": "/female",
    "create_time": "2020-01-01T00:00:03",
    "field_content": "WH_F0045",
    "match_content": "Kuan Vera",
}
MAIN: dict[str, Any] = {
    "connections": {"main": {"secretName": "db"}, "other": {"secretName": "db2"}},
    "default_connection": "main",
}


def with_secrets(gateway: Gateway) -> Gateway:
    for name, host in (("db", "main.example"), ("db2", "other.example")):
        content = json.dumps(site_config(host=host)).encode()
        gateway.cluster.secrets[name] = {"data": {"connection.json": base64.b64encode(content).decode()}}
    return gateway


@pytest.mark.parametrize(
    "path", ["/api/tasks/{}/sample/", "/api/tasks/{}/sample", "/tasks/{}/sample/", "/tasks/{}/sample"]
)
def test_a_sample_is_the_predecessors_list_of_rows(path: str) -> None:
    gateway = Gateway()
    task_id = gateway.post("/api/tasks/", create_body()).json()["error_message"]["task_id"]
    gateway.tables.rows = [ROW]
    answer = gateway.get(path.format(task_id))
    assert (answer.status_code, answer.json()) == (200, {"error_code": 200, "error_message": [PRINTED]})
    assert gateway.tables.asked == [(DATABASE, ("audience_result",), task_id, 20)]


def test_a_task_that_has_written_nothing_yet_has_an_empty_sample() -> None:
    gateway = Gateway()
    task_id = gateway.post("/api/tasks/", create_body()).json()["error_message"]["task_id"]
    empty: tuple[list[ResultRow] | None, ...] = ([], None)
    for rows in empty:
        gateway.tables.rows = rows
        assert gateway.get(f"/tasks/{task_id}/sample").json() == {"error_code": 200, "error_message": []}


@pytest.mark.parametrize(
    ("source", "host"),
    [({}, "main.example"), ({"connectionFrom": {"site": "other"}}, "other.example")],
    ids=["the default connection", "the connection that the task names"],
)
def test_a_task_without_an_account_of_its_own_is_sampled_with_the_deployments(
    source: dict[str, object], host: str
) -> None:
    gateway = with_secrets(Gateway(**MAIN))
    gateway.cluster.add(label_task_from_kubectl(ID, **source))
    gateway.get(f"/tasks/{ID}/sample?size=100")
    assert gateway.tables.asked == [(host, ("audience_result",), ID, 100)]


def test_a_task_that_is_gone_from_the_cluster_is_sampled_in_the_schemas_of_the_history() -> None:
    gateway = with_secrets(Gateway(**MAIN, history_schemas=("a", "b")))
    gateway.tables.rows = [ROW]
    assert gateway.get(f"/tasks/{ID}/sample").json()["error_message"] == [PRINTED]
    assert gateway.tables.asked == [("main.example", ("a", "b"), ID, 20)]


@pytest.mark.parametrize(
    "settings", [{}, {**MAIN, "history_schemas": ("a",)}], ids=["no history", "not in the history"]
)
def test_a_task_that_nobody_knows_is_404(settings: dict[str, Any]) -> None:
    gateway = with_secrets(Gateway(**settings))
    gateway.tables.rows = None
    answer = gateway.get(f"/tasks/{ID}/sample")
    assert (answer.status_code, answer.json()["error_message"]) == (404, f"there is no task {ID}")


def test_a_database_that_is_away_is_a_503_with_a_time_to_come_back() -> None:
    gateway = Gateway()
    task_id = gateway.post("/api/tasks/", create_body()).json()["error_message"]["task_id"]
    gateway.tables.failure = DatabaseUnavailable(2003)
    answer = gateway.get(f"/tasks/{task_id}/sample")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert answer.json() == {
        "error_code": 503,
        "error_message": "the database does not answer as it should (MySQL error 2003; docs/rest-api.md says more); "
        "try again",
        "errors": [],
        "request_id": answer.headers["X-Request-ID"],
    }
    assert CANARY not in "".join(gateway.answers)


def test_a_deployment_without_the_connection_says_so() -> None:
    gateway = Gateway()
    gateway.cluster.add(label_task_from_kubectl(ID))
    answer = gateway.get(f"/tasks/{ID}/sample")
    assert (answer.status_code, answer.json()["error_message"]) == (
        409,
        "the deployment has no connection for this task",
    )


def test_a_task_whose_secret_is_not_there_has_no_sample_and_says_which_secret() -> None:
    gateway = Gateway()
    reference = {"secretKeyRef": {"name": "never-there", "key": "connection.json"}}
    gateway.cluster.add(label_task_from_kubectl(ID, connectionFrom=reference))
    answer = gateway.get(f"/tasks/{ID}/sample")
    assert (answer.status_code, answer.json()["error_message"]) == (
        409,
        "the task's connection can't be read: the Secret never-there does not exist",
    )


WRONG_SECRETS = {
    "no JSON": (CANARY, "not JSON: "),
    "a list": (json.dumps([CANARY]), "must be an object"),
    "no port": (
        json.dumps({"host": "db.example", "user": "u", "password": CANARY}),
        "/connection.json/port: is missing",
    ),
    "a key too many": (json.dumps({**site_config(), "passwd": CANARY}), "/connection.json/passwd: is no known key"),
}


@pytest.mark.parametrize(("content", "words"), WRONG_SECRETS.values(), ids=WRONG_SECRETS.keys())
def test_a_task_whose_secret_holds_no_connection_is_not_the_callers_fault_and_names_it(
    content: str, words: str
) -> None:
    gateway = Gateway()
    gateway.cluster.secrets["mine"] = {"data": {"connection.json": base64.b64encode(content.encode()).decode()}}
    reference = {"secretKeyRef": {"name": "mine", "key": "connection.json"}}
    gateway.cluster.add(label_task_from_kubectl(ID, connectionFrom=reference))
    answer = gateway.get(f"/tasks/{ID}/sample")
    assert answer.status_code == 409
    begin = "the task's connection can't be read: the Secret mine holds no connection under connection.json: "
    assert answer.json()["error_message"].startswith(begin)
    assert words in answer.json()["error_message"]
    assert CANARY not in "".join(gateway.answers)


def test_a_secret_of_the_deployment_that_holds_no_connection_is_the_deployments_fault() -> None:
    gateway = Gateway(**MAIN)
    gateway.cluster.secrets["db"] = {"data": {"connection.json": base64.b64encode(b"{}").decode()}}
    gateway.cluster.add(label_task_from_kubectl(ID))
    assert gateway.get(f"/tasks/{ID}/sample").status_code == 500


def test_a_host_without_address_is_not_connected_to_whatever_it_is_resolved_to_later() -> None:
    gateway = Gateway()
    task_id = gateway.post("/api/tasks/", create_body(SITE_CONFIG=site_config(host="gone.example"))).json()[
        "error_message"
    ]["task_id"]
    answer = gateway.get(f"/tasks/{task_id}/sample")
    assert (answer.status_code, "MySQL error 2005" in answer.json()["error_message"]) == (503, True)
    assert gateway.tables.asked == []


def test_a_task_that_is_being_deleted_and_has_lost_its_secret_has_no_sample() -> None:
    gateway = Gateway()
    task_id = gateway.post("/api/tasks/", create_body()).json()["error_message"]["task_id"]
    gateway.cluster.secrets.clear()
    answer = gateway.get(f"/tasks/{task_id}/sample")
    assert (answer.status_code, answer.json()["error_message"]) == (
        409,
        f"the task's connection can't be read: the Secret {task_id} does not exist",
    )


def test_a_secret_that_the_deployment_names_and_lacks_is_the_deployments_fault() -> None:
    gateway = Gateway(**MAIN)
    gateway.cluster.add(label_task_from_kubectl(ID))
    assert gateway.get(f"/tasks/{ID}/sample").status_code == 500


def test_a_host_that_has_turned_inward_since_is_not_connected_to() -> None:
    gateway = Gateway()
    task_id = gateway.post("/api/tasks/", create_body()).json()["error_message"]["task_id"]
    gateway.get(f"/tasks/{task_id}/sample")
    gateway.addresses["db.example"] = [DATABASE, "169.254.169.254"]
    answer = gateway.get(f"/tasks/{task_id}/sample")
    assert answer.status_code == 409
    assert [host for host, *_ in gateway.tables.asked] == [DATABASE]


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"allowed_ports": (4000,)}, "database port must be a port that this deployment allows: 4000"),
        ({"require_tls": "verify-identity"}, "tls must have at least the mode verify-identity"),
    ],
    ids=["ports", "encryption"],
)
def test_an_account_from_before_the_deployment_became_stricter_is_not_connected_with(
    setting: dict[str, Any], words: str
) -> None:
    before = Gateway()
    task_id = before.post("/api/tasks/", create_body()).json()["error_message"]["task_id"]
    gateway = Gateway(**setting)
    gateway.cluster.label_tasks |= before.cluster.label_tasks
    gateway.cluster.secrets |= before.cluster.secrets
    answer = gateway.get(f"/tasks/{task_id}/sample")
    assert (answer.status_code, gateway.tables.asked) == (409, [])
    assert words in answer.json()["error_message"]


def test_a_host_that_must_prove_its_name_keeps_it_and_is_judged_all_the_same() -> None:
    # Certificates name hosts, not the addresses that they have today.
    gateway = Gateway(allowed_hosts=("203.0.113.0/24",))
    gateway.addresses["db.example"] = ["203.0.113.9"]
    tls = {"ca": make_authority("an authority").pem}
    answer = gateway.post("/api/tasks/", create_body(SITE_CONFIG=site_config(tls=tls)))
    task_id = answer.json()["error_message"]["task_id"]
    stored = load_connection(gateway.cluster.read_secret_key(secret_name(task_id), CONNECTION_FILE))
    assert stored.host == "db.example"
    gateway.get(f"/tasks/{task_id}/sample")
    assert [host for host, *_ in gateway.tables.asked] == ["db.example"]
    gateway.addresses["db.example"] = ["10.0.0.1"]
    assert gateway.get(f"/tasks/{task_id}/sample").status_code == 409
    refused = gateway.post("/api/tasks/", create_body(SITE_CONFIG=site_config(tls=tls)))
    assert refused.json()["errors"][0]["pointer"] == "/SITE_CONFIG/host"


@pytest.mark.parametrize("size", ["0", "101", "x"])
def test_a_wrong_size_is_400(size: str) -> None:
    answer = Gateway().get(f"/tasks/{ID}/sample?size={size}")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/query/size")
