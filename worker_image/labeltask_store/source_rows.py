"""Read source rows: a half-open range of post_time as lazy batches, one after the other in (post_time, id) order.

labelling.md, "Input": every row in range is read exactly once; s_id, author and the predicted column are NOT NULL.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import itemgetter

from labeltask_contract.task_document import TaskDocument
from labeltask_contract.times import format_time, parse_time
from labeltask_store.connection import DbConnection, rows_of
from labeltask_store.slice_plan import source_of
from labeltask_store.source_access import Access, Position
from labeltask_store.source_windows import Window, find_window
from labeltask_store.sql import qualified, quote

BATCH_BYTES = 4 * 1024 * 1024
"""Most text that a batch holds, whatever its row limit; a single longer row is a batch of its own."""
FETCH_BYTES = 1024 * 1024
FETCH_ROWS = 1_000
WINDOW_BYTES = 3 * 1024 * 1024
"""Text that a window shall hold: rows differ, and one that reaches BATCH_BYTES is read again, in the order of time."""
FIRST_WINDOW_ROWS = 1_000

Row = tuple[bytes, ...]
"""id, s_id, author, post_time and, where it is another column, the text."""
_POST_TIME = itemgetter(3)


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


class SourceReader:
    """Reads slices of a task's source; what it learns of the size of rows serves the slices that follow."""

    def __init__(self, task: TaskDocument, access: Access) -> None:
        self._task = task
        self._access = access
        self._window_rows = min(task.batch_rows, FIRST_WINDOW_ROWS)

    def iter_batches(self, db: DbConnection, start: str, end: str, behind: Position | None) -> Iterator[SourceRows]:
        """Yield the rows with ``start <= post_time < end`` behind a position, at most ``task.batch_rows`` at a time.

        ``db`` streams (unbuffered, bytes); it serves nothing else until the last batch has been taken.
        """
        ready: SourceRows | None = None
        while window := self._next_window(db, start, end, behind):
            rows = self._select_window(db, window, behind)
            if ready:
                # The server reads the next window meanwhile.
                yield ready
            batch = rows.take(self._task.batch_rows)
            whole = not rows.take(1)
            rows.close()
            if rows.count:
                self._window_rows = min(self._task.batch_rows, max(1, rows.count * WINDOW_BYTES // (rows.size + 1)))
            ready = _in_order_of_time(batch) if whole and batch else None
            if not whole:
                break
            start, behind = window.end, None
        if ready:
            yield ready
        if start < end:
            yield from self._iter_by_time(db, start, end, behind)

    def _next_window(self, db: DbConnection, start: str, end: str, behind: Position | None) -> Window | None:
        if not self._access.lies_by_id or self._access.index is None or start >= end:
            return None
        begin = start if behind is None else max(start, behind.post_time)
        return find_window(db, self._task, self._access.index, begin, end, self._window_rows)

    def _select_window(self, db: DbConnection, window: Window, behind: Position | None) -> "RowStream":
        condition = "id >= %s AND id <= %s AND post_time >= %s AND post_time < %s"
        values = [window.first_id, window.last_id, window.start, window.end]
        if behind is not None:
            condition += " AND (post_time > %s OR id > %s)"
            values += [behind.post_time, behind.id]
        source = source_of(self._task.input_schema, self._task.input_table, "PRIMARY")
        return RowStream(db, self._task, f"FROM {source} WHERE {condition}", " ORDER BY id", values)

    def _iter_by_time(self, db: DbConnection, start: str, end: str, behind: Position | None) -> Iterator[SourceRows]:
        condition = "post_time >= %s AND post_time < %s"
        values: list[str] = [start, end]
        if behind is not None:
            values[0] = max(start, behind.post_time)
            condition += f" AND (post_time > %s OR {self._access.id_order} > %s)"
            values += [behind.post_time, behind.id]
        source = source_of(self._task.input_schema, self._task.input_table, self._access.index)
        order = f" ORDER BY post_time, {self._access.id_order}"
        return RowStream(db, self._task, f"FROM {source} WHERE {condition}", order, values).batches()


def iter_all(db: DbConnection, task: TaskDocument) -> Iterator[SourceRows]:
    """Yield the rows of the task's whole range in whatever order is quickest, for a look that leaves no trace."""
    source = qualified(task.input_schema, task.input_table)
    condition = "post_time >= %s AND post_time < %s"
    values = [format_time(parse_time(task.start_time)), format_time(parse_time(task.end_time))]
    return RowStream(db, task, f"FROM {source} WHERE {condition}", "", values).batches()


class RowStream:
    """Rows of one statement as the server sends them; memory is bounded by what one call takes."""

    def __init__(self, db: DbConnection, task: TaskDocument, source: str, order: str, values: Sequence[str]) -> None:
        column = task.predict_type.column
        # The author is the text where no other column is read.
        self._own_text = column != "author"
        own_text = quote(column) if self._own_text else ""
        wanted = ", ".join(filter(None, ("id, s_id, author, post_time", own_text)))
        present = " AND ".join(f"{name} IS NOT NULL" for name in filter(None, ("s_id", "author", own_text)))
        self._batch_rows = task.batch_rows
        self._cursor = db.cursor()
        self._cursor.execute(f"SELECT {wanted} {source} AND {present}{order}", tuple(values))
        self._fetch = 16
        self.count = 0
        """Rows taken."""
        self.size = 0
        """Bytes of author and text in them."""

    def take(self, most: int) -> list[Row]:
        """Return the next rows: ``most``, fewer when they reach BATCH_BYTES, fewer still only at the end."""
        batch: list[Row] = []
        size = 0
        while len(batch) < most and size < BATCH_BYTES:
            rows = self._cursor.fetchmany(min(self._fetch, most - len(batch)))
            if not rows:
                break
            # Authors may be as long as texts.
            lengths = [len(row[2]) + len(row[4]) for row in rows] if self._own_text else [len(row[2]) for row in rows]
            batch += rows
            size += sum(lengths)
            self._fetch = max(1, min(FETCH_ROWS, self._fetch * 4, FETCH_BYTES // (max(lengths) + 1)))
        self.count += len(batch)
        self.size += size
        return batch

    def batches(self) -> Iterator[SourceRows]:
        """Yield all of them, in their order."""
        while batch := self.take(self._batch_rows):
            yield _by_column(batch)
        self.close()

    def close(self) -> None:
        """Have the connection ready for another statement."""
        self._cursor.close()


def _in_order_of_time(rows: list[Row]) -> SourceRows:
    # Stable: rows of one time stay in the database's order of ids, which may be another than that of bytes.
    return _by_column(sorted(rows, key=_POST_TIME))


def _by_column(rows: Sequence[Row]) -> SourceRows:
    columns = list(zip(*rows, strict=True))
    return SourceRows(*columns, *repeat(columns[2], 5 - len(columns)))
