"""How a source table can be read in order: its index over post_time, what orders its ids, if it lies in their order.

Input: what the database says about the table and its keys. Output: an :class:`Access`, from which ``source_order``
chooses for each slice.
"""

from dataclasses import dataclass
from typing import NamedTuple

from labeltask_contract.task_document import TaskDocument
from labeltask_store.connection import DbConnection, rows_of
from labeltask_store.sql import quote


class Position(NamedTuple):
    """Where reading a slice goes on: behind this row."""

    post_time: str | None
    """None where the slice is read in the order of ids."""
    id: str


@dataclass(frozen=True)
class Access:
    """How the source is read in (post_time, id) order."""

    index: str | None
    """The index over post_time."""
    id_order: str = "id"
    """What orders ids, as SQL."""
    lies_by_id: bool = False
    """Whether id alone is the primary key, so that the table lies in the order of ids."""

    @property
    def sorts(self) -> bool:
        """Whether the server sorts a slice's rows before it sends the first one."""
        return self.index is None or self.id_order != "id"


def find_access(db: DbConnection, task: TaskDocument) -> Access:
    """Return how the task's source can be read in order."""
    unique = rows_of(
        db,
        "SELECT index_name = 'PRIMARY' FROM information_schema.statistics WHERE table_schema = %s AND table_name = %s "
        "GROUP BY index_name HAVING MAX(non_unique) = 0 AND COUNT(*) = 1 AND MAX(column_name) = 'id'",
        (task.input_schema, task.input_table),
    )
    # Without a unique key, ids that a collation takes for one another would be one place of the cursor.
    order = "id" if unique else "CONVERT(id USING utf8mb4) COLLATE utf8mb4_bin"
    return Access(_find_time_index(db, task), order, lies_by_id=(1,) in unique)


def _find_time_index(db: DbConnection, task: TaskDocument) -> str | None:
    """Return the name of the index that starts with post_time, the shortest if there are several, or None."""
    rows = rows_of(
        db,
        "SELECT a.index_name FROM information_schema.statistics a JOIN information_schema.statistics b "
        "ON a.table_schema = b.table_schema AND a.table_name = b.table_name AND a.index_name = b.index_name "
        "WHERE a.table_schema = %s AND a.table_name = %s AND a.seq_in_index = 1 AND a.column_name = 'post_time' "
        "GROUP BY a.index_name ORDER BY COUNT(*), a.index_name LIMIT 1",
        (task.input_schema, task.input_table),
    )
    db.rollback()
    if not rows:
        return None
    name = str(rows[0][0])
    try:
        quote(name)
    except ValueError:
        return None
    return name
