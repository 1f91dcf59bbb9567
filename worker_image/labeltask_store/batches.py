"""Commit one batch: result rows, digests, rule hits and the slice's cursor in one transaction, or none of them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from labeltask_store.authors import append_authors
from labeltask_store.connection import DbConnection
from labeltask_store.result_rows import Values, insert_rows
from labeltask_store.rule_hits import HitCounts, append_hits
from labeltask_store.slices import Claim, advance, load_claim, lock_claim
from labeltask_store.source_access import Position
from labeltask_store.workers import Fenced


@dataclass(frozen=True)
class Batch:
    """What source rows became, in the order in which they were read. ``behind`` is the last of them."""

    behind: Position
    rows_read: int
    values: Mapping[str, Sequence[Values]] = field(default_factory=dict)
    """Result rows by table."""
    digests: Mapping[str, Sequence[bytes]] = field(default_factory=dict)
    """Of authors not seen before, by table."""
    rule_hits: HitCounts | None = None


def join_batches(batches: Sequence[Batch]) -> Batch:
    """Return batches that follow each other, at least one, as one."""
    values: dict[str, list[Values]] = defaultdict(list)
    digests: dict[str, list[bytes]] = defaultdict(list)
    hits = [batch.rule_hits for batch in batches if batch.rule_hits is not None]
    for batch in batches:
        for table, rows in batch.values.items():
            values[table] += rows
        for table, found in batch.digests.items():
            digests[table] += found
    return Batch(
        batches[-1].behind,
        sum(batch.rows_read for batch in batches),
        dict(values),
        dict(digests),
        sum(hits[1:], hits[0]) if hits else None,
    )


def commit_batch(db: DbConnection, schema: str, claim: Claim, batch: Batch, packet_bytes: int) -> Claim:
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
    labelled = {
        table: insert_rows(db, schema, table, claim.task_id, rows, packet_bytes) for table, rows in batch.values.items()
    }
    append_authors(db, schema, claim.task_id, claim.slice_no, batches, batch.digests)
    append_hits(db, schema, claim.task_id, claim.slice_no, batches, batch.rule_hits)
    moved = advance(db, schema, claim, batch.behind, batch.rows_read, labelled)
    db.commit()
    return moved
