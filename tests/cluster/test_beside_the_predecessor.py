"""The predecessor goes on writing the same `state` table, of its own shape, while tasks of ours start and run."""

import threading
from typing import Any

import pytest

from labeltask_testing.gated_tasks import GatedTasks, gated_tasks
from labeltask_testing.installation import Installation, wait_until
from labeltask_testing.predecessor import OLD_STATE

NAMES = tuple(f"beside-{number}" for number in range(8))


class Predecessor:
    """Creates a task every moment and ends the one before, in its own columns; ids as its message queue makes them."""

    def __init__(self, tasks: GatedTasks) -> None:
        self._tasks = tasks
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.errors: list[Exception] = []
        self.count = 0

    def __enter__(self) -> "Predecessor":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        table = f"{self._tasks.schema}.state"
        try:
            with self._tasks.installation.database.as_root() as db, db.cursor() as cursor:
                while not self._stop.wait(0.02):
                    ended = f"UPDATE {table} SET stat = 'SUCCESS', length_receive_table = %s WHERE task_id = %s"
                    if self.count:
                        cursor.execute(ended, (self.count - 1, task_id(self.count - 1)))
                    started = f"INSERT INTO {table} (task_id, stat, model_type) VALUES (%s, 'STARTED', 'rule_model')"
                    cursor.execute(started, (task_id(self.count),))
                    db.commit()
                    self.count += 1
        except Exception as error:
            self.errors.append(error)


def task_id(number: int) -> str:
    return f"535b5afb57ed11eca096{number:012x}"


@pytest.fixture
def tasks(installation: Installation, connection_secret: str) -> GatedTasks:
    tasks = gated_tasks(installation, connection_secret, "predecessor")
    with installation.database.as_root() as db, db.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {tasks.schema}.state {OLD_STATE}")
    return tasks


def test_eight_tasks_that_start_together_touch_none_of_its_rows(tasks: GatedTasks) -> None:
    with Predecessor(tasks) as predecessor:
        wait_until(lambda: predecessor.count, lambda count: count > 1, seconds=30, what="it to write")
        # They wait at a gate: so little that all have room on a node of two cores where the demo is installed too.
        tasks.create(*NAMES, resources={"requests": {"cpu": "20m"}})
        for name in NAMES:
            wait_started(tasks, name)
        tasks.open()
        ids = {tasks.assert_whole(name)["taskId"] for name in NAMES}
    assert predecessor.errors == []
    with tasks.installation.database.as_root() as db, db.cursor() as cursor:
        columns = "task_id, stat, model_type, length_receive_table, prod_stat, error_message"
        cursor.execute(f"SELECT {columns} FROM {tasks.schema}.state ORDER BY task_id")
        rows: dict[str, tuple[Any, ...]] = {row[0]: row[1:] for row in cursor.fetchall()}
    last = predecessor.count - 1
    theirs: dict[str, tuple[Any, ...]] = {task_id(n): ("SUCCESS", "rule_model", n, None, None) for n in range(last)}
    theirs[task_id(last)] = ("STARTED", "rule_model", None, None, None)
    assert {key: row for key, row in rows.items() if key not in ids} == theirs
    assert ids <= set(rows)


def wait_started(tasks: GatedTasks, name: str) -> None:
    wait_until(
        lambda: tasks.installation.label_task(name).get("status", {}).get("stat"),
        lambda stat: stat == "STARTED",
        seconds=120,
        what=f"{name} to start",
    )
