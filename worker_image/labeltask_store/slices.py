"""The slice ledger: which part of a task's range is claimed by whom, and how far it is committed.

``label_slice`` in the output schema holds the truth about progress. A worker registers itself, claims slices one by one
and moves a slice's cursor in the same transaction as the rows it wrote; each such step is conditional on still holding
the claim. All clocks are the database's.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from labeltask_contract.times import format_time
from labeltask_store.connection import DbConnection, changed_by, error_code, rows_of
from labeltask_store.slice_plan import PlannedSlice
from labeltask_store.source_access import Position
from labeltask_store.sql import marks, qualified
from labeltask_store.state_table import SLICE_TABLE, STATE_TABLE
from labeltask_store.workers import WORKER_TABLE, Fenced, Worker, is_registered

LEASE_SECONDS = 90
"""Longest time between two signs of life of a worker; after it another one may take the slice over."""

_TEXT = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"
_LEASE_END = f"UTC_TIMESTAMP(6) + INTERVAL {LEASE_SECONDS} SECOND"
SLICE_TABLES = {
    SLICE_TABLE: f"""(
  task_id VARCHAR(32) NOT NULL,
  slice_no INT NOT NULL,
  start_time DATETIME NOT NULL,
  end_time DATETIME NOT NULL,
  rows_estimated BIGINT NOT NULL,
  cursor_time DATETIME(6),
  cursor_id VARCHAR(255),
  batches BIGINT NOT NULL DEFAULT 0,
  rows_read BIGINT NOT NULL DEFAULT 0,
  rows_labelled BIGINT NOT NULL DEFAULT 0,
  table_counts LONGTEXT,
  owner VARCHAR(64),
  owner_index INT,
  claims BIGINT NOT NULL DEFAULT 0,
  lease_until DATETIME(6),
  heartbeat_at DATETIME(6),
  done_at DATETIME(6),
  PRIMARY KEY (task_id, slice_no)
) {_TEXT}""",
}


@dataclass(frozen=True)
class Claim:
    """A slice that a worker holds, as of its last commit."""

    task_id: str
    slice_no: int
    owner: str
    number: int
    start: str
    end: str
    behind: Position | None
    batches: int
    rows_read: int = 0
    labelled: Mapping[str, int] = field(default_factory=dict)
    """Result rows by table."""


def ensure_tables(db: DbConnection, schema: str, tables: Mapping[str, str]) -> None:
    """Have each of ``tables``, given as name and definition. Ends a transaction."""
    for table, definition in tables.items():
        try:
            changed_by(db, f"CREATE TABLE IF NOT EXISTS {qualified(schema, table)} {definition}")
        except Exception as error:
            if error_code(error) != 1050:
                raise
    db.commit()


def store_plan(
    db: DbConnection, schema: str, worker: Worker, planned: Sequence[PlannedSlice], written_tables: Iterable[str]
) -> None:
    """Write the slices, all or none; a plan that is there already stays.

    What ``written_tables`` (result rows, digests, rule hits) hold of a task without a plan was written by one whose
    ledger got lost: it is removed, because the range is read from its start now.

    :raises Fenced: when ``worker`` is not registered any more.
    """
    # The lock lets one of several planners in at a time.
    rows_of(db, f"SELECT stat FROM {qualified(schema, STATE_TABLE)} WHERE task_id = %s FOR UPDATE", (worker.task_id,))  # noqa: S608
    table = qualified(schema, SLICE_TABLE)
    if not is_registered(db, schema, worker, lock=True):
        db.rollback()
        raise Fenced
    if not rows_of(db, f"SELECT 1 FROM {table} WHERE task_id = %s LIMIT 1", (worker.task_id,)):  # noqa: S608
        for name in written_tables:
            changed_by(db, f"DELETE FROM {qualified(schema, name)} WHERE task_id = %s", (worker.task_id,))  # noqa: S608
        values = [
            (worker.task_id, number, format_time(part.start), format_time(part.end), part.rows)
            for number, part in enumerate(planned)
        ]
        for first in range(0, len(values), 1_000):
            chunk = values[first : first + 1_000]
            places = ", ".join([f"({marks(5)})"] * len(chunk))
            statement = f"INSERT INTO {table} (task_id, slice_no, start_time, end_time, rows_estimated) VALUES {places}"  # noqa: S608
            changed_by(db, statement, [value for row in chunk for value in row])
    db.commit()


def claim_slice(db: DbConnection, schema: str, worker: Worker, in_hand: Sequence[int] = ()) -> Claim | None:
    """Take the first slice that nobody alive holds; None when there is none at the moment.

    ``in_hand``: numbers of slices that the worker holds already.

    :raises Fenced: when ``worker`` is not registered any more.
    """
    table = qualified(schema, SLICE_TABLE)
    # A registered worker is the only live one of its index, so what another pod of that index held is free at once.
    free = (
        "done_at IS NULL AND (owner IS NULL OR lease_until < UTC_TIMESTAMP(6) OR owner_index = %s) "  # noqa: S608
        f"AND slice_no NOT IN ({marks(1 + len(in_hand))}) "
        f"AND EXISTS (SELECT 1 FROM {qualified(schema, WORKER_TABLE)} w "
        "WHERE w.task_id = %s AND w.owner_index = %s AND w.owner = %s)"
    )
    free_values = (worker.owner_index, -1, *in_hand, worker.task_id, worker.owner_index, worker.owner)
    while True:
        db.rollback()
        found = rows_of(
            db,
            f"SELECT slice_no, claims FROM {table} WHERE task_id = %s AND {free} ORDER BY slice_no LIMIT 1",  # noqa: S608
            (worker.task_id, *free_values),
        )
        if not found:
            registered = is_registered(db, schema, worker)
            db.rollback()
            if not registered:
                raise Fenced
            return None
        slice_no, claims = found[0]
        taken = changed_by(
            db,
            f"UPDATE {table} SET owner = %s, owner_index = %s, claims = claims + 1, "  # noqa: S608
            f"lease_until = {_LEASE_END}, heartbeat_at = UTC_TIMESTAMP(6) "
            f"WHERE task_id = %s AND slice_no = %s AND claims = %s AND {free}",
            (worker.owner, worker.owner_index, worker.task_id, slice_no, claims, *free_values),
        )
        if taken:
            claim = load_claim(db, schema, worker.task_id, slice_no, worker.owner, claims + 1)
            db.commit()
            return claim


def load_claim(db: DbConnection, schema: str, task_id: str, slice_no: int, owner: str, number: int) -> Claim:
    """Return a claim that is known to be held, as the ledger has it, inside the caller's transaction."""
    row = rows_of(
        db,
        "SELECT CAST(start_time AS CHAR(26)), CAST(end_time AS CHAR(26)), CAST(cursor_time AS CHAR(26)), cursor_id, "  # noqa: S608
        f"batches, rows_read, table_counts FROM {qualified(schema, SLICE_TABLE)} WHERE task_id = %s AND slice_no = %s",
        (task_id, slice_no),
    )[0]
    start, end, cursor_time, cursor_id, batches, rows_read, labelled = row
    behind = None if cursor_id is None else Position(cursor_time, cursor_id)
    return Claim(task_id, slice_no, owner, number, start, end, behind, batches, int(rows_read), load_counts(labelled))


