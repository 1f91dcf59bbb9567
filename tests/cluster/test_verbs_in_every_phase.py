"""Abort, suspend and delete, by REST and by kubectl, at every place of a task's life: one outcome, told alike.

All tasks run at once, each held in its phase: by a full queue, by a node without room, by a result table or a
production table that is slow to write, by its countdown.
"""

import json
from typing import Any

import pytest

from labeltask_testing.cluster_commands import apply, kubectl, kubectl_json
from labeltask_testing.database_rows import labelled_rows, state
from labeltask_testing.installation import Body, Installation, wait_until
from labeltask_testing.requests import gender_resource

PHASES = ("labelling", "producing", "countdown", "queued", "starting")
"""Those that would end by themselves come first."""
WITH_WORKER = ("labelling", "countdown", "producing")
VERBS = ("abort-by-rest", "abort-by-kubectl", "delete", "suspend")
ROWS = 40
GRACE_SECONDS = 15
RESULT_COLUMNS = (
    "id VARCHAR(32) NOT NULL, task_id VARCHAR(32) NOT NULL, source_author TEXT, panel VARCHAR(200), "
    "create_time DATETIME, field_content TEXT, match_content LONGTEXT, KEY task (task_id)"
)


def schema_of(verb: str, phase: str) -> str:
    return f"{verb}_{phase}".replace("-", "_")


def slow_table(phase: str) -> str | None:
    return {"labelling": "Ptt", "producing": "wh_panel_mapping_Ptt"}.get(phase)


def prepare_database(installation: Installation) -> None:
    database = installation.database
    source, account = f"`{database.source_schema}`.forty_rows", f"'{database.user}'@'%'"
    rows = ", ".join(f"('{number}', 'WH_F0001', '第{number}先生', '2020-01-10')" for number in range(ROWS))
    statements = [
        f"CREATE TABLE IF NOT EXISTS {source} (id VARCHAR(32) PRIMARY KEY, s_id VARCHAR(32), author TEXT, "
        "post_time DATETIME)",
        f"REPLACE INTO {source} VALUES {rows}",
    ]
    for verb in VERBS:
        for phase in PHASES:
            schema = schema_of(verb, phase)
            statements += [
                f"CREATE DATABASE IF NOT EXISTS {schema} CHARACTER SET utf8mb4",
                f"GRANT CREATE, ALTER, INDEX, SELECT, INSERT, UPDATE, DELETE, DROP ON {schema}.* TO {account}",
            ]
            if table := slow_table(phase):
                statements += [
                    f"CREATE TABLE IF NOT EXISTS {schema}.{table} ({RESULT_COLUMNS}) CHARACTER SET utf8mb4",
                    f"CREATE OR REPLACE TRIGGER {schema}.slow BEFORE INSERT ON {schema}.{table} "
                    "FOR EACH ROW DO SLEEP(2)",
                ]
    with database.as_root() as db, db.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def resource(installation: Installation, secret: str, verb: str, phase: str) -> Body:
    changes: dict[str, Any] = {
        "input": {"schema": installation.database.source_schema, "table": "forty_rows"},
        "output": {"schema": schema_of(verb, phase)},
        "batchRows": 1,
        "countdownSeconds": 0,
        # A queue each, but for those that wait: the limit of one is no reason to wait elsewhere.
        "queue": "held" if phase == "queued" else f"{verb}-{phase}",
    }
    if phase == "starting":
        changes["resources"] = {"requests": {"cpu": "80"}}
    if phase == "countdown":
        changes["countdownSeconds"] = 30 if verb == "suspend" else 3600
    return gender_resource(installation, f"{verb}-{phase}", secret, **changes)


def status_of(installation: Installation, name: str) -> Body:
    found: Body = installation.label_task(name).get("status", {})
    return found


def condition(status: Body, kind: str) -> tuple[str, str]:
    found = {c["type"]: (c["status"], c["reason"]) for c in status.get("conditions", [])}
    return found.get(kind, ("Unknown", "none"))


def pods(installation: Installation, task_id: str) -> list[str]:
    selector = ("--selector", f"labelapi.io/task-id={task_id}")
    found = kubectl_json("get", "pods", "--namespace", installation.namespace, *selector)["items"]
    return [pod["metadata"]["name"] for pod in found if pod["status"]["phase"] in ("Pending", "Running")]


def in_phase(installation: Installation, name: str, phase: str) -> bool:
    status = status_of(installation, name)
    assert status.get("stat") in (None, "PENDING", "STARTED", "SUCCESS"), status
    if phase == "queued":
        return condition(status, "Queued") == ("True", "QueueFull")
    if phase == "starting":
        return condition(status, "Stalled") == ("True", "Unschedulable")
    if phase == "labelling":
        return int(status.get("progress", {}).get("rowsRead", 0)) > 0
    assert status.get("prodStat") is None, status
    return status.get("stat") == "SUCCESS"


def stored(installation: Installation, name: str, task_id: str) -> dict[str, Any]:
    with installation.database.as_root() as db:
        return state(db, name.replace("-", "_"), task_id)


def wait_broken(installation: Installation, name: str, task_id: str) -> dict[str, Any]:
    return wait_until(
        lambda: stored(installation, name, task_id),
        lambda row: row["stat"] == "BREAK",
        seconds=20,
        what="BREAK in the row",
    )


def patch(installation: Installation, name: str, **spec: bool) -> None:
    change = json.dumps({"spec": spec})
    kubectl("patch", "labeltask", name, "--namespace", installation.namespace, "--type", "merge", "--patch", change)


