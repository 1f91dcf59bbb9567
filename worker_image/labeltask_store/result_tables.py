"""Phase 1's result tables: made when first needed, checked when they are there already.

labelling.md, "Output, phase 1". Tables of the predecessor (without the primary key) are used in place; that a row
appears once there too is the work of the transaction that moves the slice's cursor.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from labeltask_contract.errors import TaskFailure
from labeltask_contract.reasons import Reason
from labeltask_store.connection import DbConnection, changed_by, error_code, rows_of
from labeltask_store.sql import marks, qualified


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

    @cached_property
    def limits(self) -> dict[str, Column]:
        """Columns by name, but for those that are as large as a value may be or hold no text."""
        return {column.name: column for column in self.columns if column.characters is not None}

    def surely_fitting_bytes(self, name: str) -> int:
        """Return how long in UTF-8 a value may be that fits whatever its characters are."""
        column = self.limits.get(name)
        return sys.maxsize if column is None else min(column.characters or 0, column.octets or 0)


_TEXT_BYTES = 2**16 - 1
_NEW_COLUMNS = (
    Column("id", "utf8mb4", 32, 4 * 32),
    Column("source_author", "utf8mb4", _TEXT_BYTES, _TEXT_BYTES),
    Column("panel", "utf8mb4", 200, 4 * 200),
    Column("field_content", "utf8mb4", _TEXT_BYTES, _TEXT_BYTES),
)
"""Columns of ``TABLE_DEFINITION`` that a value may not fit in; its ``LONGTEXT`` is longer than any packet."""


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


def ensure_tables(db: DbConnection, schema: str, names: Iterable[str]) -> None:
    """Have the tables, checked. Ends a transaction: no DDL inside a batch's.

    :raises TaskFailure: as :func:`find_tables`, for one that somebody else made meanwhile.
    """
    wanted = sorted(set(names))
    found = find_tables(db, schema, wanted)
    missing = [name for name in wanted if name not in found]
    for name in missing:
        try:
            changed_by(db, f"CREATE TABLE IF NOT EXISTS {qualified(schema, name)} {TABLE_DEFINITION}")
        except Exception as error:
            if error_code(error) != 1050:
                raise
    db.commit()
    if missing:
        find_tables(db, schema, missing)


def new_table(name: str) -> ResultTable:
    """Return a table as :func:`ensure_tables` makes it."""
    return ResultTable(name, _NEW_COLUMNS)


def max_packet_bytes(db: DbConnection) -> int:
    """Return the longest statement that this session may send."""
    return int(rows_of(db, "SELECT @@SESSION.max_allowed_packet")[0][0])
