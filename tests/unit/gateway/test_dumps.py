"""dump_result over REST: what is created, what is refused, how far it is, abort."""

import base64
import json
from typing import Any

import pytest

from labeltask_contract.names import LABEL_DUMP
from labeltask_contract.stat import ProdStat, Stat
from labeltask_gateway.cluster import Identity
from labeltask_gateway.errors import ClusterUnavailable, DatabaseUnavailable
from labeltask_testing.gateway_fakes import CANARY, DATABASE, Gateway, site_config, state_row

ONE, TWO = "1" * 32, "2" * 32
DUMP = "d" * 32
KEY = {"Idempotency-Key": "nightly-2020-01-01"}


def dump_body(**changes: object) -> dict[str, object]:
    """Return a right request with ``changes``; a change to ... removes the key."""
    whole: dict[str, object] = {
        "GROUP": "GENDER",
        "TASK_IDS": [ONE, TWO],
        "INPUT_DATABASE": "audience_previous",
        "OUTPUT_DATABASE": "audience_result",
        "SITE_CONFIG": site_config(),
        "PREVIOUS_YEAR": 2019,
    }
    return {key: value for key, value in {**whole, **changes}.items() if value is not ...}


def gateway_with_finished_tasks(**settings: Any) -> Gateway:
    gateway = Gateway(**settings)
    gateway.tables.state_rows = {
        task_id: state_row(task_id, stat=Stat.SUCCESS, prod_stat=ProdStat.FINISH) for task_id in (ONE, TWO)
    }
    return gateway


def with_dump(**status: object) -> Gateway:
    gateway = Gateway()
    spec = {
        "group": "GENDER",
        "taskIds": [ONE],
        "previousSchema": "audience_previous",
        "output": {"schema": "audience_result"},
    }
    manifest = {"kind": "LabelDump", "metadata": {"name": DUMP}, "spec": spec, "status": status}
    gateway.cluster.add(manifest, kind=LABEL_DUMP)
    return gateway


@pytest.mark.parametrize("path", ["/api/tasks/dump/", "/api/tasks/dump", "/tasks/dump/", "/tasks/dump"])
def test_the_settings_are_repeated_with_the_id_of_the_dump_and_without_the_account(path: str) -> None:
    gateway = gateway_with_finished_tasks()
    answer = gateway.post(path, dump_body())
    (dump_id,) = gateway.cluster.label_dumps
    assert answer.json() == {
        "error_code": 200,
        "error_message": {
            "group": "GENDER",
            "task_ids": [ONE, TWO],
            "input_database": "audience_previous",
            "output_database": "audience_result",
            "previous_year": 2019,
            "dump_id": dump_id,
        },
    }
    assert gateway.tables.asked == [(DATABASE, ("audience_result",), f"{ONE},{TWO}", 2)]


def test_the_label_dump_refers_to_its_secret_which_holds_the_account_alone() -> None:
    gateway = gateway_with_finished_tasks()
    dump_id = gateway.post("/tasks/dump", dump_body()).json()["error_message"]["dump_id"]
    (dump,) = gateway.cluster.label_dumps.values()
    uid = dump["metadata"].pop("uid")
    labels = {"app.kubernetes.io/part-of": "labeltask"}
    assert dump == {
        "apiVersion": "labelapi.io/v1",
        "kind": "LabelDump",
        "metadata": {"name": dump_id, "labels": labels, "creationTimestamp": "2026-01-01T00:00:01Z"},
        "spec": {
            "group": "GENDER",
            "taskIds": [ONE, TWO],
            "previousSchema": "audience_previous",
            "output": {"schema": "audience_result"},
            "connectionFrom": {"secretKeyRef": {"name": dump_id, "key": "connection.json"}},
            "previousYear": 2019,
        },
    }
    secret = gateway.cluster.secrets[dump_id]
    owner = {
        "apiVersion": "labelapi.io/v1",
        "kind": "LabelDump",
        "name": dump_id,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": False,
    }
    assert secret["metadata"] == {"name": dump_id, "labels": labels, "ownerReferences": [owner]}
    assert secret["immutable"] is True
    assert {key: json.loads(base64.b64decode(value)) for key, value in secret["data"].items()} == {
        "connection.json": site_config()
    }
    assert CANARY not in json.dumps(dump) + "".join(gateway.answers)


@pytest.mark.parametrize(
    ("changes", "connection"),
    [({"SITE": "warehouse", "SITE_CONFIG": ...}, {"site": "warehouse"}), ({"SITE_CONFIG": ...}, None)],
    ids=["one that the deployment names", "its default"],
)
def test_an_account_of_the_deployment_needs_no_secret(changes: dict[str, object], connection: object) -> None:
    connections = {"warehouse": {"secretName": "db"}}
    gateway = gateway_with_finished_tasks(connections=connections, default_connection="warehouse")
    account = base64.b64encode(json.dumps(site_config(host="warehouse.example")).encode()).decode()
    gateway.cluster.secrets["db"] = {"metadata": {"name": "db"}, "data": {"connection.json": account}}
    assert gateway.post("/tasks/dump", dump_body(**changes)).status_code == 200
    (dump,) = gateway.cluster.label_dumps.values()
    assert dump["spec"].get("connectionFrom") == connection
    assert list(gateway.cluster.secrets) == ["db"]
    assert gateway.tables.asked[0][0] == "warehouse.example"