def reached(installation: Installation, name: str, phase: str) -> str:
    """Wait until the task is in its phase; return its id."""
    wait_until(lambda: in_phase(installation, name, phase), bool, seconds=120, what=f"{name} to be {phase}")
    task_id: str = status_of(installation, name)["taskId"]
    if phase in WITH_WORKER:
        assert len(pods(installation, task_id)) == 1
    return task_id


def wait_no_pod(installation: Installation, task_id: str) -> None:
    wait_until(
        lambda: pods(installation, task_id),
        lambda found: not found,
        seconds=GRACE_SECONDS + 15,
        what="its pods to be gone within their grace time",
    )


def act(installation: Installation, verb: str, name: str, task_id: str) -> None:
    if verb == "abort-by-rest":
        answer = installation.post("/api/tasks/abort/", {"TASK_ID": task_id})
        assert answer.status_code == 200, answer.text
    elif verb == "abort-by-kubectl":
        patch(installation, name, abort=True)
    elif verb == "delete":
        kubectl("delete", "labeltask", name, "--namespace", installation.namespace, "--timeout", "30s")
    else:
        answer = installation.post(f"/api/tasks/{task_id}/suspend", {})
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def ids(installation: Installation, connection_secret: str) -> dict[str, str]:
    """Bring every task into its phase and do to it what shall be done; return the task ids by name."""
    prepare_database(installation)
    apply(*(resource(installation, connection_secret, verb, phase) for verb in VERBS for phase in PHASES))
    found: dict[str, str] = {}
    for phase in PHASES:
        for verb in VERBS:
            name = f"{verb}-{phase}"
            found[name] = reached(installation, name, phase)
            act(installation, verb, name, found[name])
    return found


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("verb", ["abort-by-rest", "abort-by-kubectl"])
def test_an_abort_is_break_everywhere_and_leaves_no_pod(
    installation: Installation, ids: dict[str, str], verb: str, phase: str
) -> None:
    name = f"{verb}-{phase}"
    tasks, task_id = installation, ids[name]
    wait_no_pod(tasks, task_id)
    final = tasks.wait_final(task_id, seconds=30)
    resource = status_of(tasks, name)
    assert (resource["stat"], resource["reason"], condition(resource, "Aborted")) == (
        "BREAK",
        "Aborted",
        ("True", "Aborted"),
    )
    row = wait_broken(tasks, name, task_id)
    assert row["prod_stat"] is None
    assert (final["stat"], final["error_message"]) == ("BREAK", resource["errorMessage"])
    assert row["error_message"] == resource["errorMessage"] == "aborted by spec.abort"


@pytest.mark.parametrize("phase", PHASES)
def test_a_delete_leaves_no_pod_and_break_in_the_state_table(
    installation: Installation, ids: dict[str, str], phase: str
) -> None:
    name = f"delete-{phase}"
    tasks, task_id = installation, ids[name]
    wait_no_pod(tasks, task_id)
    row = wait_broken(tasks, name, task_id)
    assert row["error_message"] == "the LabelTask was deleted"
    left = kubectl("get", "job,configmap,pod", "--namespace", tasks.namespace, "--output", "name")
    assert task_id not in left


@pytest.mark.parametrize("phase", WITH_WORKER)
def test_a_suspended_task_keeps_what_is_committed_and_goes_on_to_the_same_end(
    installation: Installation, ids: dict[str, str], phase: str
) -> None:
    name = f"suspend-{phase}"
    tasks, task_id = installation, ids[name]
    wait_no_pod(tasks, task_id)
    paused = wait_until(
        lambda: status_of(tasks, name),
        lambda status: condition(status, "Running") == ("False", "Suspended"),
        seconds=30,
        what="the status to say that the task is suspended",
    )
    assert paused["stat"] == ("STARTED" if phase == "labelling" else "SUCCESS")
    kept = stored(tasks, name, task_id)["length_receive_table"]
    assert kept == ROWS if phase != "labelling" else 0 < kept < ROWS
    with tasks.database.as_root() as db, db.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER IF EXISTS {schema_of('suspend', phase)}.slow")
    patch(tasks, name, suspend=False)
    assert tasks.wait_final(task_id, seconds=90)["stat"] == "SUCCESS"
    resource = wait_until(
        lambda: status_of(tasks, name), lambda seen: "completionTime" in seen, seconds=20, what="the end in the status"
    )
    assert (resource["stat"], resource["prodStat"], resource["attempts"]) == ("SUCCESS", "finish", 2)
    with tasks.database.as_root() as db:
        rows = labelled_rows(db, schema_of("suspend", phase), task_id)
    assert {table: len(found) for table, found in rows.items()} == {"Ptt": ROWS, "wh_panel_mapping_Ptt": ROWS}
    assert len({row[0] for row in rows["Ptt"]}) == ROWS


@pytest.mark.parametrize("phase", ["queued", "starting"])
def test_a_task_that_does_not_run_yet_is_suspended_and_waits_again_when_resumed(
    installation: Installation, ids: dict[str, str], phase: str
) -> None:
    name = f"suspend-{phase}"
    tasks, task_id = installation, ids[name]
    wait_until(
        lambda: status_of(tasks, name),
        lambda status: (
            condition(status, "Running") == ("False", "Suspended")
            and condition(status, "Stalled") == ("False", "Suspended")
        ),
        seconds=30,
        what="the status to say that the task is suspended",
    )
    wait_no_pod(tasks, task_id)
    assert tasks.post(f"/api/tasks/{task_id}/resume", {}).status_code == 200
    reached(tasks, name, phase)
    assert stored(tasks, name, task_id)["stat"] == "PENDING"
