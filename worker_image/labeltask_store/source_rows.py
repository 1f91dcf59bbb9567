"""Read source rows: a half-open range of post_time as lazy batches, in (post_time, id) order.

labelling.md, "Input": every row in range is read exactly once; s_id, author and the predicted column are NOT NULL.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import NamedTuple

from labeltask_contract.task_document import TaskDocument
from labeltask_contract.times import format_time, parse_time
from labeltask_store.connection import DbConnection, rows_of
from labeltask_store.slice_plan import source_of
from labeltask_store.sql import qualified, quote

BATCH_BYTES = 4 * 1024 * 1024
"""Most text that a batch holds, whatever its row limit; a single longer row is a batch of its own."""
FETCH_BYTES = 1024 * 1024
FETCH_ROWS = 1_000


class Position(NamedTuple):
    """Where reading goes on: behind this row."""

    post_time: str
    id: str


@dataclass(frozen=True, slots=True)
class SourceRows:
    """Rows as read, by column, in UTF-8: no object for each row. Times are the database's own text, with fractions."""

    ids: Sequence[bytes]
    s_ids: Sequence[bytes]
    authors: Sequence[bytes]
    post_times: Sequence[bytes]
    texts: Sequence[bytes]

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.ids)

    @property
    def last(self) -> Position:
        """Position of the last row."""
        return Position(self.post_times[-1].decode(), self.ids[-1].decode())

    def part(self, start: int, end: int | None = None) -> "SourceRows":
        """Return the rows from ``start`` up to ``end``."""
        wanted = slice(start, end)
        return SourceRows(
            self.ids[wanted], self.s_ids[wanted], self.authors[wanted], self.post_times[wanted], self.texts[wanted]
        )


def columns_of(task: TaskDocument) -> list[str]:
    """Return the source columns that the task reads."""
    return list(dict.fromkeys(["id", "s_id", "author", "post_time", task.predict_type.column]))


def probe_source(db: DbConnection, task: TaskDocument) -> None:
    """Have the database check table, columns and the right to read them; its error says what is wrong."""
    columns = ", ".join(map(quote, columns_of(task)))
    rows_of(db, f"SELECT {columns} FROM {qualified(task.input_schema, task.input_table)} LIMIT 0")  # noqa: S608
    db.rollback()


@dataclass(frozen=True)
class Access:
    """How the source is read in order: the index over post_time, if there is one, and what orders ids."""

    index: str | None
    id_order: str = "id"

    @property
    def sorts(self) -> bool:
        """Whether the server sorts a slice's rows before it sends the first one."""
        return self.index is None or self.id_order != "id"


def find_access(db: DbConnection, task: TaskDocument) -> Access:
    """Return how to read the task's source in (post_time, id) order."""
    unique = rows_of(
        db,
        "SELECT index_name FROM information_schema.statistics WHERE table_schema = %s AND table_name = %s "
        "GROUP BY index_name HAVING MAX(non_unique) = 0 AND COUNT(*) = 1 AND MAX(column_name) = 'id'",
        (task.input_schema, task.input_table),
    )
    # Without a unique key, ids that a collation takes for one another would be one place of the cursor.
    order = "id" if unique else "CONVERT(id USING utf8mb4) COLLATE utf8mb4_bin"
    return Access(find_time_index(db, task), order)


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
    db: DbConnection, task: TaskDocument, access: Access, start: str, end: str, behind: Position | None
) -> Iterator[SourceRows]:
    """Yield the rows with ``start <= post_time < end`` behind a position, at most ``task.batch_rows`` at a time.

    ``db`` streams (unbuffered, bytes); it serves nothing else until the last batch has been taken.
    """
    condition = "post_time >= %s AND post_time < %s"
    values: list[str] = [start, end]
    if behind is not None:
        values[0] = max(start, behind.post_time)
        condition += f" AND (post_time > %s OR {access.id_order} > %s)"
        values += [behind.post_time, behind.id]
    source = source_of(task.input_schema, task.input_table, access.index)
    order = f" ORDER BY post_time, {access.id_order}"
    return _batches(db, task, f"FROM {source} WHERE {condition}", order, values)


def iter_all(db: DbConnection, task: TaskDocument) -> Iterator[SourceRows]:
    """Yield the rows of the task's whole range in whatever order is quickest, for a look that leaves no trace."""
    source = qualified(task.input_schema, task.input_table)
    condition = "post_time >= %s AND post_time < %s"
    values = [format_time(parse_time(task.start_time)), format_time(parse_time(task.end_time))]
    return _batches(db, task, f"FROM {source} WHERE {condition}", "", values)


def _batches(
    db: DbConnection, task: TaskDocument, source: str, order: str, values: Sequence[str]
) -> Iterator[SourceRows]:
    column = task.predict_type.column
    # The author is the text where no other column is read.
    own_text = "" if column == "author" else quote(column)
    wanted = ", ".join(filter(None, ("id, s_id, author, post_time", own_text)))
    present = " AND ".join(f"{name} IS NOT NULL" for name in filter(None, ("s_id", "author", own_text)))
    cursor = db.cursor()
    cursor.execute(f"SELECT {wanted} {source} AND {present}{order}", tuple(values))
    batch: list[tuple[bytes, ...]] = []
    batch_bytes = 0
    fetch = 16
    while rows := cursor.fetchmany(min(fetch, task.batch_rows - len(batch))):
        # Authors may be as long as texts.
        lengths = [len(row[2]) + len(row[4]) for row in rows] if own_text else [len(row[2]) for row in rows]
        batch += rows
        batch_bytes += sum(lengths)
        fetch = max(1, min(FETCH_ROWS, fetch * 4, FETCH_BYTES // (max(lengths) + 1)))
        if len(batch) >= task.batch_rows or batch_bytes >= BATCH_BYTES:
            yield _by_column(batch)
            batch, batch_bytes = [], 0
    if batch:
        yield _by_column(batch)
    cursor.close()


def _by_column(rows: Sequence[tuple[bytes, ...]]) -> SourceRows:
    columns = list(zip(*rows, strict=True))
    return SourceRows(*columns, *repeat(columns[2], 5 - len(columns)))