def lock_claim(db: DbConnection, schema: str, claim: Claim) -> int:
    """Begin a transaction that holds the claim's slice; return its number of committed batches.

    :raises Fenced: when the claim is lost.
    """
    rows = rows_of(
        db,
        f"SELECT batches FROM {qualified(schema, SLICE_TABLE)} WHERE task_id = %s AND slice_no = %s "  # noqa: S608
        "AND owner = %s AND claims = %s AND done_at IS NULL FOR UPDATE",
        (claim.task_id, claim.slice_no, claim.owner, claim.number),
    )
    if not rows:
        db.rollback()
        raise Fenced
    return int(rows[0][0])


def advance(
    db: DbConnection, schema: str, claim: Claim, behind: Position, rows_read: int, labelled: Mapping[str, int]
) -> Claim:
    """Move the slice's cursor behind ``behind`` and add to its counters, inside the caller's transaction.

    ``labelled``: result rows written, by table.
    """
    rows_read += claim.rows_read
    labelled = dict(Counter(claim.labelled) + Counter(labelled))
    changed = changed_by(
        db,
        f"UPDATE {qualified(schema, SLICE_TABLE)} SET cursor_time = %s, cursor_id = %s, batches = batches + 1, "  # noqa: S608
        "rows_read = %s, rows_labelled = %s, table_counts = %s, "
        f"lease_until = {_LEASE_END}, heartbeat_at = UTC_TIMESTAMP(6) "
        "WHERE task_id = %s AND slice_no = %s AND owner = %s AND claims = %s AND batches = %s AND done_at IS NULL",
        (
            behind.post_time,
            behind.id,
            rows_read,
            sum(labelled.values()),
            json.dumps(labelled),
            claim.task_id,
            claim.slice_no,
            claim.owner,
            claim.number,
            claim.batches,
        ),
    )
    if changed != 1:
        db.rollback()
        raise Fenced
    return replace(claim, behind=behind, batches=claim.batches + 1, rows_read=rows_read, labelled=labelled)


def renew(db: DbConnection, schema: str, claim: Claim) -> None:
    """Begin the lease anew, and commit: for a worker that is alive but can't commit rows yet.

    :raises Fenced: when the claim is lost.
    """
    assignments = f"lease_until = {_LEASE_END}, heartbeat_at = UTC_TIMESTAMP(6)"
    if not _change_held(db, schema, claim, assignments, "AND done_at IS NULL"):
        raise Fenced


def finish_slice(db: DbConnection, schema: str, claim: Claim) -> None:
    """Mark the slice done, and commit; a repeat changes nothing.

    :raises Fenced: when the claim is lost.
    """
    assignments = "done_at = COALESCE(done_at, UTC_TIMESTAMP(6)), heartbeat_at = UTC_TIMESTAMP(6)"
    if not _change_held(db, schema, claim, assignments):
        raise Fenced


def release(db: DbConnection, schema: str, claim: Claim) -> None:
    """Hand a claim back at once, and commit; a claim that is lost already stays lost."""
    _change_held(db, schema, claim, "owner = NULL, owner_index = NULL, lease_until = NULL", "AND done_at IS NULL")


def _change_held(db: DbConnection, schema: str, claim: Claim, assignments: str, condition: str = "") -> int:
    """Change the claim's slice while it is held, and commit; return 0 when it is not."""
    changed = changed_by(
        db,
        f"UPDATE {qualified(schema, SLICE_TABLE)} SET {assignments} "  # noqa: S608
        f"WHERE task_id = %s AND slice_no = %s AND owner = %s AND claims = %s {condition}",
        (claim.task_id, claim.slice_no, claim.owner, claim.number),
    )
    db.commit()
    return changed


def load_counts(text: str | None) -> dict[str, int]:
    """Return result rows by table, as a row of the ledger holds them."""
    counts: dict[str, int] = json.loads(text or "{}")
    return counts