def test_tasks_that_are_not_finished_are_named_and_nothing_is_created() -> None:
    gateway = Gateway()
    three = "3" * 32
    gateway.tables.state_rows = {
        ONE: state_row(ONE, stat=Stat.SUCCESS, prod_stat=ProdStat.FINISH),
        TWO: state_row(TWO, stat=Stat.STARTED),
        three: state_row(three, stat=Stat.SUCCESS, prod_stat=ProdStat.NO_DATA),
    }
    answer = gateway.post("/tasks/dump", dump_body(TASK_IDS=[ONE, TWO, three, "4" * 32]))
    assert answer.status_code == 409
    assert answer.json()["errors"] == [
        {
            "pointer": f"/TASK_IDS/{index}",
            "message": f"task {str(index + 1) * 32} has no prod_stat finish in audience_result.state ({known}); "
            "wait for it or leave it out",
        }
        for index, known in ((1, "stat STARTED"), (2, "no_data: it labelled no row"), (3, "no such task"))
    ]
    assert gateway.cluster.calls == []


WRONG: dict[str, tuple[dict[str, object], str, str]] = {
    "a group that nobody knows": ({"GROUP": "COLOUR"}, "/GROUP", "must be one of GENDER, MARRIAGE"),
    "no group": ({"GROUP": ...}, "/GROUP", "is missing; write one of GENDER, MARRIAGE"),
    "no task": ({"TASK_IDS": []}, "/TASK_IDS", "must be a list of 1 to 200 ids that create answered"),
    "tasks as text": ({"TASK_IDS": ONE}, "/TASK_IDS", "must be a list of 1 to 200 ids that create answered"),
    "201 tasks": (
        {"TASK_IDS": [f"{number:032x}" for number in range(201)]},
        "/TASK_IDS",
        "must be a list of 1 to 200 ids that create answered",
    ),
    "an id that is none": (
        {"TASK_IDS": [ONE, "x"]},
        "/TASK_IDS/1",
        "must be a task's id: 32 hexadecimal digits, 0-9 and a-f",
    ),
    "a task twice": ({"TASK_IDS": [ONE, ONE]}, "/TASK_IDS/1", "is named twice; keep one of them"),
    "the server's own schema": (
        {"INPUT_DATABASE": "mysql"},
        "/INPUT_DATABASE",
        "must not be a schema of the database itself; name one with data",
    ),
    "a schema with a back-tick": (
        {"OUTPUT_DATABASE": "a`b"},
        "/OUTPUT_DATABASE",
        "must be a name: write 1 to 64 of the characters 0-9 A-Z a-z _ $ -",
    ),
    "a year in words": ({"PREVIOUS_YEAR": "last"}, "/PREVIOUS_YEAR", "must be a whole number from 1 to 9999"),
    "a host inside": (
        {"SITE_CONFIG": site_config(host="169.254.169.254")},
        "/SITE_CONFIG/host",
        "must not be a loopback, link-local, multicast or metadata address; write the datab",
    ),
    "no account": (
        {"SITE_CONFIG": ...},
        "/SITE_CONFIG",
        "is missing; write an object with host, port, user and password",
    ),
    "a key of create": ({"COUNTDOWN": 5}, "/COUNTDOWN", "is no known key; known are"),
}


