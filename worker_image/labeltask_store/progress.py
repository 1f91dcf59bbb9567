"""The worker's writes to ``state``: made from the ledger's sums, so that a repeat or a race can't count anything twice.

Each function locks the row first and then reads the ledger, so that what is written never goes back; none touches a row
that is final.
"""

from collections.abc import Mapping

from labeltask_contract.stat import ProdStat, Stat, is_final
from labeltask_store.authors import delete_authors
from labeltask_store.connection import DbConnection, rows_of
from labeltask_store.ledger_sums import Totals, read_table_counts, read_totals
from labeltask_store.rule_hits import delete_parts
from labeltask_store.sql import qualified
from labeltask_store.state_table import STATE_TABLE, update_state, word_of
from labeltask_store.workers import run_minutes


def write_progress(
    db: DbConnection, schema: str, task_id: str, *, end_time: str, peak_memory_mib: float
) -> Totals | None:
    """Write counters, tables, check_point, memory and run time from the ledger; SUCCESS once all slices are done.

    ``end_time`` is the check_point of a task whose range is finished. Return None, with nothing written, when the row
    is final or missing: the task is over.
    """
    stored = _lock(db, schema, task_id)
    totals = read_totals(db, schema, task_id)
    if stored is None or totals.slices == 0:
        db.rollback()
        return None if stored is None else totals
    tables = read_table_counts(db, schema, task_id)
    values: dict[str, object] = {
        "length_receive_table": totals.rows_read,
        "length_output_table": totals.rows_labelled,
        "result": ",".join(tables) or None,
        "check_point": totals.check_point or end_time,
        "peak_memory": max(peak_memory_mib, stored),
        "run_time": round(run_minutes(db, schema, task_id), 4),
    }
    if totals.unfinished == 0:
        values["stat"] = Stat.SUCCESS.value
    update_state(db, schema, task_id, values)
    return totals


def write_production(
    db: DbConnection,
    schema: str,
    task_id: str,
    produced: Mapping[str, tuple[int, int]],
    peak_memory_mib: float,
    *,
    has_report: bool = False,
) -> None:
    """End the task: ``produced`` maps each written table to (rows produced, distinct authors); empty means no_data.

    The author digests, and the parts of a rule report, go in the same transaction: they are counted, and nobody needs
    them any more.
    """
    stored = _lock(db, schema, task_id)
    if stored is None:
        db.rollback()
        return
    tables = sorted(produced)
    values: dict[str, object] = {
        "prod_stat": (ProdStat.FINISH if tables else ProdStat.NO_DATA).value,
        "result": ",".join(tables) or None,
        "length_prod_table": ",".join(str(produced[table][0]) for table in tables) or None,
        "uniq_source_author": ",".join(str(produced[table][1]) for table in tables) or None,
        "rate_of_label": ",".join(rate_of_label(*produced[table]) for table in tables) or None,
        "peak_memory": max(peak_memory_mib, stored),
        "run_time": round(run_minutes(db, schema, task_id), 4),
    }
    delete_authors(db, schema, task_id)
    if has_report:
        delete_parts(db, schema, task_id)
    update_state(db, schema, task_id, values)


def rate_of_label(rows_produced: int, distinct_authors: int) -> str:
    """Return 100 * rows / authors with two decimals, halves rounded up."""
    if distinct_authors == 0:
        return "0.00"
    hundredths = (20_000 * rows_produced + distinct_authors) // (2 * distinct_authors)
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def _lock(db: DbConnection, schema: str, task_id: str) -> float | None:
    """Lock the row; return the peak memory it holds, None when the row is missing or final."""
    db.rollback()
    rows = rows_of(
        db,
        f"SELECT stat, prod_stat, COALESCE(peak_memory, 0) FROM {qualified(schema, STATE_TABLE)} "  # noqa: S608
        "WHERE task_id = %s FOR UPDATE",
        (task_id,),
    )
    if not rows:
        return None
    stat, prod_stat, peak = rows[0]
    return None if is_final(word_of(Stat, stat), word_of(ProdStat, prod_stat)) else float(peak)
