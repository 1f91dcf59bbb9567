"""dump_result on the cluster: finished tasks in, dump tables out, judged by an independent merge; and refusals."""

import copy
import json
from datetime import datetime
from typing import Any

import httpx
import pytest

from labeltask_testing.cluster_commands import CommandError, apply, kubectl, kubectl_json
from labeltask_testing.database_rows import labelled_rows
from labeltask_testing.dump_oracle import NOW, SHELVES, DumpRow, dump
from labeltask_testing.installation import Body, Installation, wait_until
from labeltask_testing.requests import gender_resource

PREVIOUS = "audience_previous"
OLD = datetime(2019, 1, 2, 3, 4, 5)
SPEC: dict[str, Any] = {
    "group": "GENDER",
    "taskIds": ["0" * 32],
    "previousSchema": PREVIOUS,
    "output": {"schema": "audience_result"},
    "previousYear": 2019,
}


def manifest(name: str, **changes: Any) -> Body:
    spec = {**copy.deepcopy(SPEC), **changes}
    return {"apiVersion": "labelapi.io/v1", "kind": "LabelDump", "metadata": {"name": name}, "spec": spec}


def create(installation: Installation, made: Body, *options: str) -> str:
    arguments = ("create", "--namespace", installation.namespace, "--filename", "-", *options)
    return kubectl(*arguments, stdin=json.dumps(made))


def wait_dump(installation: Installation, name: str) -> Body:
    found: Body = wait_until(
        lambda: kubectl_json("get", "labeldump", name, "--namespace", installation.namespace),
        lambda seen: "completionTime" in seen.get("status", {}),
        seconds=120,
        what=f"dump {name} to end",
    )
    return found


@pytest.fixture(scope="module")
def task_id(installation: Installation, connection_secret: str) -> str:
    """A finished task."""
    apply(gender_resource(installation, "for-the-shelf", connection_secret))
    resource = wait_until(
        lambda: kubectl_json("get", "labeltask", "for-the-shelf", "--namespace", installation.namespace),
        lambda seen: "completionTime" in seen.get("status", {}),
        seconds=120,
        what="the task to end",
    )
    assert resource["status"]["prodStat"] == "finish"
    found: str = resource["status"]["taskId"]
    return found


