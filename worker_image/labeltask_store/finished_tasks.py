"""Which tasks may be put on the shelf, as a pure function of what ``state`` says. labelling.md, "dump_result"."""

from collections.abc import Mapping, Sequence

from labeltask_contract.stat import ProdStat
from labeltask_store.state_table import StateRow


def unfinished_tasks(task_ids: Sequence[str], rows: Mapping[str, StateRow]) -> dict[str, str]:
    """Return each task that has no production rows, and what is known of it."""
    return {
        task_id: _known(rows.get(task_id))
        for task_id in task_ids
        if task_id not in rows or rows[task_id].prod_stat is not ProdStat.FINISH
    }


def _known(row: StateRow | None) -> str:
    if row is None:
        return "no such task"
    if row.prod_stat is ProdStat.NO_DATA:
        return "no_data: it labelled no row"
    return f"stat {row.stat or 'unknown'}"
