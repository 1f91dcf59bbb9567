"""The store's functions as gateway, operator and worker call them, through either driver."""

from collections.abc import Iterator
from typing import get_args

import pytest

from database.worker_runs import Stage
from labeltask_contract.stat import ProdStat, Stat
from labeltask_store import authors, ledger_sums, slices, state_table
from labeltask_store.connection import DbConnection, Driver, open_connection, rows_of
from labeltask_store.slice_plan import PlannedSlice, cut_range
from labeltask_store.source_access import Position
from labeltask_store.workers import WORKER_TABLES, Fenced, Worker, register
from labeltask_testing.source_rows import END, START


@pytest.fixture(params=get_args(Driver))
def db(request: pytest.FixtureRequest, stage: Stage) -> Iterator[DbConnection]:
    opened = open_connection(stage.connection, request.param)
    yield opened
    opened.close()


def test_a_session_speaks_utf8mb4_strictly_and_sees_what_is_committed(db: DbConnection) -> None:
    row = rows_of(db, "SELECT @@character_set_client, @@character_set_results, @@sql_mode, @@autocommit, '🙈'")[0]
    assert row[:2] == ("utf8mb4", "utf8mb4")
    assert "STRICT_TRANS_TABLES" in row[2]
    assert row[3:] == (0, "🙈")


def test_a_pending_row_is_inserted_once_and_never_overwritten(db: DbConnection, stage: Stage) -> None:
    task = stage.task().document
    schema = stage.output_schema
    assert state_table.read_state(db, schema, task.task_id) is None
    assert state_table.read_progress(db, schema, [task.task_id]) == {}
    state_table.ensure_state_table(db, schema)
    state_table.ensure_state_table(db, schema)
    state_table.insert_pending(db, schema, task)
    first = state_table.read_state(db, schema, task.task_id)
    assert first is not None
    assert (first.stat, first.target_table, first.date_range) == (
        Stat.PENDING, stage.input_schema, "2020-01-01 00:00:00 - 2020-02-01 00:00:00"
    )  # fmt: skip
    assert first.create_time is not None
    state_table.start_task(db, schema, task.task_id)
    state_table.insert_pending(db, schema, task)
    second = state_table.read_state(db, schema, task.task_id)
    assert second is not None
    assert (second.stat, second.create_time) == (Stat.STARTED, first.create_time)
    progress = state_table.read_progress(db, schema, [task.task_id, "unknown"])
    assert progress == {task.task_id: state_table.StoredProgress(second, 0, 0, None, None)}
    assert state_table.read_progress(db, schema, []) == {}


@pytest.mark.parametrize(
    ("stat", "prod_stat", "changes"),
    [
        (Stat.PENDING, None, True),
        (Stat.STARTED, None, True),
        (Stat.SUCCESS, None, True),
        (Stat.SUCCESS, ProdStat.FINISH, False),
        (Stat.SUCCESS, ProdStat.NO_DATA, False),
        (Stat.FAILURE, None, False),
        (Stat.BREAK, None, False),
    ],
)
def test_a_task_is_ended_unless_it_is_final(
    db: DbConnection, stage: Stage, stat: Stat, prod_stat: ProdStat | None, changes: bool
) -> None:
    task = stage.task().document
    schema = stage.output_schema
    state_table.ensure_state_table(db, schema)
    state_table.insert_pending(db, schema, task)
    stored = f"'{prod_stat.value}'" if prod_stat else "NULL"
    stage.server.execute(f"UPDATE `{schema}`.state SET stat = '{stat.value}', prod_stat = {stored}")
    before = state_table.read_state(db, schema, task.task_id)
    assert state_table.end_task(db, schema, task.task_id, Stat.BREAK, "why 🙈" + "x" * 10_000) is changes
    after = state_table.read_state(db, schema, task.task_id)
    assert before is not None
    assert after is not None
    if changes:
        assert after.stat is Stat.BREAK
        assert after.error_message is not None
        assert len(after.error_message) == state_table.MAX_MESSAGE_CHARACTERS
    else:
        assert after == before
    assert before.is_final is not changes
    assert state_table.end_task(db, schema, "missing", Stat.FAILURE, "x") is False


def test_a_row_in_the_words_of_somebody_else_can_be_read(db: DbConnection, stage: Stage) -> None:
    state_table.ensure_state_table(db, stage.output_schema)
    stage.server.execute(
        f"INSERT INTO `{stage.output_schema}`.state (task_id, stat, prod_stat) VALUES ('x', 'LOST', '')"
    )
    row = state_table.read_state(db, stage.output_schema, "x")
    assert row is not None
    assert (row.stat, row.prod_stat, row.is_final) == (None, None, False)


