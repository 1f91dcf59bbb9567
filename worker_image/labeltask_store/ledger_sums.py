"""Sums over a task's slices: the only source of the counters that ``state`` shows."""

from collections import Counter
from dataclasses import dataclass

from labeltask_store.connection import DbConnection, rows_of
from labeltask_store.slices import load_counts
from labeltask_store.sql import qualified
from labeltask_store.state_table import SLICE_TABLE


@dataclass(frozen=True)
class Totals:
    """Sums over a task's slices."""

    slices: int
    unfinished: int
    rows_read: int
    rows_labelled: int
    rows_estimated: int
    """Rows of the whole range: counted when it was cut, or read where a slice is done."""
    check_point: str | None
    """Everything before is committed, truncated to the second; None once all slices are done."""


def count_slices(db: DbConnection, schema: str, task_id: str) -> int:
    """Return how many slices the range has been cut into; 0 means that it has not been cut yet."""
    rows = rows_of(db, f"SELECT COUNT(*) FROM {qualified(schema, SLICE_TABLE)} WHERE task_id = %s", (task_id,))  # noqa: S608
    db.rollback()
    return int(rows[0][0])


def read_totals(db: DbConnection, schema: str, task_id: str) -> Totals:
    """Return the sums over the task's slices, inside the caller's transaction."""
    row = rows_of(
        db,
        "SELECT COUNT(*), COALESCE(SUM(done_at IS NULL), 0), COALESCE(SUM(rows_read), 0), "  # noqa: S608
        "COALESCE(SUM(rows_labelled), 0), "
        "COALESCE(SUM(IF(done_at IS NULL, GREATEST(rows_estimated, rows_read), rows_read)), 0), "
        "CAST(MIN(IF(done_at IS NULL, COALESCE(cursor_time, start_time), NULL)) AS CHAR(26)) "
        f"FROM {qualified(schema, SLICE_TABLE)} WHERE task_id = %s",
        (task_id,),
    )[0]
    slices, unfinished, read, labelled, estimated, check_point = row
    cut = check_point and str(check_point)[:19]
    return Totals(int(slices), int(unfinished), int(read), int(labelled), int(estimated), cut)


def read_table_counts(db: DbConnection, schema: str, task_id: str) -> dict[str, int]:
    """Return the number of result rows of each table that has any, sorted by name."""
    total: Counter[str] = Counter()
    for (counts,) in rows_of(
        db,
        f"SELECT table_counts FROM {qualified(schema, SLICE_TABLE)} WHERE task_id = %s",  # noqa: S608
        (task_id,),
    ):
        total.update(load_counts(counts))
    return dict(sorted(total.items()))


def seconds_since_labelled(db: DbConnection, schema: str, task_id: str) -> float:
    """Return the time since the last slice was done, which is when phase 1 ended, on the database's clock."""
    rows = rows_of(
        db,
        "SELECT TIMESTAMPDIFF(MICROSECOND, MAX(done_at), UTC_TIMESTAMP(6)) / 1000000 "  # noqa: S608
        f"FROM {qualified(schema, SLICE_TABLE)} WHERE task_id = %s",
        (task_id,),
    )
    db.rollback()
    return float(rows[0][0])
