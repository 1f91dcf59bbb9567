"""A dump that dies anywhere: readers find the old table or the new one, and the next run leaves nothing behind."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from database.dump_runs import OLD, DumpStage
from database.worker_runs import Stage, eventually
from labeltask_testing.dump_oracle import DumpRow

STEPS = 40
"""More than the changes of a whole dump of one table; see the last assertion of the first test."""
ONE_SHELF = {"bbs": ("Ptt",)}


@pytest.fixture
def dumps(stage: Stage) -> DumpStage:
    made = DumpStage(stage)
    made.add_task({"Ptt": [("a", "/male"), ("b", "/female"), ("c", "/male")]})
    made.add_task({"Ptt": [("c", "/male"), ("d", "/female")]})
    made.add_previous("bbs", [("a", "/female", OLD), ("b", "/female", OLD), ("e", "/male", OLD)])
    return made


def put_old_dump(dumps: DumpStage) -> list[DumpRow]:
    schema = dumps.stage.output_schema
    table = f"`{schema}`.wh_panel_mapping_bbs_dump"
    dumps.stage.server.execute(
        f"DROP TABLE IF EXISTS {table}",
        f"CREATE TABLE {table} (source_author TEXT, panel VARCHAR(200), create_time DATETIME)",
        f"INSERT INTO {table} VALUES ('of yesterday', '/male', '{OLD}')",
    )
    return [("of yesterday", "/male", OLD)]


@contextmanager
def reader(dumps: DumpStage, seen: list[object]) -> Iterator[None]:
    """Somebody who reads the dump table all the time, and shall never miss it."""
    over = threading.Event()

    def read() -> None:
        statement = f"SELECT COUNT(*) FROM `{dumps.stage.output_schema}`.wh_panel_mapping_bbs_dump"
        with dumps.stage.server.admin() as db, db.cursor() as cursor:
            while not over.is_set():
                try:
                    cursor.execute(statement)
                    seen.append((cursor.fetchone() or (None,))[0])
                except Exception as error:
                    seen.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def sessions_doing(dumps: DumpStage, statement: str) -> str:
    """Return a query for workers that run a statement like ``statement``."""
    return f"SELECT 1 FROM {dumps.stage.server.kind.sessions} WHERE info LIKE '{statement}' AND user = 'labeltask'"


@pytest.mark.parametrize("how", ["before", "after"])
def test_a_kill_at_any_statement_leaves_the_old_table_or_the_new_and_a_rerun_cleans_up(
    dumps: DumpStage, how: str
) -> None:
    document = dumps.document(shelves=ONE_SHELF)
    new = dumps.expected()["bbs"]
    found_old = found_new = left_something = 0
    for step in range(1, STEPS):
        old = put_old_dump(dumps)
        seen: list[object] = []
        with reader(dumps, seen):
            ended = dumps.start(document, stop_at=step, how=how).wait()
        assert set(seen) <= {len(old), len(new)}, step
        assert dumps.stored()["bbs"] in (old, new), step
        found_old += dumps.stored()["bbs"] == old
        found_new += dumps.stored()["bbs"] == new
        left_something += bool(dumps.leftovers())
        if ended.code == 0:
            break
        assert ended.code == -9
        dumps.run_to_success(document)
        assert dumps.stored()["bbs"] == new, step
        assert dumps.leftovers() == set(), step
    else:
        pytest.fail("the dump has more steps than were tried")
    assert min(found_old, found_new, left_something) >= 2


def test_a_table_that_a_crash_took_in_the_swap_comes_back(dumps: DumpStage) -> None:
    old = put_old_dump(dumps)
    schema = dumps.stage.output_schema
    dumps.stage.server.execute(
        f"RENAME TABLE `{schema}`.wh_panel_mapping_bbs_dump TO `{schema}`.wh_panel_mapping_bbs_dump_old"
    )
    document = dumps.document(shelves={"fb": ("fbfans",), **ONE_SHELF})
    # The first tidying up drops leftovers of both shelf tables; killed behind it, the old table is there again.
    dumps.start(document, stop_at=7, how="after").wait()
    assert dumps.stored()["bbs"] == old
    dumps.run_to_success(document)
    assert dumps.stored()["bbs"] == dumps.expected()["bbs"]


def test_a_statement_of_a_killed_worker_that_still_runs_is_ended_by_the_next_one(dumps: DumpStage) -> None:
    document = dumps.document(shelves=ONE_SHELF)
    sleeping = sessions_doing(dumps, "SELECT SLEEP%")
    first = dumps.start(document, stop_at=10, how="waits")
    eventually(lambda: bool(dumps.stage.server.execute(sleeping)))
    first.kill()
    assert dumps.stage.server.execute(sleeping) == [(1,)]
    dumps.run_to_success(document)
    assert dumps.stored()["bbs"] == dumps.expected()["bbs"]
    assert dumps.stage.server.execute(sleeping) == []
    assert dumps.leftovers() == set()


def test_a_dump_told_to_stop_drops_what_it_had_built_and_says_that_it_may_run_again(dumps: DumpStage) -> None:
    document = dumps.document(shelves=ONE_SHELF)
    sleeping = sessions_doing(dumps, "SELECT SLEEP%")
    run = dumps.start(document, stop_at=10, how="waits")
    eventually(lambda: bool(dumps.stage.server.execute(sleeping)))
    assert dumps.leftovers() != set()
    run.send(signal.SIGTERM)
    ended = run.wait(12)
    assert (ended.code, (ended.termination or {})["reason"]) == (75, "Interrupted")
    eventually(lambda: dumps.leftovers() == set())
    dumps.run_to_success(document)
    assert dumps.stored()["bbs"] == dumps.expected()["bbs"]


def test_two_dumps_to_one_schema_take_turns(dumps: DumpStage) -> None:
    both = [dumps.start(dumps.document(dump_id=f"{number:032x}")) for number in (1, 2)]
    ends = [run.wait() for run in both]
    assert [end.code for end in ends] == [0, 0], ends
    assert dumps.stored() == dumps.expected()
    assert dumps.leftovers() == set()


def test_the_swap_waits_for_a_reader_and_then_goes_through(dumps: DumpStage) -> None:
    old = put_old_dump(dumps)
    document = dumps.document(shelves=ONE_SHELF)
    table = f"FROM `{dumps.stage.output_schema}`.wh_panel_mapping_bbs_dump"
    waiting = sessions_doing(dumps, "RENAME TABLE%")
    with dumps.stage.server.admin() as db, db.cursor() as cursor:
        db.begin()
        cursor.execute(f"SELECT COUNT(*) {table}")
        run = dumps.start(document)
        eventually(lambda: bool(dumps.stage.server.execute(waiting)))
        cursor.execute(f"SELECT source_author, panel, create_time {table}")
        assert list(cursor.fetchall()) == old
        db.rollback()
    assert run.wait().code == 0
    assert dumps.stored()["bbs"] == dumps.expected()["bbs"]