@pytest.fixture(scope="module")
def previous(installation: Installation, task_id: str) -> dict[str, list[DumpRow]]:
    """Previous tables: authors of the task with the other panel, the same one, and authors of their own."""
    database = installation.database
    made: dict[str, list[DumpRow]] = {}
    with database.as_root() as db, db.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{PREVIOUS}` CHARACTER SET utf8mb4")
        cursor.execute(f"GRANT SELECT ON `{PREVIOUS}`.* TO %s@'%%'", (database.user,))
        rows = labelled_rows(db, database.output_schema, task_id)
        for shelf, tables in SHELVES.items():
            produced = [row for table in tables for row in rows.get(f"wh_panel_mapping_{table}", [])]
            if not produced:
                continue
            made[shelf] = [
                (row[2], "/female" if number % 2 else "/male", OLD) for number, row in enumerate(produced[:200])
            ] + [("nobody", "/male", OLD), ("nobody", "/child", None)]
            table = f"`{PREVIOUS}`.`wh_panel_mapping_{shelf}`"
            cursor.execute(f"CREATE TABLE {table} (source_author TEXT, panel VARCHAR(200), create_time DATETIME)")
            cursor.executemany(f"INSERT INTO {table} VALUES (%s, %s, %s)", made[shelf])
    return made


def assert_dumped(
    installation: Installation, task_id: str, previous: dict[str, list[DumpRow]], rows: dict[str, int]
) -> None:
    """The dump tables are those of an independent merge; ``rows`` is what the dump says of them."""
    database = installation.database
    with database.as_root() as db, db.cursor() as cursor:
        labelled = labelled_rows(db, database.output_schema, task_id)
        produced = {
            name.removeprefix("wh_panel_mapping_"): [(row[2], row[3]) for row in found]
            for name, found in labelled.items()
            if name.startswith("wh_panel_mapping_")
        }
        stored: dict[str, list[DumpRow]] = {}
        for shelf in SHELVES:
            cursor.execute(f"SELECT * FROM `{database.output_schema}`.`wh_panel_mapping_{shelf}_dump`")
            found = [(author, panel, NOW if time and time.year > OLD.year else time) for author, panel, time in cursor]
            stored[shelf] = sorted(found, key=repr)
            cursor.execute(f"DROP TABLE `{database.output_schema}`.`wh_panel_mapping_{shelf}_dump`")
    assert stored == dump(produced, previous, "GENDER")
    assert rows == {shelf: len(found) for shelf, found in stored.items()}


def test_a_dump_leaves_the_tables_of_an_independent_merge(
    installation: Installation, connection_secret: str, task_id: str, previous: dict[str, list[DumpRow]]
) -> None:
    connection = {"secretKeyRef": {"name": connection_secret, "key": "connection.json"}}
    create(installation, manifest("on-the-shelf", taskIds=[task_id], connectionFrom=connection))
    status = wait_dump(installation, "on-the-shelf")["status"]
    assert (status["phase"], status.get("errorMessage")) == ("Succeeded", None)
    counts = {t["name"]: t["rowsKept"] + t["rowsAdded"] + t["rowsReplaced"] for t in status["tables"]}
    assert_dumped(installation, task_id, previous, counts)
    assert any(table["rowsReplaced"] for table in status["tables"])
    shown = kubectl("get", "ld", "on-the-shelf", "--namespace", installation.namespace).splitlines()
    assert shown[0].split() == ["NAME", "PHASE", "GROUP", "OUTPUT", "AGE"]
    assert shown[1].split()[:4] == ["on-the-shelf", "Succeeded", "GENDER", "audience_result"]


def rest_body(installation: Installation, task_ids: list[str]) -> Body:
    return {
        "GROUP": "GENDER",
        "TASK_IDS": task_ids,
        "INPUT_DATABASE": PREVIOUS,
        "OUTPUT_DATABASE": installation.database.output_schema,
        "SITE_CONFIG": installation.database.site_config,
        "PREVIOUS_YEAR": 2019,
    }


def test_a_dump_by_rest_leaves_the_same_tables_and_one_key_makes_one_dump(
    installation: Installation, task_id: str, previous: dict[str, list[DumpRow]]
) -> None:
    body, headers = rest_body(installation, [task_id]), {"Idempotency-Key": f"shelf-{task_id}"}
    answers = [
        httpx.post(f"{installation.url}{path}", json=body, headers=headers, timeout=60)
        for path in ("/api/tasks/dump/", "/tasks/dump")
    ]
    assert [answer.status_code for answer in answers] == [200, 200], [answer.text for answer in answers]
    (dump_id,) = {answer.json()["error_message"]["dump_id"] for answer in answers}
    view = wait_until(
        lambda: installation.get(f"/api/tasks/dump/{dump_id}").json()["error_message"],
        lambda seen: seen["completion_time"] is not None,
        seconds=120,
        what="the dump to end",
    )
    assert (view["phase"], view["error_message"], view["task_ids"]) == ("Succeeded", None, [task_id])
    counts = {t["name"]: t["rows_kept"] + t["rows_added"] + t["rows_replaced"] for t in view["tables"]}
    assert_dumped(installation, task_id, previous, counts)
    (secret,) = kubectl_json("get", "secret", dump_id, "--namespace", installation.namespace)["metadata"][
        "ownerReferences"
    ]
    assert (secret["kind"], secret["name"]) == ("LabelDump", dump_id)
    aborted = installation.post(f"/api/tasks/dump/{dump_id}/abort/", {})
    assert (aborted.status_code, "ended already as Succeeded" in aborted.text) == (409, True)


def test_a_dump_by_rest_of_a_task_that_is_not_finished_is_refused_and_none_is_made(
    installation: Installation, task_id: str
) -> None:
    before = kubectl("get", "labeldumps", "--namespace", installation.namespace, "--output", "name")
    answer = installation.post("/tasks/dump", rest_body(installation, [task_id, "0" * 32]))
    assert (answer.status_code, [problem["pointer"] for problem in answer.json()["errors"]]) == (409, ["/TASK_IDS/1"])
    assert f"task {'0' * 32} has no prod_stat finish" in answer.json()["error_message"]
    assert kubectl("get", "labeldumps", "--namespace", installation.namespace, "--output", "name") == before


def test_a_dump_of_a_task_that_is_not_finished_names_it(
    installation: Installation, previous: dict[str, list[DumpRow]]
) -> None:
    create(installation, manifest("too-early"))
    status = wait_dump(installation, "too-early")["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "TaskNotFinished")
    assert f"{'0' * 32} (no such task)" in status["errorMessage"]


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no task": ({"taskIds": []}, "should have at least 1 items"),
    "a task twice": ({"taskIds": ["0" * 32, "0" * 32]}, "Duplicate value"),
    "a task id that is none": ({"taskIds": ["x" * 32]}, "spec.taskIds[0]"),
    "a schema name with a back-tick": ({"previousSchema": "a`b"}, "spec.previousSchema"),
    "two connections": (
        {"connectionFrom": {"site": "main", "secretKeyRef": {"name": "a", "key": "b"}}},
        "exactly one of secretKeyRef and site",
    ),
    "a field that nobody knows": ({"colour": "red"}, "unknown field"),
}


@pytest.mark.parametrize(("changes", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_the_api_server_refuses(installation: Installation, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(CommandError, match=r"(?s).*") as caught:
        create(installation, manifest("refused", **changes), "--dry-run=server", "--validate=strict")
    assert words in str(caught.value)


def test_a_dump_can_not_be_changed_but_for_abort(installation: Installation) -> None:
    namespace = installation.namespace
    # A Secret that is not there keeps it waiting.
    waits = {"secretKeyRef": {"name": "never", "key": "there"}}
    create(installation, manifest("fixed", connectionFrom=waits))

    def patch(spec: dict[str, Any]) -> None:
        body = json.dumps({"spec": spec})
        kubectl("patch", "labeldump", "fixed", "--namespace", namespace, "--type", "merge", "--patch", body)

    for change in ({"group": "MARRIAGE"}, {"taskIds": ["1" * 32]}, {"previousYear": None}):
        with pytest.raises(CommandError, match="a dump can't be changed once created"):
            patch(change)
    patch({"abort": True})
    with pytest.raises(CommandError, match="an abort can't be taken back"):
        patch({"abort": False})
    status = wait_dump(installation, "fixed")["status"]
    assert (status["phase"], status["reason"]) == ("Failed", "Aborted")
