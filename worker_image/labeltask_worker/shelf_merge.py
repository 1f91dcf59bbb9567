"""Which tasks may be put on the shelf and which tables take part, as pure functions of what ``state`` says.

labelling.md, "dump_result". The merge itself runs inside the database: ``labeltask_store.shelf_tables``.
"""

from collections.abc import Mapping, Sequence

from labeltask_contract.errors import TaskFailure
from labeltask_contract.reasons import Reason
from labeltask_store.finished_tasks import unfinished_tasks
from labeltask_store.state_table import StateRow

Shelves = Mapping[str, Sequence[str]]


def check_finished(task_ids: Sequence[str], rows: Mapping[str, StateRow], place: str) -> None:
    """Check that every task has its production rows; ``place`` is where its row was looked for.

    :raises TaskFailure: TaskNotFinished, naming each task that has none and what is known of it.
    """
    named = [f"{task_id} ({known})" for task_id, known in unfinished_tasks(task_ids, rows).items()]
    if named:
        message = (
            f"{len(named)} of {len(task_ids)} tasks have no prod_stat finish in {place}: {', '.join(named)}; "
            "wait for them or leave them out. Nothing was written"
        )
        raise TaskFailure(Reason.TASK_NOT_FINISHED, message)


def filled_tables(rows: Sequence[StateRow]) -> set[str]:
    """Return the result tables of which at least one task has production rows, as ``state`` tells."""
    filled: set[str] = set()
    for row in rows:
        tables = [table.strip() for table in (row.result or "").split(",") if table.strip()]
        counts = [count.strip() for count in (row.length_prod_table or "").split(",")]
        if len(tables) != len(counts):
            counts = ["unknown"] * len(tables)
        filled.update(table for table, count in zip(tables, counts, strict=True) if count != "0")
    return filled


def tables_beside(shelves: Shelves, filled: set[str]) -> list[str]:
    """Return the result tables with rows that no shelf table takes."""
    taken = {table for tables in shelves.values() for table in tables}
    return sorted(filled - taken)
