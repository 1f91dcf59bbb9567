"""A random sample of one task's rows in a result table, at a cost that does not grow with the table.

Called by the gateway while the task may still be running. A table with the key (task_id, id, panel) is jumped into:
each jump is one index seek to a random id between the task's least and greatest, so 100 rows cost about 100 seeks
whether the task has ten thousand rows or forty million. A table of the predecessor has an index on task_id alone,
where nothing can be sought: there the sample is drawn from the task's first ``WINDOW_ROWS`` rows in that index. A
table without any index on task_id is left out, because only a scan of the whole table would find a row.

A jump is random, not uniform: a row behind a wide gap of ids is likelier. Tasks of at most ``EXACT_ROWS`` rows in the
table are sampled uniformly.
"""

import math
import random
import string
from collections.abc import Sequence
from typing import Any

from labeltask_store.connection import DbConnection, expected_rows, rows_of
from labeltask_store.result_tables import COLUMNS, ResultRow
from labeltask_store.sql import marks, qualified

EXACT_ROWS = 2_000
WINDOW_ROWS = 10_000
_RUN_ROWS = 8
"""Rows read behind each jump, one of which is taken: that softens the preference for rows behind a gap."""

_SELECTED = ", ".join("CAST(create_time AS CHAR(19))" if name == "create_time" else name for name in COLUMNS)


def limit_statements(db: DbConnection, seconds: float) -> None:
    """Have the server itself stop each later SELECT of this session after ``seconds``."""
    version = str(rows_of(db, "SELECT VERSION()")[0][0])
    if "mariadb" in version.lower():
        rows_of(db, "SET SESSION max_statement_time = %s", (seconds,))
    else:
        rows_of(db, "SET SESSION max_execution_time = %s", (int(seconds * 1000),))


def sample_rows(
    db: DbConnection, schema: str, table: str, task_id: str, size: int, chance: random.Random
) -> list[ResultRow]:
    """Return at most ``size`` different rows of the task, in (id, panel) order; all of them when there are so few.

    ``create_time`` is text to the second. A table that is not there, or has no index on task_id, has no rows.
    """
    columns = _index_columns(db, schema, table)
    source = qualified(schema, table)
    if ("task_id", "id") in columns:
        found = _by_key(db, source, task_id, size, chance)
    elif ("task_id",) in {prefix[:1] for prefix in columns}:
        found = _by_window(db, source, task_id, size, chance)
    else:
        found = []
    db.rollback()
    return sorted(found, key=lambda row: (row.id, row.panel))


def _index_columns(db: DbConnection, schema: str, table: str) -> set[tuple[str, ...]]:
    """The first two columns of every index."""
    rows = rows_of(
        db,
        "SELECT index_name, column_name FROM information_schema.statistics "
        "WHERE table_schema = %s AND table_name = %s AND seq_in_index <= 2 ORDER BY index_name, seq_in_index",
        (schema, table),
    )
    found: dict[str, tuple[str, ...]] = {}
    for name, column in rows:
        found[name] = (*found.get(name, ()), str(column).lower())
    return set(found.values())


def _by_key(db: DbConnection, source: str, task_id: str, size: int, chance: random.Random) -> list[ResultRow]:
    keys = rows_of(
        db,
        f"SELECT id, panel FROM {source} WHERE task_id = %s ORDER BY id, panel LIMIT %s",  # noqa: S608
        (task_id, EXACT_ROWS + 1),
    )
    if len(keys) <= EXACT_ROWS:
        chosen = set(chance.sample(keys, min(size, len(keys))))
        rows = _with_ids(db, source, task_id, {key[0] for key in chosen})
        return [row for row in rows if (row.id, row.panel) in chosen]
    last = rows_of(db, f"SELECT MAX(id) FROM {source} WHERE task_id = %s", (task_id,))[0][0]  # noqa: S608
    found: dict[tuple[str, str], ResultRow] = {}
    # Two jumps may end at one row; a few more make up for that.
    for _ in range(2 * size):
        run = rows_of(
            db,
            f"SELECT id, panel FROM {source} WHERE task_id = %s AND id >= %s "  # noqa: S608
            f"ORDER BY id, panel LIMIT {_RUN_ROWS}",
            (task_id, random_between(keys[0][0], last, chance)),
        )
        if not run:
            continue
        row_id, panel = chance.choice(run)
        rows = _with_ids(db, source, task_id, {row_id})
        found |= {(row.id, row.panel): row for row in rows if row.panel == panel}
        if len(found) == size:
            break
    return list(found.values())


