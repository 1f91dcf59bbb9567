"""Phase 1's result tables: made when first needed, checked when they are there already, filled in few statements.

labelling.md, "Output, phase 1". Tables of the predecessor (without the primary key) are used in place; that a row
appears once there too is the work of the transaction that moves the slice's cursor.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from labeltask_contract.errors import LabelTaskError, TaskFailure
from labeltask_contract.reasons import Reason
from labeltask_store.connection import DbConnection, Escape, changed_by, error_code, rows_of
from labeltask_store.sql import marks, qualified

STATEMENT_BYTES = 4 * 1024 * 1024
"""Most bytes of one INSERT, whatever the server takes."""
_PACKET_OVERHEAD_BYTES = 16


class NewRow(NamedTuple):
    """One labelled row to be written, in UTF-8; the task's id comes with the table."""

    id: bytes
    source_author: bytes
    panel: bytes
    create_time: bytes
    field_content: bytes
    match_content: bytes


class ResultRow(NamedTuple):
    """One row as a result table holds it; the fields are the table's columns, in order."""

    id: str
    task_id: str
    source_author: str
    panel: str
    create_time: str
    field_content: str
    match_content: str


COLUMNS = ResultRow._fields
_TEXT_COLUMNS = ("source_author", "panel", "field_content", "match_content")

TABLE_DEFINITION = """(
  id VARCHAR(32) NOT NULL,
  task_id VARCHAR(32) NOT NULL,
  source_author TEXT,
  panel VARCHAR(200) NOT NULL,
  create_time DATETIME,
  field_content TEXT,
  match_content LONGTEXT,
  PRIMARY KEY (task_id, id, panel)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"""


@dataclass(frozen=True)
class Column:
    """What an existing column can hold; a limit is None where the type has none."""

    name: str
    charset: str | None
    characters: int | None
    octets: int | None


@dataclass(frozen=True)
class ResultTable:
    """A table that is there and can hold the text, with its columns' limits."""

    name: str
    columns: tuple[Column, ...]


class RowDoesNotFit(LabelTaskError):
    """One row exceeds a limit of the database; ``row_id`` is the source row's id."""

    def __init__(self, row_id: bytes, message: str) -> None:
        self.row_id = row_id
        super().__init__(message)


def find_tables(db: DbConnection, schema: str, names: Iterable[str]) -> dict[str, ResultTable]:
    """Return those of ``names`` that exist, checked.

    :raises TaskFailure: CharsetUnfit or OutputNotWritable, naming the table and what is wrong with it.
    """
    wanted = sorted(set(names))
    rows = rows_of(
        db,
        "SELECT c.table_name, t.engine, c.column_name, c.character_set_name, c.character_maximum_length, "  # noqa: S608
        "c.character_octet_length FROM information_schema.columns c JOIN information_schema.tables t "
        "ON t.table_schema = c.table_schema AND t.table_name = c.table_name "
        f"WHERE c.table_schema = %s AND c.table_name IN ({marks(len(wanted))}) ORDER BY c.ordinal_position",
        (schema, *wanted),
    )
    db.rollback()
    found: dict[str, list[Column]] = {}
    for table, engine, name, charset, characters, octets in rows:
        if engine is not None and str(engine).lower() != "innodb":
            message = f"{schema}.{table} is a {engine} table, which has no transactions; convert it to InnoDB"
            raise TaskFailure(Reason.OUTPUT_NOT_WRITABLE, message)
        found.setdefault(str(table), []).append(Column(str(name).lower(), charset, characters, octets))
    for table, columns in found.items():
        _check_columns(f"{schema}.{table}", columns)
    return {table: ResultTable(table, tuple(columns)) for table, columns in found.items()}


def _check_columns(table: str, columns: Sequence[Column]) -> None:
    by_name = {column.name: column for column in columns}
    missing = [name for name in COLUMNS if name not in by_name]
    if missing:
        message = f"{table} lacks the column {missing[0]}; a result table has {', '.join(COLUMNS)}"
        raise TaskFailure(Reason.OUTPUT_NOT_WRITABLE, message)
    for name in _TEXT_COLUMNS:
        charset = by_name[name].charset
        if charset != "utf8mb4":
            message = (
                f"{table} keeps {name} in {charset}, which can't hold every text; "
                f"convert it: ALTER TABLE {table} CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
            )
            raise TaskFailure(Reason.CHARSET_UNFIT, message)


