"""Tasks posted at once on a schema that holds nothing but an old `state` table, which lacks a column of ours."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from labeltask_testing.cluster_database import Db
from labeltask_testing.gated_tasks import TABLE, GatedTasks, gated_tasks
from labeltask_testing.installation import Installation, wait_until
from labeltask_testing.predecessor import OLD_STATE
from labeltask_testing.requests import gender_request

TASKS = 8
OLD_ROWS = [("odd", "LOST", None), ("old", "SUCCESS", 7)]
WAITING = (
    "SELECT COUNT(DISTINCT id) FROM information_schema.processlist "
    "WHERE state LIKE 'Waiting for table metadata lock%' AND info LIKE 'ALTER TABLE%ADD COLUMN error_message%'"
)


@pytest.fixture
def tasks(installation: Installation, connection_secret: str) -> GatedTasks:
    tasks = gated_tasks(installation, connection_secret, "old_state")
    with installation.database.as_root() as db, db.cursor() as cursor:
        cursor.execute(f"DROP TABLE {tasks.schema}.Ptt, {tasks.schema}.gate")
        cursor.execute(f"CREATE TABLE {tasks.schema}.state {OLD_STATE}")
        columns = "(task_id, stat, length_receive_table)"
        cursor.executemany(f"INSERT INTO {tasks.schema}.state {columns} VALUES (%s, %s, %s)", OLD_ROWS)
    return tasks


def test_one_of_those_that_add_the_column_at_once_wins_and_no_task_fails(tasks: GatedTasks) -> None:
    installation = tasks.installation
    where = installation.database.host_in_cluster
    # Each name of the server is a database of its own to the operator: it asks them all at once.
    hosts = [where.removesuffix(end) for end in ("", ".cluster.local", ".svc.cluster.local")]
    requests = [
        gender_request(
            installation,
            INPUT_TABLE=TABLE,
            OUTPUT_SCHEMA=tasks.schema,
            QUEUE=f"old-state-{number}",
            SITE_CONFIG={**installation.database.site_config, "host": hosts[number % len(hosts)]},
        )
        for number in range(TASKS)
    ]
    with installation.database.as_root() as reader, reader.cursor() as cursor:
        # While somebody reads in a transaction no column can be added.
        cursor.execute(f"SELECT task_id FROM {tasks.schema}.state")
        with ThreadPoolExecutor(TASKS) as pool:
            ids = list(pool.map(installation.create, requests))
        with installation.database.as_root() as other:
            wait_until(lambda: waiting(other), lambda count: count >= len(hosts), seconds=120, what="several to wait")
    for task_id in ids:
        tasks.assert_whole(task_id, seconds=180)
    with installation.database.as_root() as db, db.cursor() as cursor:
        cursor.execute(f"SELECT task_id, stat, length_receive_table, error_message FROM {tasks.schema}.state")
        rows = cursor.fetchall()
    assert sorted(row for row in rows if row[0] not in ids) == [(*row, None) for row in OLD_ROWS]
    assert {row[0] for row in rows} == {*ids, *(name for name, *_ in OLD_ROWS)}


def waiting(db: Db) -> int:
    """How many sessions stand before the table to add the column."""
    with db.cursor() as cursor:
        cursor.execute(WAITING)
        ((count,),) = cursor.fetchall()
    return int(count)