def random_between(first: str, last: str, chance: random.Random) -> str:
    """Return a text shaped like ``first`` (digits stay digits, letters letters), evenly drawn up to about ``last``.

    The two are read as numbers whose places are characters, so that ids such as ``1577818324915_FBEXUB`` are reached
    evenly; drawing from all characters would end behind the last digit nearly each time.
    """
    kinds = [_kind_of(letter) for letter in first]
    least = most = 0
    # How a ``last`` of another shape compares from its first strange character on: below (0) or above (-1) all.
    beyond: int | None = None
    for place, (letter, kind) in enumerate(zip(first, kinds, strict=True)):
        other = last[place : place + 1]
        if beyond is None and other not in tuple(kind):
            beyond = -1 if other > kind[-1] else 0
        least = least * len(kind) + kind.index(letter)
        most = most * len(kind) + (kind.index(other) if beyond is None else range(len(kind))[beyond])
    drawn = chance.randint(least, max(least, most))
    letters: list[str] = []
    for kind in reversed(kinds):
        drawn, place = divmod(drawn, len(kind))
        letters.append(kind[place])
    return "".join(reversed(letters))


def _kind_of(letter: str) -> str:
    kinds = (string.digits, string.ascii_uppercase, string.ascii_lowercase)
    return next((kind for kind in kinds if letter in kind), letter)


def _by_window(db: DbConnection, source: str, task_id: str, size: int, chance: random.Random) -> list[ResultRow]:
    counted = rows_of(
        db,
        f"SELECT COUNT(*) FROM (SELECT 1 FROM {source} WHERE task_id = %s LIMIT %s) AS first_rows",  # noqa: S608
        (task_id, WINDOW_ROWS),
    )
    rows = int(counted[0][0])
    if not rows:
        return []
    # One pass that stops early: each row is taken by chance, so often that fewer than ``size`` come once in 100,000.
    wanted = size + 4 * math.isqrt(size) + 12
    share = min(1.0, wanted / rows)
    found = rows_of(
        db,
        f"SELECT {_SELECTED} FROM {source} WHERE task_id = %s AND RAND(%s) < %s LIMIT %s",  # noqa: S608
        (task_id, chance.randrange(2**31), share, wanted + wanted // 2),
    )
    taken: Sequence[Any] = chance.sample(found, min(size, len(found)))
    return [ResultRow(*row) for row in taken]


def _with_ids(db: DbConnection, source: str, task_id: str, ids: set[str]) -> list[ResultRow]:
    if not ids:
        return []
    rows = rows_of(
        db,
        f"SELECT {_SELECTED} FROM {source} WHERE task_id = %s AND id IN ({marks(len(ids))})",  # noqa: S608
        (task_id, *sorted(ids)),
    )
    return [ResultRow(*row) for row in rows]


def estimate_rows(db: DbConnection, schema: str, table: str, start: str, end: str) -> int | None:
    """Return the optimizer's guess, by EXPLAIN, of how many rows have ``start <= post_time < end``; no row is read."""
    try:
        return expected_rows(
            db,
            f"SELECT id FROM {qualified(schema, table)} WHERE post_time >= %s AND post_time < %s",  # noqa: S608
            (start, end),
        )
    finally:
        db.rollback()