def ensure_table(db: DbConnection, schema: str, name: str) -> ResultTable:
    """Have the table and return it, checked. Ends a transaction: no DDL inside a batch's."""
    found = find_tables(db, schema, [name])
    if name not in found:
        try:
            changed_by(db, f"CREATE TABLE IF NOT EXISTS {qualified(schema, name)} {TABLE_DEFINITION}")
        except Exception as error:
            if error_code(error) != 1050:
                raise
        db.commit()
        found = find_tables(db, schema, [name])
    # A server with lower_case_table_names=1 gives its own spelling back.
    return found.get(name) or ResultTable(name, next(iter(found.values())).columns)


def max_packet_bytes(db: DbConnection) -> int:
    """Return the longest statement that this session may send."""
    return int(rows_of(db, "SELECT @@SESSION.max_allowed_packet")[0][0])


def build_inserts(
    escape: Escape, schema: str, table: ResultTable, task_id: str, rows: Sequence[NewRow], packet_bytes: int
) -> list[bytes]:
    """Return INSERT statements for ``rows``, few and none longer than the server takes; nothing is sent yet.

    :raises RowDoesNotFit: naming the first row that exceeds the packet or a column.
    """
    return list(_iter_inserts(escape, schema, table, task_id, rows, packet_bytes))


def _iter_inserts(
    escape: Escape, schema: str, table: ResultTable, task_id: str, rows: Sequence[NewRow], packet_bytes: int
) -> Iterator[bytes]:
    limits = _limits(table)
    most = {name: _surely_fitting_bytes(limits, name) for name in NewRow._fields}
    most_id, most_panel = most.pop("id"), most.pop("panel")
    most_others = min(most.values())
    head = f"INSERT INTO {qualified(schema, table.name)} ({', '.join(COLUMNS)}) VALUES ".encode()  # noqa: S608
    # Only a task whose source holds an id twice, or whose ledger was lost, meets the key; the row is there once then.
    tail = b" ON DUPLICATE KEY UPDATE task_id = task_id"
    fixed = len(head) + len(tail) + _PACKET_OVERHEAD_BYTES
    allowed = min(packet_bytes, STATEMENT_BYTES)
    template = b"('%b','" + escape(task_id.encode()) + b"','%b','%b','%b','%b','%b')"
    pending: list[bytes] = []
    size = fixed
    for row in rows:
        values = template % tuple(map(escape, row))
        if len(row.id) > most_id or len(row.panel) > most_panel or len(values) > most_others:
            _check_fits(f"{schema}.{table.name}", row, limits)
        if fixed + len(values) > packet_bytes:
            message = (
                f"the source row {row.id.decode()} needs a statement of {fixed + len(values):,} bytes "
                f"for {schema}.{table.name}, the server's max_allowed_packet is {packet_bytes:,}; "
                "raise it or exclude the row"
            )
            raise RowDoesNotFit(row.id, message)
        if pending and size + len(values) + 1 > allowed:
            yield head + b",".join(pending) + tail
            pending, size = [], fixed
        pending.append(values)
        size += len(values) + 1
    if pending:
        yield head + b",".join(pending) + tail


def run_insert(db: DbConnection, statement: bytes) -> int:
    """Execute one of :func:`build_inserts`' statements; return how many rows it added."""
    cursor = db.cursor()
    try:
        cursor.execute(statement)
        added: int = cursor.rowcount
        return added
    finally:
        cursor.close()


def _limits(table: ResultTable) -> dict[str, Column]:
    return {
        column.name: column
        for column in table.columns
        if column.name in NewRow._fields and column.characters is not None
    }


def _surely_fitting_bytes(limits: Mapping[str, Column], name: str) -> int:
    column = limits.get(name)
    return sys.maxsize if column is None else min(column.characters or 0, column.octets or 0)


def _check_fits(table: str, row: NewRow, limits: Mapping[str, Column]) -> None:
    for name, value in zip(NewRow._fields, row, strict=True):
        column = limits.get(name)
        if column is None:
            continue
        characters = len(value.decode())
        # For VARCHAR the limit is characters, for TEXT it is bytes, which information_schema gives as both.
        if characters > (column.characters or 0) or len(value) > (column.octets or 0):
            message = (
                f"the source row {row.id.decode()} has {characters:,} characters ({len(value):,} bytes) "
                f"for {table}.{name}, which holds {column.characters:,}; widen the column or exclude the row"
            )
            raise RowDoesNotFit(row.id, message)
