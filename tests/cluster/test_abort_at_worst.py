"""Aborts that are hard to obey: of an expression that runs away, sent twice, of a task that nobody knows."""

from collections.abc import Iterator

import pytest

from cluster.conftest import SETTINGS
from labeltask_testing.cluster_commands import container_process, kubectl
from labeltask_testing.gated_tasks import GatedTasks, gated_tasks
from labeltask_testing.installation import Installation, wait_until
from labeltask_testing.node_faults import on_node
from labeltask_testing.running_tasks import pods, wait_running_pod

RUNS_AWAY = {
    "modelType": "rule_model",
    "predictType": "content",
    "pattern": [{"label": "A", "expressions": ["^(a+)+$"]}],
}
GRACE_SECONDS = 15


@pytest.fixture
def tasks(installation: Installation, connection_secret: str) -> Iterator[GatedTasks]:
    """A deployment that gives an expression five minutes for one row."""
    tasks = gated_tasks(installation, connection_secret, "runs_away")
    source = f"`{installation.database.source_schema}`.runs_away"
    columns = "id VARCHAR(32) PRIMARY KEY, s_id VARCHAR(32), author TEXT, content TEXT, post_time DATETIME"
    with installation.database.as_root() as db, db.cursor() as cursor:
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {source} ({columns})")
        cursor.execute(
            f"REPLACE INTO {source} VALUES ('1', 'WH_F0001', 'x', CONCAT(REPEAT('a', 60), 'x'), '2020-01-10')"
        )
    installation.install(*SETTINGS, "labelling.rowBudgetSeconds=300")
    yield tasks
    installation.install(*SETTINGS)


def burnt_seconds(installation: Installation, pod: str) -> float:
    """CPU time of a worker's process."""
    _, process = container_process(pod, installation.namespace, "worker")
    ticks = on_node("cat", f"/proc/{process}/stat").rpartition(")")[2].split()
    return (int(ticks[11]) + int(ticks[12])) / 100


def test_an_expression_that_runs_away_is_killed_after_the_grace_time_and_holds_nothing_up(tasks: GatedTasks) -> None:
    installation = tasks.installation
    source = {"schema": installation.database.source_schema, "table": "runs_away"}
    tasks.create("runs-away", input=source, **RUNS_AWAY)
    wait_until(
        lambda: installation.label_task("runs-away").get("status", {}).get("stat"),
        lambda stat: stat == "STARTED",
        seconds=90,
        what="it to start",
    )
    task_id = tasks.task_id("runs-away")
    pod = wait_running_pod(installation, task_id)
    # Nothing else in a task of one row takes so long.
    wait_until(lambda: burnt_seconds(installation, pod), lambda seen: seen > 6, seconds=180, what="it to run away")
    answers = [installation.post("/api/tasks/abort/", {"TASK_ID": task_id}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    unknown = installation.post("/api/tasks/abort/", {"TASK_ID": "0" * 32})
    assert (unknown.status_code, unknown.json()["error_code"]) == (404, 404)
    tasks.open()
    tasks.create("beside")
    tasks.assert_whole("beside")
    wait_until(
        lambda: pods(installation, task_id),
        lambda left: not left,
        seconds=GRACE_SECONDS + 15,
        what="its pod to be gone",
    )
    status = tasks.wait_stat("runs-away", "BREAK")
    told = installation.status(task_id)
    row = tasks.row(task_id)
    assert (status["reason"], told["stat"], row["stat"]) == ("Aborted", "BREAK", "BREAK")
    assert status["errorMessage"] == told["error_message"] == row["error_message"] == "aborted by spec.abort"
    events = kubectl(
        *("get", "events", "--namespace", installation.namespace, "--output", "name"),
        *("--field-selector", f"involvedObject.name={pod},reason=Killing"),
    )
    assert events
