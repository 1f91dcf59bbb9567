"""dump_result: merge tasks' production rows with a previous shelf table into a dump table, built aside and swapped in.

labelling.md, "dump_result". Everything runs inside the server, in statements that MySQL 8 and MariaDB 10.11 share; this
process holds no row. Texts are compared by digest and as bytes: TEXT has no index to join by, and the previous tables
come with collations of their own. Which merges follow one another stands in ``labeltask_worker.dump_run``.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labeltask_contract.dump_status import DumpTable
from labeltask_store.connection import DbConnection, changed_by, rows_of
from labeltask_store.presence import has_table
from labeltask_store.production_tables import PREFIX
from labeltask_store.sql import marks, qualified

NEW_ROWS = "label_dump_new"
"""The tasks' rows, each (author, panel) once; exists during one merge."""
REPLACED = "label_dump_replaced"
"""Authors whose previous panel goes; exists during one merge."""

_DUMP_DEFINITION = """(
  source_author TEXT,
  panel VARCHAR(200),
  create_time DATETIME
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"""
# Not TEMPORARY: that is a right of its own, which no task needs.
_NEW_ROWS_DEFINITION = """(
  author BINARY(32) NOT NULL,
  panel VARBINARY(800) NOT NULL,
  grouped TINYINT NOT NULL,
  votes INT NOT NULL,
  source_author TEXT NOT NULL,
  PRIMARY KEY (author, panel)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"""
_REPLACED_DEFINITION = "(author BINARY(32) NOT NULL, PRIMARY KEY (author)) ENGINE=InnoDB"


@dataclass(frozen=True)
class Merge:
    """One shelf table's merge."""

    shelf: str
    schema: str
    """Output schema: production tables, dump tables."""
    sources: tuple[str, ...]
    """Result tables of the shelf whose production tables exist."""
    previous_schema: str | None
    """None where there is no previous table."""
    own_rows_aside: bool
    """The previous table is one that the tasks may have written to: their rows in it are new, not previous."""
    task_ids: tuple[str, ...]
    panels: tuple[str, ...]
    """The conflict group."""
    now: str

    @property
    def built(self) -> str:
        """The table that is built aside."""
        return f"{dump_table(self.shelf)}_new"


def shelf_table(shelf: str) -> str:
    """Return the name of a previous table."""
    return PREFIX + shelf


def dump_table(shelf: str) -> str:
    """Return the name of a dump table."""
    return f"{PREFIX}{shelf}_dump"


def clean_up(db: DbConnection, schema: str, shelves: Sequence[str]) -> None:
    """Drop what killed merges left. Dump tables themselves stay; one that a crash took in the swap comes back."""
    for shelf in shelves:
        table = dump_table(shelf)
        old = f"{table}_old"
        if has_table(db, schema, old) and not has_table(db, schema, table):
            changed_by(db, f"RENAME TABLE {qualified(schema, old)} TO {qualified(schema, table)}")
        for leftover in (f"{table}_new", old):
            changed_by(db, f"DROP TABLE IF EXISTS {qualified(schema, leftover)}")
    _drop_helpers(db, schema)


def build(db: DbConnection, merge: Merge, check: Callable[[], None]) -> DumpTable:
    """Fill the table that stands aside, whatever a killed merge left of it; return what it holds.

    ``check`` is called between statements and may raise to stop.
    """
    clean_up(db, merge.schema, [merge.shelf])
    for table, definition in (
        (merge.built, _DUMP_DEFINITION),
        (NEW_ROWS, _NEW_ROWS_DEFINITION),
        (REPLACED, _REPLACED_DEFINITION),
    ):
        changed_by(db, f"CREATE TABLE {qualified(merge.schema, table)} {definition}")
    for source in merge.sources:
        check()
        _collect(db, merge, source)
    check()
    undecided = _decide_conflicts(db, merge)
    kept = 0
    if merge.previous_schema is not None:
        check()
        kept = _keep_previous(db, merge, merge.previous_schema)
    check()
    replaced, added = _add_new(db, merge)
    _drop_helpers(db, merge.schema)
    return DumpTable(
        name=merge.shelf, rows_kept=kept, rows_added=added, rows_replaced=replaced, authors_undecided=undecided
    )


def swap_in(db: DbConnection, schema: str, shelf: str, wait_seconds: int) -> None:
    """Make the table built aside the dump table, in one step for every reader.

    ``wait_seconds``: how long readers that hold the table are waited for; new ones queue up behind meanwhile.
    """
    table = dump_table(shelf)
    names = {name: qualified(schema, table + name) for name in ("", "_new", "_old")}
    rows_of(db, "SET SESSION lock_wait_timeout = %s", (wait_seconds,))
    aside = f"{names['']} TO {names['_old']}, " if has_table(db, schema, table) else ""
    changed_by(db, f"RENAME TABLE {aside}{names['_new']} TO {names['']}")
    changed_by(db, f"DROP TABLE IF EXISTS {names['_old']}")