def test_a_claim_is_exclusive_and_lost_with_the_registration(db: DbConnection, stage: Stage) -> None:
    task = stage.task().document
    schema = stage.output_schema
    state_table.ensure_state_table(db, schema)
    state_table.insert_pending(db, schema, task)
    slices.ensure_tables(db, schema, {**slices.SLICE_TABLES, **WORKER_TABLES})
    old, new, other = (Worker(task.task_id, *who) for who in (("old", 0), ("new", 0), ("other", 1)))
    register(db, schema, old)
    register(db, schema, other)
    slices.store_plan(db, schema, old, [PlannedSlice(START, END, 7)], [])
    slices.store_plan(db, schema, old, cut_range(START, END, 1, lambda *_: [(START, 9)]), [])
    assert ledger_sums.count_slices(db, schema, task.task_id) == 1
    claim = slices.claim_slice(db, schema, old)
    assert claim is not None
    assert slices.claim_slice(db, schema, other) is None
    assert slices.lock_claim(db, schema, claim) == 0
    moved = slices.advance(db, schema, claim, Position("2020-01-02 00:00:00.5", "a'%s"), 5, {"t": 2})
    db.commit()
    with pytest.raises(Fenced):
        slices.advance(db, schema, claim, Position("2020-01-02", "b"), 1, {})
    register(db, schema, new)
    with pytest.raises(Fenced):
        slices.claim_slice(db, schema, old)
    taken = slices.claim_slice(db, schema, new)
    assert taken is not None
    assert (taken.behind, taken.batches, taken.rows_read, taken.labelled) == (
        Position("2020-01-02 00:00:00.500000", "a'%s"), 1, 5, {"t": 2}
    )  # fmt: skip
    further = slices.advance(db, schema, taken, Position(None, "é"), 4, {"t": 1, "u": 3})
    assert (further.rows_read, further.labelled) == (9, {"t": 3, "u": 3})
    assert slices.load_claim(db, schema, task.task_id, 0, "new", taken.number) == further
    db.rollback()
    assert slices.claim_slice(db, schema, new, in_hand=[0]) is None
    with pytest.raises(Fenced):
        slices.lock_claim(db, schema, moved)
    with pytest.raises(Fenced):
        slices.finish_slice(db, schema, moved)
    slices.release(db, schema, moved)
    assert slices.lock_claim(db, schema, taken) == 1
    db.rollback()
    slices.finish_slice(db, schema, taken)
    slices.finish_slice(db, schema, taken)
    assert slices.claim_slice(db, schema, other) is None
    assert ledger_sums.read_totals(db, schema, task.task_id) == ledger_sums.Totals(1, 0, 5, 2, 5, None)
    found = state_table.read_progress(db, schema, [task.task_id])[task.task_id]
    assert (found.rows_read, found.rows_labelled, found.rows_estimated) == (5, 2, 5)
    assert found.seconds_since_heartbeat is not None
    # The row was never told how far the worker came; what ends it looks into the ledger.
    assert state_table.end_task(db, schema, task.task_id, Stat.BREAK, "aborted") is True
    ended = state_table.read_state(db, schema, task.task_id)
    assert ended is not None
    assert (ended.length_receive_table, ended.length_output_table) == (5, 2)


def test_authors_are_counted_exactly_in_several_passes(
    db: DbConnection, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authors, "DIGESTS_IN_MEMORY", 100)
    schema = stage.output_schema
    slices.ensure_tables(db, schema, authors.AUTHOR_TABLES)
    for number in range(6):
        names = [f"作者{n}".encode() for n in range(number * 50, number * 50 + 100)]
        digests = list(map(authors.digest_of, names))
        authors.append_authors(db, schema, "t", number % 2, number, {"Ptt": digests, "news": digests[:10]})
    authors.append_authors(db, schema, "t", 0, 7, {})
    authors.append_authors(db, schema, "u", 0, 0, {"Ptt": [b"x" * 16]})
    db.commit()
    assert authors.count_authors(db, schema, "t", ["Ptt", "news", "blog"]) == {"Ptt": 350, "news": 60, "blog": 0}
    authors.delete_authors(db, schema, "t")
    db.commit()
    assert authors.count_authors(db, schema, "t", ["Ptt"]) == {"Ptt": 0}
    assert authors.count_authors(db, schema, "u", ["Ptt"]) == {"Ptt": 1}
