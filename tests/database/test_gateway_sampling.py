"""Samples of result tables: new ones by their key, the predecessor's by its index, at a bounded cost."""

import random
import time
from collections import Counter
from collections.abc import Iterator

import pymysql
import pytest

from database.worker_runs import Stage
from labeltask_gateway.errors import DatabaseUnavailable
from labeltask_gateway.samples import DatabaseTables
from labeltask_store.connection import DbConnection, open_connection, rows_of
from labeltask_store.result_tables import TABLE_DEFINITION, ResultRow
from labeltask_store.sampling import estimate_rows, limit_statements, random_between, sample_rows
from labeltask_store.state_table import ensure_state_table
from labeltask_testing.server_kinds import numbers_to

SMALL, LARGE, NOBODY = "a" * 32, "b" * 32, "c" * 32
LARGE_ROWS = 100_000
OLD_TABLE = """(id VARCHAR(32), task_id VARCHAR(32), source_author TEXT, panel VARCHAR(200), create_time DATETIME,
field_content TEXT, match_content LONGTEXT, KEY task_id (task_id)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"""


@pytest.fixture(scope="module")
def tables(shared_stage: Stage) -> Stage:
    """fbfans has the key, Ptt the predecessor's index, plurk none; the same rows in each."""
    schema = shared_stage.output_schema
    shared_stage.server.execute(
        f"CREATE TABLE {schema}.fbfans {TABLE_DEFINITION}",
        f"CREATE TABLE {schema}.Ptt {OLD_TABLE}",
        f"CREATE TABLE {schema}.plurk {OLD_TABLE.replace(', KEY task_id (task_id)', '')}",
        *(
            f"INSERT INTO {schema}.fbfans SELECT CONCAT(1577818324915 + seq * 1337, '_FBEXUB'), '{task_id}', 'a', "
            "IF(seq % 2, '/male', '/female'), '2020-01-01 00:00:03', 'WH_F0045', '文' "
            f"FROM {numbers_to(rows)}"
            for task_id, rows in ((SMALL, 50), (LARGE, LARGE_ROWS))
        ),
        f"INSERT INTO {schema}.Ptt SELECT * FROM {schema}.fbfans",
        f"INSERT INTO {schema}.plurk SELECT * FROM {schema}.fbfans",
    )
    return shared_stage


@pytest.fixture
def db(tables: Stage) -> Iterator[DbConnection]:
    opened = open_connection(tables.connection, "pymysql")
    limit_statements(opened, 5)
    yield opened
    opened.close()


def rows_read(db: DbConnection) -> int:
    """Rows that this session has made the storage engine read so far."""
    return sum(int(value) for _, value in rows_of(db, "SHOW SESSION STATUS LIKE 'Handler_read%%'"))


@pytest.mark.parametrize("table", ["fbfans", "Ptt"])
def test_a_sample_is_rows_of_the_task_each_once_in_order(db: DbConnection, tables: Stage, table: str) -> None:
    for task_id in (SMALL, LARGE):
        found = sample_rows(db, tables.output_schema, table, task_id, 20, random.Random(1))
        assert len(found) == 20
        assert found == sorted(set(found))
        assert {row.task_id for row in found} == {task_id}
    number = (int(found[0].id[:13]) - 1577818324915) // 1337
    assert found[0] == ResultRow(
        id=f"{1577818324915 + number * 1337}_FBEXUB",
        task_id=LARGE,
        source_author="a",
        panel="/male" if number % 2 else "/female",
        create_time="2020-01-01 00:00:03",
        field_content="WH_F0045",
        match_content="文",
    )


def test_a_small_sample_of_few_rows_is_never_short_by_chance(db: DbConnection, tables: Stage) -> None:
    sizes = Counter(
        len(sample_rows(db, tables.output_schema, "Ptt", SMALL, 3, random.Random(seed))) for seed in range(200)
    )
    assert sizes == {3: 200}


@pytest.mark.parametrize("table", ["fbfans", "Ptt"])
def test_a_task_with_few_rows_is_shown_whole(db: DbConnection, tables: Stage, table: str) -> None:
    assert len(sample_rows(db, tables.output_schema, table, SMALL, 100, random.Random(1))) == 50


@pytest.mark.parametrize("table", ["fbfans", "Ptt", "plurk", "missing"])
def test_where_the_task_has_no_rows_or_no_index_leads_to_them_the_sample_is_empty(
    db: DbConnection, tables: Stage, table: str
) -> None:
    task_id = LARGE if table in ("plurk", "missing") else NOBODY
    assert sample_rows(db, tables.output_schema, table, task_id, 20, random.Random(1)) == []


