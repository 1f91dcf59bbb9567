"""Commit one batch: result rows, digests, rule hits and the slice's cursor in one transaction, or none of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from labeltask_store.authors import append_authors
from labeltask_store.connection import DbConnection, Escape
from labeltask_store.result_tables import NewRow, ResultTable, build_inserts, run_insert
from labeltask_store.rule_hits import HitCounts, append_hits
from labeltask_store.slices import Claim, TableCount, advance, load_claim, lock_claim
from labeltask_store.source_access import Position
from labeltask_store.workers import Fenced


@dataclass(frozen=True)
class Batch:
    """What a batch of source rows became. ``behind`` is its last row; the maps are by result table."""

    behind: Position
    rows_read: Mapping[str, int]
    results: Mapping[str, Sequence[NewRow]] = field(default_factory=dict)
    digests: Mapping[str, bytes] = field(default_factory=dict)
    rule_hits: HitCounts | None = None


Statements = Mapping[str, Sequence[bytes]]
"""The INSERTs of a batch by result table, ready to be sent."""


def build_statements(
    escape: Escape,
    schema: str,
    task_id: str,
    batch: Batch,
    tables: Mapping[str, ResultTable],
    packet_bytes: int,
) -> Statements:
    """Return what writes ``batch``'s results; ``tables`` has each of theirs.

    :raises RowDoesNotFit: naming the first row that exceeds the packet or a column.
    """
    return {
        name: build_inserts(escape, schema, tables[name], task_id, rows, packet_bytes)
        for name, rows in batch.results.items()
    }


def commit_batch(db: DbConnection, schema: str, claim: Claim, batch: Batch, statements: Statements) -> Claim:
    """Write and commit ``batch``; return the claim as it stands behind it. A repeat after a lost answer is harmless.

    :raises Fenced: when the claim is lost; nothing has changed then.
    """
    db.rollback()
    batches = lock_claim(db, schema, claim)
    if batches == claim.batches + 1:
        # An earlier attempt was committed and only its answer got lost.
        stored = load_claim(db, schema, claim.task_id, claim.slice_no, claim.owner, claim.number)
        db.rollback()
        return stored
    if batches != claim.batches:
        db.rollback()
        raise Fenced
    labelled = {name: sum(run_insert(db, statement) for statement in group) for name, group in statements.items()}
    append_authors(db, schema, claim.task_id, claim.slice_no, batches, batch.digests)
    append_hits(db, schema, claim.task_id, claim.slice_no, batches, batch.rule_hits)
    counts = {name: TableCount(read, labelled.get(name, 0)) for name, read in batch.rows_read.items()}
    moved = advance(db, schema, claim, batch.behind, counts)
    db.commit()
    return moved