@pytest.mark.parametrize(("changes", "pointer", "message"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_key_is_named_and_nothing_is_created(changes: dict[str, object], pointer: str, message: str) -> None:
    gateway = gateway_with_finished_tasks()
    answer = gateway.post("/tasks/dump", dump_body(**changes))
    (found,) = answer.json()["errors"]
    assert (answer.status_code, found["pointer"], found["message"][: len(message)]) == (400, pointer, message)
    assert (gateway.cluster.calls, gateway.tables.asked) == ([], [])
    assert CANARY not in answer.text


def test_the_gateway_looks_at_the_address_that_was_judged_and_at_none_that_leads_inward() -> None:
    gateway = gateway_with_finished_tasks()
    gateway.addresses["db.example"] = ["10.1.2.3"]
    assert gateway.post("/tasks/dump", dump_body()).status_code == 200
    assert gateway.tables.asked[0][0] == "10.1.2.3"
    # The same name a moment later: DNS rebinding.
    gateway.addresses["db.example"] = ["169.254.169.254"]
    assert gateway.post("/tasks/dump", dump_body()).status_code == 400
    assert len(gateway.tables.asked) == 1


def test_groups_are_those_of_the_deployment() -> None:
    rules = {"conflict_groups": {"AGE": ["/young", "/old"], "GENDER": []}}
    gateway = gateway_with_finished_tasks(labelling_rules=rules)
    assert gateway.post("/tasks/dump", dump_body(GROUP="AGE")).status_code == 200
    assert gateway.post("/tasks/dump", dump_body()).status_code == 400


def test_a_database_that_does_not_answer_is_503_and_nothing_is_created() -> None:
    gateway = gateway_with_finished_tasks()
    gateway.tables.failure = DatabaseUnavailable(2003)
    answer = gateway.post("/tasks/dump", dump_body())
    assert (answer.status_code, answer.headers["Retry-After"], gateway.cluster.calls) == (503, "5", [])


def test_a_secret_that_can_not_be_created_takes_the_dump_with_it() -> None:
    gateway = gateway_with_finished_tasks()
    gateway.cluster.failures["create_secret"] = ClusterUnavailable()
    assert gateway.post("/tasks/dump", dump_body()).status_code == 503
    assert (gateway.cluster.label_dumps, gateway.cluster.secrets) == ({}, {})


def test_equal_requests_with_one_key_make_one_dump_and_another_body_is_409() -> None:
    gateway = gateway_with_finished_tasks()
    first = gateway.post("/tasks/dump", dump_body(), headers=KEY)
    assert gateway.post("/tasks/dump", dump_body(), headers=KEY).json() == first.json()
    assert gateway.post("/tasks/dump", dump_body(PREVIOUS_YEAR=2018), headers=KEY).status_code == 409
    other_password = dump_body(SITE_CONFIG=site_config(password="another"))
    assert gateway.post("/tasks/dump", other_password, headers=KEY).status_code == 409
    assert list(gateway.cluster.label_dumps) == [first.json()["error_message"]["dump_id"]]


def test_a_dump_that_is_done_is_shown_whole() -> None:
    table = {"name": "fb", "rowsKept": 1, "rowsAdded": 2, "rowsReplaced": 3, "authorsUndecided": 4}
    gateway = with_dump(
        phase="Succeeded", tables=[table], startTime="2026-01-01T00:00:02Z", completionTime="2026-01-01T00:00:03Z"
    )
    assert gateway.get(f"/api/tasks/dump/{DUMP}/").json() == {
        "error_code": 200,
        "error_message": {
            "dump_id": DUMP,
            "phase": "Succeeded",
            "group": "GENDER",
            "task_ids": [ONE],
            "input_database": "audience_previous",
            "output_database": "audience_result",
            "previous_year": None,
            "tables": [
                {"name": "fb", "rows_kept": 1, "rows_added": 2, "rows_replaced": 3, "authors_undecided": 4},
            ],
            "reason": None,
            "error_message": None,
            "create_time": "2026-01-01T00:00:01",
            "start_time": "2026-01-01T00:00:02",
            "completion_time": "2026-01-01T00:00:03",
        },
    }


def test_a_new_dump_is_pending_and_a_failed_one_says_why() -> None:
    view = with_dump().get(f"/tasks/dump/{DUMP}").json()["error_message"]
    assert (view["phase"], view["tables"], view["error_message"]) == ("Pending", [], None)
    failed = with_dump(phase="Failed", reason="TaskNotFinished", errorMessage="why")
    view = failed.get(f"/tasks/dump/{DUMP}").json()["error_message"]
    assert (view["phase"], view["reason"], view["error_message"]) == ("Failed", "TaskNotFinished", "why")


def test_abort_is_stored_once_and_may_be_repeated() -> None:
    gateway = with_dump(phase="Running")
    for _ in range(2):
        answer = gateway.post(f"/tasks/dump/{DUMP}/abort", None)
        assert answer.json() == {
            "error_code": 200,
            "error_message": f"dump {DUMP} is being aborted; dump tables that were swapped in by now stay",
        }
    assert gateway.cluster.label_dumps[DUMP]["spec"]["abort"] is True
    assert gateway.cluster.calls.count("patch_spec") == 1


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_dump_that_has_ended_can_not_be_aborted(phase: str) -> None:
    gateway = with_dump(phase=phase)
    answer = gateway.post(f"/tasks/dump/{DUMP}/abort", None)
    assert (answer.status_code, answer.json()["error_message"]) == (
        409,
        f"dump {DUMP} has ended already as {phase}; nothing was changed",
    )
    assert "patch_spec" not in gateway.cluster.calls


def test_an_unknown_dump_is_404() -> None:
    gateway = Gateway()
    for answer in (gateway.get(f"/tasks/dump/{DUMP}"), gateway.post(f"/tasks/dump/{DUMP}/abort", None)):
        assert (answer.status_code, answer.json()["error_message"]) == (404, f"there is no dump {DUMP} in the cluster")


def test_rights_on_tasks_are_none_on_dumps() -> None:
    gateway = Gateway(auth_mode="kubernetes")
    identity = gateway.cluster.tokens["t" * 16] = Identity("jane")
    token = {"Authorization": f"Bearer {'t' * 16}"}
    gateway.cluster.rights = {(identity.username, verb) for verb in ("create", "get", "patch")}
    refused = gateway.post("/tasks/dump", dump_body(), headers=token)
    assert (refused.status_code, refused.json()["error_message"]) == (
        403,
        "this token may not create labeldumps in the namespace of this deployment",
    )
    assert gateway.get(f"/tasks/dump/{DUMP}", headers=token).status_code == 403
    assert gateway.request("POST", f"/tasks/dump/{DUMP}/abort", headers=token).status_code == 403
