"""The operator's look at the rows of running tasks: few statements however many run, and figures that only grow."""

import json

import pytest

from database.worker_runs import Stage, eventually
from labeltask_contract.names import job_name
from labeltask_contract.stat import Stat
from labeltask_operator.controller import Controller
from labeltask_operator.state_store import MySqlStateStore
from labeltask_store.connection import open_connection
from labeltask_store.state_table import read_progress
from labeltask_testing.builders import make_job, make_labeltask, make_pod
from labeltask_testing.operator_fakes import FakeCluster, make_settings
from labeltask_testing.source_rows import generate_posts


class Polled:
    """A controller over a real database, whose tasks run as far as a cluster in memory can tell."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.cluster = FakeCluster()
        self.cluster.secrets["main-db"] = {"connection.json": json.dumps(stage.server.site_config()).encode()}
        self.store = MySqlStateStore()
        self.wanted: list[str] = []
        settings = make_settings(default_queue_limit=1000, database_wait_seconds=30)
        self.controller = Controller(settings, self.cluster, self.store, self.wanted.append)

    def run(self, schema: str, numbers: range) -> list[str]:
        """Let tasks run and have rows; return their ids."""
        names = [f"{number:032x}" for number in numbers]
        for name in names:
            output = {"schema": schema}
            task = make_labeltask(name, f"uid-{name}").with_spec(output=output).manifest
            self.cluster.tasks[name] = task
            self.controller.mirror.put_task(task)
            self.controller.reconcile(name)
            self.controller.mirror.put_job(make_job(name, f"uid-{name}").manifest)
            self.controller.mirror.put_pod(make_pod(name=f"pod-{name}", task_id=name))
            self.controller.reconcile(name)
        return names

    def flush(self, schema: str) -> None:
        """Return when the database has answered all that was asked before."""
        site = self.controller._memories[next(iter(self.controller._memories))].connection
        assert site is not None
        self.store.read(site, schema, []).result(timeout=60)

    def statements_of_a_poll(self, schema: str) -> int:
        """How many SELECTs the server counts for one poll."""
        before = self._selects()
        self.controller.poll()
        self.flush(schema)
        return self._selects() - before

    def _selects(self) -> int:
        ((_, count),) = self.stage.server.execute("SHOW GLOBAL STATUS LIKE 'Com_select'")
        return int(count)


def test_the_progress_of_four_workers_is_their_sum_and_never_falls(stage: Stage) -> None:
    stage.load(generate_posts(6_000, seed=31, nulls=0.1))
    task = stage.task(parallelism=4, slice_rows=300, batch_rows=20)
    runs = [task.start(index=index) for index in range(4)]
    db = open_connection(stage.connection, "pymysql")
    seen: list[tuple[int, int]] = []

    def look() -> bool:
        stored = read_progress(db, stage.output_schema, [task.document.task_id]).get(task.document.task_id)
        if stored is not None and stored.rows_estimated is not None:
            assert stored.rows_read <= stored.rows_estimated
            seen.append((100 * stored.rows_read // stored.rows_estimated, stored.rows_read))
            if stored.rows_read and stored.state.stat is Stat.STARTED:
                # Of whichever worker committed last.
                assert stored.seconds_since_heartbeat is not None
                assert stored.seconds_since_heartbeat < 60
            if stored.rows_read > 1_000 and len(runs) == 4:
                runs[1].kill()
                runs.append(task.start(index=1))
        return all(run.process.poll() is not None for run in runs)

    eventually(look, seconds=120)
    db.close()
    assert len(runs) == 5
    assert [run.wait().code for run in (runs[0], *runs[2:])] == [0, 0, 0, 0]
    percents, rows = [percent for percent, _ in seen], [rows for _, rows in seen]
    assert (percents, rows) == (sorted(percents), sorted(rows))
    assert len(set(rows)) > 5
    expected = task.check()
    final = task.progress()
    assert final is not None
    assert final.rows_read == final.rows_estimated == expected.state["length_receive_table"]


@pytest.fixture
def polled(stage: Stage) -> Polled:
    return Polled(stage)


def test_two_hundred_running_tasks_are_read_with_the_statements_of_one(polled: Polled, stage: Stage) -> None:
    schema = stage.output_schema
    polled.run(schema, range(1))
    # One for the rows, one for the slice ledger; it exists once a worker was there.
    alone = polled.statements_of_a_poll(schema)
    names = polled.run(schema, range(1, 200))
    assert polled.statements_of_a_poll(schema) == alone <= 2
    stage.server.execute(f"UPDATE `{schema}`.state SET stat = 'STARTED', length_receive_table = 7")
    polled.wanted.clear()
    polled.controller.poll()
    polled.flush(schema)
    assert set(names) <= set(polled.wanted)
    for name in names:
        polled.controller.reconcile(name)
    seen = [polled.cluster.tasks[name]["status"] for name in names]
    assert {(status["stat"], status["progress"]["rowsRead"]) for status in seen} == {(Stat.STARTED, 7)}
    assert set(polled.cluster.jobs) == {job_name(f"{number:032x}") for number in range(200)}
