"""Cut a slice into windows of post_time that are read as the table lies, where ids follow time.

A row found by the index over post_time is a look-up by its id, a string, which costs the server more than to send it;
in the order of ids the rows lie side by side. So the index alone says where a window of some thousand rows ends and
which ids it holds, and the table is read once, from the least of them to the greatest. Not worth it where many rows of
other times lie between them.
"""

from typing import NamedTuple

from labeltask_contract.task_document import TaskDocument
from labeltask_store.connection import DbConnection, rows_of
from labeltask_store.slice_plan import source_of

MOST_EXPECTED = 3
"""Rows that the server may expect between the least and the greatest id for each row of the window. InnoDB doubles what
it guesses, and a look-up costs as much as two or three rows that lie side by side."""


class Window(NamedTuple):
    """``start <= post_time < end``, and the ids that its rows lie between, both included."""

    start: str
    end: str
    first_id: str
    last_id: str


def find_window(
    db: DbConnection, task: TaskDocument, index: str, start: str, end: str, most_rows: int
) -> Window | None:
    """Return the window that begins with ``start``; None where it is not worth it, or nothing is left.

    It holds ``most_rows`` rows or, at the end of the range and before rows of one time, fewer. ``index`` is the one
    over post_time, which alone answers the first two statements.
    """
    source = source_of(task.input_schema, task.input_table, index)
    within = f"FROM {source} WHERE post_time >= %s AND post_time < %s"
    after = rows_of(
        db,
        f"SELECT CAST(post_time AS CHAR(26)) {within} ORDER BY post_time LIMIT 1 OFFSET {most_rows:d}",
        (start, end),
    )
    until = after[0][0].decode() if after else end
    first, last, rows = rows_of(db, f"SELECT MIN(id), MAX(id), COUNT(*) {within}", (start, until))[0]
    if first is None:
        # Nothing at all, or more rows of one time than a window may hold.
        return None
    window = Window(start, until, first.decode(), last.decode())
    return window if _expected_rows(db, task, window) <= MOST_EXPECTED * int(rows) else None


def _expected_rows(db: DbConnection, task: TaskDocument, window: Window) -> int:
    source = source_of(task.input_schema, task.input_table, "PRIMARY")
    cursor = db.cursor()
    try:
        cursor.execute(
            f"EXPLAIN FORMAT=TRADITIONAL SELECT 1 FROM {source} WHERE id BETWEEN %s AND %s",  # noqa: S608
            (window.first_id, window.last_id),
        )
        plan = dict(zip((column[0] for column in cursor.description), cursor.fetchall()[0], strict=True))
    finally:
        cursor.close()
    return int(plan["rows"] or 0)
