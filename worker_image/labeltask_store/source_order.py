"""In which order a slice's rows are read: as the table lies, where ids follow time; elsewhere by time.

A row found by the index over post_time is a look-up by its id, a string, which costs the server more than to send it;
in the order of ids the rows lie side by side. So the index alone says which ids a slice holds, and the table is read
once, from the least of them to the greatest. Not worth it where many rows of other slices lie between them.
"""

from datetime import timedelta
from typing import NamedTuple

from labeltask_contract.task_document import TaskDocument
from labeltask_contract.times import parse_time
from labeltask_store.connection import DbConnection, expected_rows, rows_of
from labeltask_store.slice_plan import source_of
from labeltask_store.source_access import Access, Position
from labeltask_store.sql import qualified

MOST_EXPECTED = 3
"""Rows that the server may expect between the least and the greatest id for each row of the slice. InnoDB doubles what
it guesses, and a look-up costs as much as two or three rows that lie side by side."""
_SECOND = timedelta(seconds=1)


class Reading(NamedTuple):
    """What follows the columns in a SELECT of a slice's rows: ``FROM`` and conditions, order, and the values."""

    source: str
    order: str
    values: tuple[str, ...]
    by_id: bool
    """Whether rows come in the order of ids, and so a position is an id alone."""
    rows: int | None = None
    """How many there are, those that lack a value included, where that is known."""


def plan_reading(
    db: DbConnection, task: TaskDocument, access: Access, start: str, end: str, behind: Position | None
) -> Reading:
    """Return how to read ``start <= post_time < end`` behind a position, in the order that the position is of.

    ``db`` sees one moment: the ids are those of the rows that it reads afterwards.
    """
    if behind is None:
        found = _find_ids(db, task, access, start, end)
        if found is None:
            return _by_time(task, access, start, end, None)
        first, last, rows = found
        return _by_id(task, start, end, ">=", (first, last))._replace(rows=rows)
    if behind.post_time is not None:
        return _by_time(task, access, start, end, behind)
    _, greatest, _ = _ids_between(db, task, access.index, start, end)
    return _by_id(task, start, end, ">", (behind.id, greatest or behind.id))


def _find_ids(
    db: DbConnection, task: TaskDocument, access: Access, start: str, end: str
) -> tuple[str, str, int] | None:
    """Return the range's least id, its greatest and its number of rows; None where it is to be read by time."""
    if not access.lies_by_id or access.index is None:
        return None
    if parse_time(end) - parse_time(start) <= _SECOND:
        # Only such a slice may be of any size, and its rows stand in the index in the order of ids.
        return None
    first, last, rows = _ids_between(db, task, access.index, start, end)
    if first is None or last is None:
        return None
    return (first, last, rows) if _expected_rows(db, task, first, last) <= MOST_EXPECTED * rows else None


def _ids_between(
    db: DbConnection, task: TaskDocument, index: str | None, start: str, end: str
) -> tuple[str | None, str | None, int]:
    source = source_of(task.input_schema, task.input_table, index)
    statement = f"SELECT MIN(id), MAX(id), COUNT(*) FROM {source} WHERE post_time >= %s AND post_time < %s"  # noqa: S608
    first, last, rows = rows_of(db, statement, (start, end))[0]
    return first and first.decode(), last and last.decode(), int(rows)


def _expected_rows(db: DbConnection, task: TaskDocument, first_id: str, last_id: str) -> int:
    # Not FORCE INDEX: MySQL does not look where it has no choice, and expects one row.
    source = f"{qualified(task.input_schema, task.input_table)} USE INDEX (`PRIMARY`)"
    statement = f"SELECT 1 FROM {source} WHERE id BETWEEN %s AND %s"  # noqa: S608
    return expected_rows(db, statement, (first_id, last_id)) or 0


def _by_id(task: TaskDocument, start: str, end: str, begins: str, ids: tuple[str, str]) -> Reading:
    source = source_of(task.input_schema, task.input_table, "PRIMARY")
    condition = f"id {begins} %s AND id <= %s AND post_time >= %s AND post_time < %s"
    return Reading(f"FROM {source} WHERE {condition}", " ORDER BY id", (*ids, start, end), by_id=True)


def _by_time(task: TaskDocument, access: Access, start: str, end: str, behind: Position | None) -> Reading:
    condition = "post_time >= %s AND post_time < %s"
    values: tuple[str, ...] = (start, end)
    if behind is not None and behind.post_time is not None:
        condition += f" AND (post_time > %s OR {access.id_order} > %s)"
        values = (max(start, behind.post_time), end, behind.post_time, behind.id)
    source = source_of(task.input_schema, task.input_table, access.index)
    return Reading(f"FROM {source} WHERE {condition}", f" ORDER BY post_time, {access.id_order}", values, by_id=False)
