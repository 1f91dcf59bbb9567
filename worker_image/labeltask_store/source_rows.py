"""Read source rows: a half-open range of post_time as lazy batches, in (post_time, id) order.

labelling.md, "Input": every row in range is read exactly once; s_id, author and the predicted column are NOT NULL.
"""

from collections.abc import Iterator
from typing import NamedTuple

from labeltask_contract.task_document import TaskDocument
from labeltask_store.connection import DbConnection, rows_of
from labeltask_store.slice_plan import source_of
from labeltask_store.sql import qualified, quote

BATCH_BYTES = 8 * 1024 * 1024
"""Most text that a batch holds, whatever its row limit; a single longer row is a batch of its own."""
FETCH_BYTES = 2 * 1024 * 1024
FETCH_ROWS = 1_000

_BYTES_PER_CHARACTER = 3


class SourceRow(NamedTuple):
    """One row as read. ``post_time`` is the database's own text, with its fraction if the column has one."""

    id: str
    s_id: str
    author: str
    post_time: str
    text: str


class Position(NamedTuple):
    """Where reading goes on: behind this row."""

    post_time: str
    id: str


def columns_of(task: TaskDocument) -> list[str]:
    """Return the source columns that the task reads."""
    return list(dict.fromkeys(["id", "s_id", "author", "post_time", task.predict_type.column]))


def probe_source(db: DbConnection, task: TaskDocument) -> None:
    """Have the database check table, columns and the right to read them; its error says what is wrong."""
    columns = ", ".join(map(quote, columns_of(task)))
    rows_of(db, f"SELECT {columns} FROM {qualified(task.input_schema, task.input_table)} LIMIT 0")  # noqa: S608
    db.rollback()


def find_time_index(db: DbConnection, task: TaskDocument) -> str | None:
    """Return the name of the index that starts with post_time, the shortest if there are several, or None."""
    rows = rows_of(
        db,
        "SELECT a.index_name FROM information_schema.statistics a JOIN information_schema.statistics b "
        "ON a.table_schema = b.table_schema AND a.table_name = b.table_name AND a.index_name = b.index_name "
        "WHERE a.table_schema = %s AND a.table_name = %s AND a.seq_in_index = 1 AND a.column_name = 'post_time' "
        "GROUP BY a.index_name ORDER BY COUNT(*), a.index_name LIMIT 1",
        (task.input_schema, task.input_table),
    )
    db.rollback()
    if not rows:
        return None
    name = str(rows[0][0])
    try:
        quote(name)
    except ValueError:
        return None
    return name


def iter_batches(
    db: DbConnection, task: TaskDocument, index: str | None, start: str, end: str, behind: Position | None
) -> Iterator[list[SourceRow]]:
    """Yield the rows with ``start <= post_time < end`` behind a position, at most ``task.batch_rows`` at a time.

    ``db`` streams (unbuffered); it serves nothing else until the last batch has been taken.
    """
    column = task.predict_type.column
    text_is_author = column == "author"
    selected = "id, s_id, author, CAST(post_time AS CHAR(26))" + ("" if text_is_author else f", {quote(column)}")
    condition = "post_time >= %s AND post_time < %s AND s_id IS NOT NULL AND author IS NOT NULL"
    values: list[str] = [start, end]
    if not text_is_author:
        condition += f" AND {quote(column)} IS NOT NULL"
    if behind is not None:
        values[0] = max(start, behind.post_time)
        condition += " AND (post_time > %s OR id > %s)"
        values += [behind.post_time, behind.id]
    cursor = db.cursor()
    cursor.execute(
        f"SELECT {selected} FROM {source_of(task.input_schema, task.input_table, index)} "  # noqa: S608
        f"WHERE {condition} ORDER BY post_time, id",
        tuple(values),
    )
    batch: list[SourceRow] = []
    batch_bytes = 0
    fetch = 16
    while rows := cursor.fetchmany(min(fetch, task.batch_rows - len(batch))):
        # The author is the text where no other column was read.
        fetched = [SourceRow(row[0], row[1], row[2], row[3], row[2 if text_is_author else 4]) for row in rows]
        longest = max(len(row.text) for row in fetched) * _BYTES_PER_CHARACTER
        fetched_bytes = sum(len(row.text) for row in fetched) * _BYTES_PER_CHARACTER
        batch += fetched
        batch_bytes += fetched_bytes
        fetch = max(1, min(FETCH_ROWS, fetch * 4, FETCH_BYTES // (longest + 1)))
        if len(batch) >= task.batch_rows or batch_bytes >= BATCH_BYTES:
            yield batch
            batch, batch_bytes = [], 0
    if batch:
        yield batch
    cursor.close()
