"""A worker killed where most is half done: between INSERT and COMMIT, in its countdown, and in phase two."""

from typing import Any

from labeltask_testing.cluster_commands import kill_container_process
from labeltask_testing.database_rows import labelled_rows
from labeltask_testing.gated_tasks import GatedTasks, gated_tasks
from labeltask_testing.holds import hold_commits
from labeltask_testing.installation import Installation, wait_until
from labeltask_testing.running_tasks import wait_running_pod

SCHEMA, NAME = "killed_at_worst", "killed-at-worst"
PRODUCTION = f"{SCHEMA}.wh_panel_mapping_Ptt"


def query(installation: Installation, statement: str, *values: object) -> list[tuple[Any, ...]]:
    with installation.database.as_root() as db, db.cursor() as cursor:
        cursor.execute(statement, values)
        return list(cursor.fetchall())


def hold_up_phase_two(tasks: GatedTasks) -> None:
    """Have the gate stand before a production table too."""
    with tasks.installation.database.as_root() as db, db.cursor() as cursor:
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {PRODUCTION} LIKE {SCHEMA}.Ptt")
        cursor.execute(
            f"CREATE OR REPLACE TRIGGER {SCHEMA}.gated_too BEFORE INSERT ON {PRODUCTION} FOR EACH ROW "
            f"DO SLEEP((SELECT seconds FROM {SCHEMA}.gate))"
        )


def kill_worker(installation: Installation, task_id: str, killed: set[str]) -> None:
    name = wait_running_pod(installation, task_id, but=killed)
    kill_container_process(name, installation.namespace, "worker")
    killed.add(name)


def visible_and_told(installation: Installation, task_id: str) -> tuple[int, int]:
    """How many of the task's rows others can see in the result tables, and how many the ledger speaks of."""
    with installation.database.as_root() as db:
        visible = sum(map(len, labelled_rows(db, SCHEMA, task_id).values()))
    told = query(
        installation, f"SELECT COALESCE(SUM(rows_labelled), 0) FROM {SCHEMA}.label_slice WHERE task_id = %s", task_id
    )
    return visible, int(told[0][0])


def test_a_worker_killed_between_insert_and_commit_then_in_its_countdown_then_in_phase_two_leaves_each_row_once(
    installation: Installation, connection_secret: str
) -> None:
    tasks = gated_tasks(installation, connection_secret, SCHEMA)
    hold_up_phase_two(tasks)
    task_id = tasks.start(NAME, countdownSeconds=30)[NAME]
    killed: set[str] = set()

    with hold_commits(installation.database.as_root, SCHEMA, task_id, rows=1) as hold:
        tasks.open()
        hold.reached()
        before = visible_and_told(installation, task_id)
        assert before[0] == before[1]
        kill_worker(installation, task_id, killed)

    wait_until(
        lambda: tasks.row(task_id), lambda row: row["stat"] == "SUCCESS", seconds=120, what="the end of labelling"
    )
    visible, told = visible_and_told(installation, task_id)
    assert visible == told > before[0]
    tasks.close()
    kill_worker(installation, task_id, killed)
    assert not tasks.row(task_id)["prod_stat"]

    # No other task comes to this server's gates now, and this one's only in phase two.
    asleep = "SELECT 1 FROM information_schema.processlist WHERE state = 'User sleep'"
    wait_until(lambda: query(installation, asleep), bool, seconds=120, what="phase two at the gate")
    kill_worker(installation, task_id, killed)
    tasks.open()
    status = tasks.assert_whole(NAME, seconds=180)
    assert status["attempts"] == 4
