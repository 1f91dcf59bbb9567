"""Cut a task's date range into slices of similar row count.

Input: the source table's index over post_time, counted by day; a day with too many rows is looked at by hour, minute
and second. Output: slices that follow each other and cover the range exactly. Rows of one second stay together: the
cursor inside a slice is exact to the row, so a huge second costs nothing but evenness.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from labeltask_contract.times import format_time
from labeltask_store.connection import DbConnection, rows_of
from labeltask_store.sql import qualified, quote


@dataclass(frozen=True)
class PlannedSlice:
    """``start <= post_time < end``, with the rows that it held when it was counted (NULLs included)."""

    start: datetime
    end: datetime
    rows: int


@dataclass(frozen=True)
class Unit:
    """A step of the clock, and the SQL that rounds post_time down to it (``%`` doubled: used with parameters)."""

    length: timedelta
    sql: str


UNITS = (
    Unit(timedelta(days=1), "DATE(post_time)"),
    Unit(timedelta(hours=1), "DATE_FORMAT(post_time, '%%Y-%%m-%%d %%H:00:00')"),
    Unit(timedelta(minutes=1), "DATE_FORMAT(post_time, '%%Y-%%m-%%d %%H:%%i:00')"),
    Unit(timedelta(seconds=1), "DATE_FORMAT(post_time, '%%Y-%%m-%%d %%H:%%i:%%S')"),
)
COUNTED_AT_ONCE = timedelta(days=31)
"""Span of one counting statement: short enough to answer well within the read timeout on 100 million rows a month."""

Counts = Sequence[tuple[datetime, int]]
CountRows = Callable[[Unit, datetime, datetime], Counts]
"""Non-empty steps of a unit in ``[start, end)``: (start of the step, rows), in order."""


def cut_range(start: datetime, end: datetime, slice_rows: int, count_rows: CountRows) -> list[PlannedSlice]:
    """Return slices of at most ``slice_rows`` rows each, but for single seconds that hold more. Never empty."""
    return _cut(start, end, slice_rows, count_rows, UNITS)


def _cut(
    start: datetime, end: datetime, slice_rows: int, count_rows: CountRows, units: Sequence[Unit]
) -> list[PlannedSlice]:
    unit, finer = units[0], units[1:]
    slices: list[PlannedSlice] = []
    begin, rows = start, 0
    for step, count in count_rows(unit, start, end):
        step_start = max(step, start)
        if rows and rows + count > slice_rows:
            slices.append(PlannedSlice(begin, step_start, rows))
            begin, rows = step_start, 0
        if count > slice_rows and finer:
            step_end = _after(step, unit, end)
            # Whatever empty time lies before belongs to the first of the finer slices.
            inner = _cut(step_start, step_end, slice_rows, count_rows, finer)
            slices += [PlannedSlice(begin, inner[0].end, inner[0].rows), *inner[1:]]
            begin = step_end
        else:
            rows += count
    if rows or not slices:
        return [*slices, PlannedSlice(begin, end, rows)]
    return [*slices[:-1], replace(slices[-1], end=end)]


def _after(step: datetime, unit: Unit, end: datetime) -> datetime:
    try:
        return min(step + unit.length, end)
    except OverflowError:  # the last day of the year 9999
        return end


def count_in(db: DbConnection, schema: str, table: str, index: str | None) -> CountRows:
    """Return a counter that asks the database, a month at a time."""
    source = source_of(schema, table, index)

    def count_rows(unit: Unit, start: datetime, end: datetime) -> Counts:
        values = (format_time(start), format_time(end))
        bounds = rows_of(
            db,
            "SELECT DATE_FORMAT(MIN(post_time), '%%Y-%%m-%%d %%H:%%i:%%S'), "  # noqa: S608
            f"DATE_FORMAT(MAX(post_time), '%%Y-%%m-%%d %%H:%%i:%%S') FROM {source} "
            "WHERE post_time >= %s AND post_time < %s",
            values,
        )
        if bounds[0][0] is None:
            return []
        first, last = (datetime.fromisoformat(str(bound)) for bound in bounds[0])
        found: list[tuple[datetime, int]] = []
        # From the step's own start, so that no step is counted in two halves.
        begin = max(datetime(first.year, first.month, first.day), start)
        while begin <= last:
            until = _after(begin, Unit(COUNTED_AT_ONCE, ""), end)
            until = min(until, datetime(until.year, until.month, until.day)) if until < end else end
            rows = rows_of(
                db,
                f"SELECT {unit.sql} AS step, COUNT(*) FROM {source} "  # noqa: S608
                "WHERE post_time >= %s AND post_time < %s GROUP BY step ORDER BY step",
                (format_time(begin), format_time(until)),
            )
            found += [(datetime.fromisoformat(str(step)), int(count)) for step, count in rows]
            if until >= end:
                break
            begin = until
        return found

    return count_rows


def source_of(schema: str, table: str, index: str | None) -> str:
    """Return the table as it stands in FROM, held to ``index`` if there is one.

    Without the hint the optimizer reads the whole table for every slice that holds more than about a tenth of it.
    """
    hint = f" FORCE INDEX ({quote(index)})" if index else ""
    return qualified(schema, table) + hint
