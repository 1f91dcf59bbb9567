"""Phase 2: reduce a task's rows of one result table and put them into its production table, in one transaction.

labelling.md, "Output, phase 2". The reduction runs inside the server, by window functions that MySQL 8 and MariaDB have
in common. Running it again replaces the task's rows.
"""

from collections.abc import Mapping, Sequence

from labeltask_store.connection import DbConnection, changed_by, rows_of
from labeltask_store.result_tables import COLUMNS, ensure_tables
from labeltask_store.sql import marks, qualified
from labeltask_store.workers import Fenced, Worker, is_registered

PREFIX = "wh_panel_mapping_"
MAX_TABLE_CHARACTERS = 64 - len(PREFIX)
"""A result table with a longer name could have no production table."""

ConflictGroups = Mapping[str, Sequence[str]]


def production_table(table: str) -> str:
    """Return the name of a result table's production table."""
    return PREFIX + table


def ensure_production_table(db: DbConnection, schema: str, table: str) -> None:
    """Have the production table of a result table: same columns, same key. Ends a transaction.

    :raises TaskFailure: when one exists that can't hold the text.
    """
    ensure_tables(db, schema, [production_table(table)])


def produce(db: DbConnection, schema: str, worker: Worker, table: str, groups: ConflictGroups) -> int:
    """Replace the task's rows in ``table``'s production table; return how many they are.

    :raises Fenced: when ``worker`` is not registered any more; nothing has changed then.
    """
    target = qualified(schema, production_table(table))
    db.rollback()
    # The lock makes two finalizers take turns, and the check stops the one that was replaced.
    if not is_registered(db, schema, worker, lock=True):
        db.rollback()
        raise Fenced
    changed_by(db, f"DELETE FROM {target} WHERE task_id = %s", (worker.task_id,))  # noqa: S608
    statement, values = _reduction(qualified(schema, table), _has_key(db, schema, table), groups)
    columns = ", ".join(COLUMNS)
    count = changed_by(
        db,
        f"INSERT INTO {target} ({columns}) {statement}",
        [worker.task_id if value is None else value for value in values],
    )
    db.commit()
    return count


def _reduction(source: str, has_key: bool, groups: ConflictGroups) -> tuple[str, list[str | None]]:
    """Return the SELECT of what is produced, and its values, None standing for the task id."""
    # The text is carried along only where it can't be looked up again by a key.
    carried = ("id", "source_author", "panel", "create_time") if has_key else COLUMNS
    # Partitioned by a digest, not by the TEXT itself: sorting looks at the first max_sort_length bytes only.
    author = "SHA2(source_author, 256)"
    numbered = (
        f"SELECT {', '.join(carried)}, {author} AS author, "  # noqa: S608
        f"COUNT(*) OVER (PARTITION BY {author}, panel) AS panel_rows, "
        f"ROW_NUMBER() OVER (PARTITION BY {author}, panel ORDER BY create_time DESC, id DESC) AS place "
        f"FROM {source} WHERE task_id = %s"
    )
    values: list[str | None] = []
    ranks: list[str] = []
    conditions: list[str] = []
    for number, panels in enumerate(group for group in groups.values() if group):
        ranks.append(f"IF(panel IN ({marks(len(panels))}), 1, 0) AS in_{number}")
        values += panels
        conditions.append(f"(in_{number} = 0 OR (rank_{number} = 1 AND ties_{number} = 1))")
    windows = "".join(
        f", RANK() OVER (PARTITION BY author, in_{number} ORDER BY panel_rows DESC) AS rank_{number}"
        f", COUNT(*) OVER (PARTITION BY author, in_{number}, panel_rows) AS ties_{number}"
        for number in range(len(ranks))
    )
    unique = f"SELECT numbered.*{''.join(', ' + rank for rank in ranks)} FROM ({numbered}) numbered WHERE place = 1"  # noqa: S608
    ranked = f"SELECT single.*{windows} FROM ({unique}) single"  # noqa: S608
    wanted = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    values.append(None)
    if not has_key:
        return f"SELECT {', '.join(COLUMNS)} FROM ({ranked}) ranked{wanted}", values  # noqa: S608
    columns = ", ".join(f"r.{column}" for column in COLUMNS)
    kept = f"SELECT id, panel FROM ({ranked}) ranked{wanted}"  # noqa: S608
    values.append(None)
    return (
        f"SELECT {columns} FROM ({kept}) kept JOIN {source} r "  # noqa: S608
        "ON r.task_id = %s AND r.id = kept.id AND r.panel = kept.panel",
        values,
    )


def _has_key(db: DbConnection, schema: str, table: str) -> bool:
    rows = rows_of(
        db,
        "SELECT column_name FROM information_schema.statistics WHERE table_schema = %s AND table_name = %s "
        "AND index_name = 'PRIMARY' ORDER BY seq_in_index",
        (schema, table),
    )
    return [str(name).lower() for (name,) in rows] == ["task_id", "id", "panel"]
