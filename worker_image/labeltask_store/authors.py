"""Exactly-distinct authors: an append-only table of digests, written with each batch, counted once at the end.

Rows of ``label_author_digest`` hold 16-byte digests of ``source_author`` that were new to the worker that wrote them;
duplicates between workers, slices and restarts are harmless. labelling.md, "The `state` table", uniq_source_author.
"""

from collections.abc import Iterable, Mapping, Sequence

from xxhash import xxh3_128_digest

from labeltask_store.connection import DbConnection, changed_by, rows_of
from labeltask_store.sql import marks, qualified

AUTHOR_TABLE = "label_author_digest"
DIGEST_BYTES = 16
"""128 bits: a billion authors collide with a probability of 10^-21."""
DIGESTS_IN_MEMORY = 500_000
"""Digests that one counting pass holds, about 45 MB; more are counted in several passes."""

AUTHOR_TABLES = {
    AUTHOR_TABLE: """(
  task_id VARCHAR(32) NOT NULL,
  slice_no INT NOT NULL,
  batch_no BIGINT NOT NULL,
  table_name VARCHAR(64) NOT NULL,
  digests LONGBLOB NOT NULL,
  PRIMARY KEY (task_id, slice_no, batch_no, table_name)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"""
}


def digest_of(source_author: bytes) -> bytes:
    """Return the digest under which an author, given in UTF-8, is counted."""
    return xxh3_128_digest(source_author)


def append_authors(
    db: DbConnection, schema: str, task_id: str, slice_no: int, batch_no: int, digests: Mapping[str, Sequence[bytes]]
) -> None:
    """Store digests by result table, inside the caller's transaction."""
    # Hexadecimal digits need no escaping, which takes a driver and a server longer than anything else here.
    places = ", ".join(f"(%s, %s, %s, %s, x'{b''.join(found).hex()}')" for found in digests.values())
    if places:
        changed_by(
            db,
            f"INSERT INTO {qualified(schema, AUTHOR_TABLE)} "  # noqa: S608
            f"(task_id, slice_no, batch_no, table_name, digests) VALUES {places}",
            [value for table in digests for value in (task_id, slice_no, batch_no, table)],
        )


def count_authors(db: DbConnection, schema: str, task_id: str, tables: Iterable[str]) -> dict[str, int]:
    """Return the number of distinct authors for each of ``tables``, in bounded memory."""
    wanted = list(tables)
    counts = dict.fromkeys(wanted, 0)
    if not wanted:
        return counts
    source = f"{qualified(schema, AUTHOR_TABLE)} WHERE task_id = %s AND table_name IN ({marks(len(wanted))})"
    sizes = rows_of(
        db,
        f"SELECT slice_no, SUM(LENGTH(digests)) FROM {source} GROUP BY slice_no ORDER BY slice_no",  # noqa: S608
        (task_id, *wanted),
    )
    total = sum(int(size) for _, size in sizes) // DIGEST_BYTES
    passes = -(-total // DIGESTS_IN_MEMORY) or 1
    for part in range(passes):
        seen: dict[str, set[bytes]] = {table: set() for table in wanted}
        # One slice at a time: that is what bounds the rows a buffered cursor holds.
        for slice_no, _ in sizes:
            for table, joined in rows_of(
                db,
                f"SELECT table_name, digests FROM {source} AND slice_no = %s",  # noqa: S608
                (task_id, *wanted, slice_no),
            ):
                seen[table].update(_part_of(joined, part, passes))
        for table, digests in seen.items():
            counts[table] += len(digests)
    db.rollback()
    return counts


def _part_of(joined: bytes, part: int, passes: int) -> Iterable[bytes]:
    for start in range(0, len(joined), DIGEST_BYTES):
        digest = joined[start : start + DIGEST_BYTES]
        if passes == 1 or int.from_bytes(digest[:4]) % passes == part:
            yield digest


def delete_authors(db: DbConnection, schema: str, task_id: str) -> None:
    """Remove the task's digests, inside the caller's transaction."""
    changed_by(db, f"DELETE FROM {qualified(schema, AUTHOR_TABLE)} WHERE task_id = %s", (task_id,))  # noqa: S608
