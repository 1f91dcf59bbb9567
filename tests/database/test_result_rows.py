"""Result rows are stored as they are, whatever stands in them, in statements that the server takes."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from database.worker_runs import Stage
from labeltask_store.connection import DbConnection, escaper, open_connection, rows_of
from labeltask_store.result_rows import NewRow, RowDoesNotFit, encode_rows, insert_rows
from labeltask_store.result_tables import ensure_tables, find_tables, new_table

TASK_ID = "a" * 32
TABLES = {"one": new_table("one"), "two": new_table("two")}
MIB = 1024 * 1024

# What escaping is about, what stands between values while they are escaped, and letters that hold such bytes.
TEXTS = st.text(st.one_of(st.sampled_from("\0\n\r\x1a'\"\\%_,();\t女İ😀þÿ\U0010ffff"), st.characters(codec="utf-8")))


def row(number: int, text: str, *, author: str = "author") -> NewRow:
    return (f"id{number}".encode(), author.encode(), b"/x", b"2020-01-01 00:00:00", b"WH_F0045", text.encode())


@pytest.fixture
def db(stage: Stage) -> Iterator[DbConnection]:
    opened = open_connection(stage.connection, "mysqlclient")
    ensure_tables(opened, stage.output_schema, TABLES)
    yield opened
    opened.close()


def stored(stage: Stage, table: str) -> list[tuple[str, str, str]]:
    rows = stage.server.execute(
        f"SELECT id, source_author, match_content FROM `{stage.output_schema}`.`{table}` ORDER BY LENGTH(id), id"
    )
    return [(str(id_), str(author), str(text)) for id_, author, text in rows]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.tuples(TEXTS, TEXTS, st.sampled_from(["one", "two"])), min_size=1, max_size=20))
def test_whatever_stands_in_a_row_is_stored_as_it_is(
    stage: Stage, db: DbConnection, texts: list[tuple[str, str, str]]
) -> None:
    schema = stage.output_schema
    rows = [row(number, text, author=author) for number, (author, text, _) in enumerate(texts)]
    names = [name for *_, name in texts]
    values = encode_rows(escaper(db), schema, TABLES, names, rows, packet_bytes=16 * MIB)
    for name in sorted(values):
        assert insert_rows(db, schema, name, TASK_ID, values[name], 16 * MIB) == names.count(name)
        # The key has them there once, however often they come.
        assert insert_rows(db, schema, name, TASK_ID, values[name], 16 * MIB) == 0
    db.commit()
    for wanted in TABLES:
        expected = [(f"id{n}", author, text) for n, (author, text, name) in enumerate(texts) if name == wanted]
        assert stored(stage, wanted) == expected
        stage.server.execute(f"DELETE FROM `{schema}`.`{wanted}`")


@pytest.mark.parametrize("packet_bytes", [2_000, 20_000, 16 * MIB])
def test_rows_are_written_in_as_many_statements_as_the_packet_wants(
    stage: Stage, db: DbConnection, packet_bytes: int
) -> None:
    schema = stage.output_schema
    rows = [row(number, "'" * (number % 500)) for number in range(300)]
    values = encode_rows(escaper(db), schema, TABLES, ["one"] * 300, rows, packet_bytes)["one"]
    before = rows_of(db, "SHOW SESSION STATUS LIKE 'Com_insert'")[0][1]
    assert insert_rows(db, schema, "one", TASK_ID, values, packet_bytes) == 300
    sent = int(rows_of(db, "SHOW SESSION STATUS LIKE 'Com_insert'")[0][1]) - int(before)
    db.commit()
    size = sum(map(len, values))
    assert size // packet_bytes <= sent <= 1 + 4 * size // packet_bytes
    assert stored(stage, "one") == [(f"id{n}", "author", "'" * (n % 500)) for n in range(300)]


def test_the_first_row_longer_than_a_packet_is_named(stage: Stage, db: DbConnection) -> None:
    rows = [row(0, "x"), row(1, "x" * 2_000), row(2, "x" * 3_000)]
    with pytest.raises(
        RowDoesNotFit, match=r"the source row id1 needs a statement of 2,\d\d\d bytes for .*\.two"
    ) as told:
        encode_rows(escaper(db), stage.output_schema, TABLES, ["one", "two", "one"], rows, packet_bytes=2_000)
    assert told.value.row_id == b"id1"


@pytest.mark.parametrize(
    ("wide", "message"),
    [
        ((b"x" * 33, b"a", b"/x"), r"33 characters \(33 bytes\) for .*\.one\.id, which holds 32"),
        ((b"id", b"a" * 65_536, b"/x"), r"65,536 characters \(65,536 bytes\) for .*\.one\.source_author"),
        ((b"id", "女".encode() * 21_846, b"/x"), r"21,846 characters \(65,538 bytes\) for .*\.one\.source_author"),
        ((b"id", b"a", ("/" + "女" * 200).encode()), r"201 characters \(601 bytes\) for .*\.one\.panel"),
    ],
    ids=["id", "author", "author in bytes", "panel"],
)
def test_a_value_longer_than_its_column_is_named(
    stage: Stage, db: DbConnection, wide: tuple[bytes, bytes, bytes], message: str
) -> None:
    rows: list[NewRow] = [row(0, "x"), (*wide, b"2020-01-01 00:00:00", b"WH_F0045", b"text")]
    with pytest.raises(RowDoesNotFit, match=message):
        encode_rows(escaper(db), stage.output_schema, TABLES, ["one", "one"], rows, 16 * MIB)


def test_a_value_that_has_many_bytes_but_few_characters_fits(stage: Stage, db: DbConnection) -> None:
    panel = ("/" + "女" * 199).encode()
    rows: list[NewRow] = [(("女" * 32).encode(), b"a", panel, b"2020-01-01", b"s", b"t")]
    values = encode_rows(escaper(db), stage.output_schema, TABLES, ["one"], rows, 16 * MIB)
    assert insert_rows(db, stage.output_schema, "one", TASK_ID, values["one"], 16 * MIB) == 1
    db.commit()


def test_a_table_that_is_made_is_as_it_is_taken_for_before(stage: Stage, db: DbConnection) -> None:
    made = find_tables(db, stage.output_schema, ["one"])["one"]
    assumed = new_table("one")
    for column in ("id", "source_author", "panel", "create_time", "field_content"):
        assert made.limits.get(column) == assumed.limits.get(column)
    assert made.surely_fitting_bytes("match_content") > 16 * MIB
