"""Tasks aborted about when they complete: whichever wins, CR, state table and REST tell of the same end."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

from labeltask_testing.cluster_commands import apply, kubectl_json
from labeltask_testing.database_rows import labelled_rows, state
from labeltask_testing.installation import Body, Installation, wait_until
from labeltask_testing.requests import gender_resource

RACES = 8
"""At once: more of them would wait for each other's pods."""
ROWS = 20
TABLE = "raced"
LATEST_SECONDS = 0.5
"""From an accepted task to its abort, for each task that races beside it: their pods start one after another."""


def race_aborts(installation: Installation, connection_secret: str) -> None:
    """Abort tasks at random moments of their short lives; each has one outcome, and no pod stays."""
    _make_table(installation)
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    source = {"schema": installation.database.source_schema, "table": TABLE}
    names = [f"race-{seed}-{number}" for number in range(RACES)]
    changes = {"input": source, "countdownSeconds": 0}
    apply(*(gender_resource(installation, name, connection_secret, queue=name, **changes) for name in names))

    def accepted(name: str) -> str:
        status = wait_until(
            lambda: installation.label_task(name).get("status", {}),
            lambda seen: "jobName" in seen,
            seconds=120,
            what=f"{name} to have a Job",
        )
        return str(status["taskId"])

    def race(name: str, seconds: float) -> tuple[str, int]:
        task_id = accepted(name)
        # A moment of no meaning is the point: somewhere between the first pod and the last word.
        threading.Event().wait(seconds)
        return task_id, installation.post("/api/tasks/abort/", {"TASK_ID": task_id}).status_code

    moments = [chance.uniform(0, LATEST_SECONDS * RACES) for _ in names]
    with ThreadPoolExecutor(RACES) as threads:
        answers = dict(zip(names, threads.map(race, names, moments), strict=True))
    ends: list[str] = []
    for name, (task_id, code) in answers.items():
        final = installation.wait_final(task_id, seconds=120)
        status = _ended(installation, name)
        with installation.database.as_root() as db:
            row = state(db, installation.database.output_schema, task_id)
            rows = labelled_rows(db, installation.database.output_schema, task_id)
        told = {(end["stat"], end["prod_stat"], end["error_message"]) for end in (final, row)}
        told.add((status["stat"], status.get("prodStat"), status.get("errorMessage")))
        assert len(told) == 1, (name, code, told)
        assert status["stat"] in (("BREAK", "SUCCESS") if code == 200 else ("SUCCESS",)), (name, code, told)
        assert code in (200, 409)
        if status["stat"] == "SUCCESS":
            assert {found: len(kept) for found, kept in rows.items()} == {"Ptt": ROWS, "wh_panel_mapping_Ptt": ROWS}
        ends.append(f"{code} {status['stat']}")
    print({end: ends.count(end) for end in sorted(set(ends))})
    ids = {task_id for task_id, _ in answers.values()}
    wait_until(
        lambda: [
            pod["metadata"]["name"]
            for pod in kubectl_json("get", "pods", "--namespace", installation.namespace)["items"]
            if pod["metadata"]["labels"].get("labelapi.io/task-id") in ids
            and pod["status"]["phase"] in ("Pending", "Running")
        ],
        lambda found: not found,
        seconds=30,
        what="all pods to be gone",
    )


def _make_table(installation: Installation) -> None:
    source = f"`{installation.database.source_schema}`.{TABLE}"
    rows = ", ".join(f"('{number}', 'WH_F0001', '第{number}先生', '2020-01-10')" for number in range(ROWS))
    with installation.database.as_root() as db, db.cursor() as cursor:
        columns = "id VARCHAR(32) PRIMARY KEY, s_id VARCHAR(32), author TEXT, post_time DATETIME"
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {source} ({columns})")
        cursor.execute(f"REPLACE INTO {source} VALUES {rows}")


def _ended(installation: Installation, name: str) -> Body:
    """Wait until the status tells the end, and return it."""
    return wait_until(
        lambda: installation.label_task(name)["status"],
        lambda seen: "completionTime" in seen,
        seconds=30,
        what=f"the end of {name} in its status",
    )