def _collect(db: DbConnection, merge: Merge, source: str) -> None:
    """Take the tasks' rows of one production table, each (author, panel) once, counting how many there are."""
    tasks = marks(len(merge.task_ids))
    rows = (
        f"SELECT {_digest('r.source_author')} AS author, {_bytes('r.panel')} AS panel, "  # noqa: S608
        f"{_text('r.source_author')} AS source_author FROM {qualified(merge.schema, PREFIX + source)} r "
        f"WHERE r.task_id IN ({tasks}) AND r.source_author IS NOT NULL AND r.panel IS NOT NULL"
    )
    changed_by(
        db,
        f"INSERT INTO {qualified(merge.schema, NEW_ROWS)} (author, panel, grouped, votes, source_author) "  # noqa: S608
        f"SELECT f.author, f.panel, f.panel IN ({marks(len(merge.panels))}), 1, f.source_author FROM ({rows}) f "
        "ON DUPLICATE KEY UPDATE votes = votes + 1",
        (*merge.panels, *merge.task_ids),
    )
    db.commit()


def _decide_conflicts(db: DbConnection, merge: Merge) -> int:
    """Leave an author one panel of the group, that of strictly most rows, and none on a tie; return the ties."""
    new_rows = qualified(merge.schema, NEW_ROWS)
    ranked = (
        "SELECT author, panel, RANK() OVER (PARTITION BY author ORDER BY votes DESC) AS place, "  # noqa: S608
        f"COUNT(*) OVER (PARTITION BY author, votes) AS ties FROM {new_rows} WHERE grouped = 1"
    )
    (undecided,) = rows_of(
        db,
        f"SELECT COUNT(DISTINCT author) FROM ({ranked}) ranked WHERE place = 1 AND ties > 1",  # noqa: S608
    )
    changed_by(
        db,
        # By its whole name: an alias would be looked for in the selected schema, and none is.
        f"DELETE {new_rows} FROM {new_rows} JOIN ({ranked}) ranked "
        f"ON {NEW_ROWS}.author = ranked.author AND {NEW_ROWS}.panel = ranked.panel "
        "WHERE ranked.place > 1 OR ranked.ties > 1",
    )
    db.commit()
    return int(undecided[0])


def _keep_previous(db: DbConnection, merge: Merge, previous_schema: str) -> int:
    """Copy the previous rows that stay; note whose panel goes; forget the new rows that were there before."""
    new_rows, built = qualified(merge.schema, NEW_ROWS), qualified(merge.schema, merge.built)
    previous = qualified(previous_schema, shelf_table(merge.shelf))
    group = marks(len(merge.panels))
    author, panel = _digest("p.source_author"), _bytes("p.panel")
    own, own_values = "", merge.task_ids if merge.own_rows_aside else ()
    if merge.own_rows_aside:
        own = f" AND (p.task_id IS NULL OR p.task_id NOT IN ({marks(len(merge.task_ids))}))"
    kept = changed_by(
        db,
        f"INSERT INTO {built} (source_author, panel, create_time) "  # noqa: S608
        f"SELECT p.source_author, p.panel, p.create_time FROM {previous} p "
        f"LEFT JOIN {new_rows} n ON n.author = {author} AND n.grouped = 1 "
        f"WHERE (n.author IS NULL OR n.panel = {panel} OR COALESCE({panel} IN ({group}), 0) = 0){own}",
        (*merge.panels, *own_values),
    )
    db.commit()
    changed_by(
        db,
        f"INSERT INTO {qualified(merge.schema, REPLACED)} (author) SELECT DISTINCT n.author "  # noqa: S608
        f"FROM {previous} p STRAIGHT_JOIN {new_rows} n ON n.author = {author} AND n.grouped = 1 "
        f"WHERE n.panel <> {panel} AND {panel} IN ({group}){own}",
        (*merge.panels, *own_values),
    )
    db.commit()
    # Judged by what was copied, so that a previous table that changes meanwhile never loses or doubles a row.
    author, panel = _digest("b.source_author"), _bytes("b.panel")
    changed_by(
        db,
        f"DELETE {new_rows} FROM {built} b STRAIGHT_JOIN {new_rows} "
        f"ON {NEW_ROWS}.author = {author} AND {NEW_ROWS}.panel = {panel}",
    )
    db.commit()
    return kept


def _add_new(db: DbConnection, merge: Merge) -> tuple[int, int]:
    """Add the new rows; return how many of them replace a previous panel, and how many do not."""
    insert = (
        f"INSERT INTO {qualified(merge.schema, merge.built)} (source_author, panel, create_time) "  # noqa: S608
        f"SELECT n.source_author, CONVERT(n.panel USING utf8mb4), %s FROM {qualified(merge.schema, NEW_ROWS)} n"
    )
    replaced = f"{qualified(merge.schema, REPLACED)} r ON r.author = n.author AND n.grouped = 1"
    replacing = changed_by(db, f"{insert} JOIN {replaced}", (merge.now,))
    db.commit()
    adding = changed_by(db, f"{insert} LEFT JOIN {replaced} WHERE r.author IS NULL", (merge.now,))
    db.commit()
    return replacing, adding


def _drop_helpers(db: DbConnection, schema: str) -> None:
    for table in (NEW_ROWS, REPLACED):
        changed_by(db, f"DROP TABLE IF EXISTS {qualified(schema, table)}")


def _text(column: str) -> str:
    return f"CONVERT({column} USING utf8mb4)"


def _bytes(column: str) -> str:
    return f"CAST({_text(column)} AS BINARY)"


def _digest(column: str) -> str:
    return f"UNHEX(SHA2({_text(column)}, 256))"
