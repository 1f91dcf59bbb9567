"""Read source rows: a half-open range of post_time in lazy portions, one after the other in the order of the reading.

labelling.md, "Input": every row in range is read exactly once; s_id, author and the predicted column are NOT NULL.
"""

from collections.abc import Iterator, Sequence
from operator import add, itemgetter

from labeltask_contract.task_document import TaskDocument
from labeltask_contract.times import format_time, parse_time
from labeltask_store.connection import DbConnection, rows_of
from labeltask_store.source_access import Access, Position
from labeltask_store.source_order import Reading, plan_reading
from labeltask_store.sql import qualified, quote

PORTION_ROWS = 2_000
"""Most rows that are labelled at once: they and what becomes of them stay in the processor's cache. A million author
names took 1.4 processor seconds in such portions, 1.8 in portions of 10,000."""
PORTION_BYTES = 1024 * 1024
"""Text of a portion, beyond which what is fetched at once may go."""
FETCH_ROWS = 256
"""Most rows that are fetched at once, before it is known how long they are."""
FIRST_FETCH_ROWS = 16

Row = tuple[bytes, ...]
"""id, s_id, post_time, author and, where it is another column, the text: as read, in UTF-8."""
_AUTHOR = itemgetter(3)
_TEXT = itemgetter(-1)


class SourceRows:
    """Rows as read, and their texts. Times are the database's own text, with fractions."""

    __slots__ = ("_by_id", "rows", "texts")

    def __init__(self, rows: Sequence[Row], texts: Sequence[bytes], *, by_id: bool) -> None:
        """``by_id``: they come in the order of ids."""
        self.rows = rows
        self.texts = texts
        self._by_id = by_id

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.rows)

    @property
    def last(self) -> Position:
        """Position of the last row."""
        id_, _, post_time, *_ = self.rows[-1]
        return Position(None if self._by_id else post_time.decode(), id_.decode())

    def part(self, start: int, end: int | None = None) -> "SourceRows":
        """Return the rows from ``start`` up to ``end``."""
        return SourceRows(self.rows[start:end], self.texts[start:end], by_id=self._by_id)


def columns_of(task: TaskDocument) -> list[str]:
    """Return the source columns that the task reads; the text, where it is another than the author, is the last."""
    return list(dict.fromkeys(["id", "s_id", "post_time", "author", task.predict_type.column]))


def probe_source(db: DbConnection, task: TaskDocument) -> None:
    """Have the database check table, columns and the right to read them; its error says what is wrong."""
    columns = ", ".join(map(quote, columns_of(task)))
    rows_of(db, f"SELECT {columns} FROM {qualified(task.input_schema, task.input_table)} LIMIT 0")  # noqa: S608
    db.rollback()


def open_slice(
    db: DbConnection, task: TaskDocument, access: Access, start: str, end: str, behind: Position | None
) -> "RowStream":
    """Have the database begin to send the rows with ``start <= post_time < end`` behind a position.

    ``db`` streams (unbuffered, bytes); it serves nothing else until the last row has been taken.
    """
    return RowStream(db, task, plan_reading(db, task, access, start, end, behind))


def open_all(db: DbConnection, task: TaskDocument) -> "RowStream":
    """The same with the task's whole range in whatever order is quickest, for a look that leaves no trace."""
    source = qualified(task.input_schema, task.input_table)
    values = (format_time(parse_time(task.start_time)), format_time(parse_time(task.end_time)))
    reading = Reading(f"FROM {source} WHERE post_time >= %s AND post_time < %s", "", values, by_id=False)
    return RowStream(db, task, reading)


class RowStream:
    """Rows of one statement as the server sends them; memory is bounded by a portion."""

    def __init__(self, db: DbConnection, task: TaskDocument, reading: Reading) -> None:
        columns = columns_of(task)
        wanted = ", ".join(map(quote, columns))
        present = " AND ".join(f"{quote(name)} IS NOT NULL" for name in columns[1:] if name != "post_time")
        self._own_text = columns[-1] != "author"
        self._batch_rows = task.batch_rows
        self._reading = reading
        self._cursor = db.cursor()
        self._cursor.execute(f"SELECT {wanted} {reading.source} AND {present}{reading.order}", reading.values)
        self._fetch_rows = FIRST_FETCH_ROWS
        self._taken = 0
        self._ended = False

    @property
    def rows_left(self) -> int | None:
        """How many rows, those that lack a value included, are still to be taken; None where that is not known."""
        if self._ended:
            return 0
        return None if self._reading.rows is None else max(0, self._reading.rows - self._taken)

    def portions(self) -> Iterator[SourceRows]:
        """Yield the rows, some at a time; after every ``task.batch_rows`` one portion ends and another begins."""
        while rows := self._take(min(PORTION_ROWS, self._batch_rows - self._taken % self._batch_rows)):
            yield rows
        self._cursor.close()

    def _take(self, most: int) -> SourceRows | None:
        rows: list[Row] = []
        texts: list[bytes] = []
        size = 0
        while len(rows) < most and size < PORTION_BYTES and not self._ended:
            wanted = min(self._fetch_rows, most - len(rows))
            fetched: Sequence[Row] = self._cursor.fetchmany(wanted)
            self._ended = len(fetched) < wanted
            found = list(map(_TEXT, fetched))
            lengths = list(map(len, found))
            if self._own_text:
                # Authors may be as long as texts.
                lengths = list(map(add, lengths, map(len, map(_AUTHOR, fetched))))
            rows += fetched
            texts += found
            size += sum(lengths)
            self._fetch_rows = max(1, min(FETCH_ROWS, self._fetch_rows * 4, PORTION_BYTES // max(lengths, default=1)))
        self._taken += len(rows)
        return SourceRows(rows, texts, by_id=self._reading.by_id) if rows else None