@pytest.mark.parametrize(("table", "most"), [("fbfans", 4_000), ("Ptt", 35_000)])
def test_the_rows_read_do_not_grow_with_the_task(db: DbConnection, tables: Stage, table: str, most: int) -> None:
    sample_rows(db, tables.output_schema, table, LARGE, 100, random.Random(1))
    before = rows_read(db)
    assert len(sample_rows(db, tables.output_schema, table, LARGE, 100, random.Random(2))) == 100
    assert rows_read(db) - before < most < LARGE_ROWS


def test_a_sample_by_key_is_spread_over_the_whole_task(db: DbConnection, tables: Stage) -> None:
    tenths: Counter[int] = Counter()
    for seed in range(10):
        for row in sample_rows(db, tables.output_schema, "fbfans", LARGE, 100, random.Random(seed)):
            tenths[(int(row.id[:13]) - 1577818324915) // 1337 * 10 // (LARGE_ROWS + 1)] += 1
    assert len(tenths) == 10
    assert min(tenths.values()) > 60
    assert max(tenths.values()) < 150


@pytest.mark.parametrize(
    ("first", "last"), [("1577_A", "1579_A"), ("a", "a"), ("9", "A"), ("abc", "ab"), ("密1", "密9"), ("1", "22")]
)
def test_a_random_id_has_the_shape_of_the_least_and_is_not_before_it(first: str, last: str) -> None:
    for seed in range(50):
        drawn = random_between(first, last, random.Random(seed))
        assert len(drawn) == len(first)
        assert drawn >= first


def test_the_server_itself_ends_a_statement_that_takes_too_long(tables: Stage) -> None:
    opened = open_connection(tables.connection, "pymysql")
    limit_statements(opened, 0.2)
    started = time.monotonic()
    table = f"{tables.output_schema}.plurk"
    with pytest.raises(pymysql.Error):
        # With a condition: without one MySQL multiplies how many rows there are.
        rows_of(opened, f"SELECT COUNT(*) FROM {table} a, {table} b WHERE a.id < b.panel")
    assert time.monotonic() - started < 5
    opened.close()


def test_the_gateway_samples_every_table_that_the_state_row_names(tables: Stage) -> None:
    schema = tables.output_schema
    asked = DatabaseTables(5)
    assert asked.sample(tables.connection, [schema], SMALL, 3) is None
    opened = open_connection(tables.connection, "pymysql")
    ensure_state_table(opened, schema)
    opened.close()
    tables.server.execute(
        f"INSERT INTO {schema}.state (task_id, stat, result) VALUES ('{SMALL}', 'STARTED', 'Ptt,fbfans')",
        f"INSERT INTO {schema}.state (task_id, stat) VALUES ('{NOBODY}', 'PENDING')",
    )
    found = asked.sample(tables.connection, ["missing", schema], SMALL, 3)
    assert found is not None
    assert len(found) == 6
    assert asked.sample(tables.connection, [schema], NOBODY, 3) == []


def test_a_database_that_refuses_is_unavailable_with_its_number(tables: Stage) -> None:
    wrong = tables.connection.model_copy(update={"user": "nobody"})
    with pytest.raises(DatabaseUnavailable, match=r"MySQL error 1045"):
        DatabaseTables(5).sample(wrong, [tables.output_schema], SMALL, 3)


def test_an_estimate_reads_no_row(db: DbConnection, tables: Stage) -> None:
    schema = tables.output_schema
    tables.server.execute(
        f"CREATE TABLE {schema}.source (id VARCHAR(32) PRIMARY KEY, post_time DATETIME, KEY post_time (post_time))",
        f"INSERT INTO {schema}.source SELECT seq, '2020-01-01' + INTERVAL seq MINUTE FROM {numbers_to(20_000)}",
        f"ANALYZE TABLE {schema}.source",
    )
    before = rows_read(db)
    guess = estimate_rows(db, schema, "source", "2020-01-02", "2020-01-03 00:00:00")
    assert guess is not None
    assert 1_000 < guess < 2_000
    assert rows_read(db) - before < 100


def test_states_are_those_of_the_tasks_that_have_a_row_and_none_where_there_is_no_table(tables: Stage) -> None:
    task_ids = ["f" * 32, "e" * 32]
    opened = open_connection(tables.connection, "pymysql")
    ensure_state_table(opened, tables.output_schema)
    opened.close()
    values = f"('{task_ids[0]}', 'SUCCESS', 'finish')"
    tables.server.execute(f"INSERT INTO {tables.output_schema}.state (task_id, stat, prod_stat) VALUES {values}")
    found = DatabaseTables(5).states(tables.connection, tables.output_schema, task_ids)
    assert {task_id: (row.stat, row.prod_stat) for task_id, row in found.items()} == {"f" * 32: ("SUCCESS", "finish")}
    assert DatabaseTables(5).states(tables.connection, "nowhere_at_all", task_ids) == {}
