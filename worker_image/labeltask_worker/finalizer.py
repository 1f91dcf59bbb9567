"""Phase 2, by the worker of index 0: wait for the countdown, fill the production tables, end the task.

labelling.md, "Output, phase 2". Every step may be repeated; where an earlier worker got to is read from the database.
"""

from functools import partial

import structlog

from labeltask_contract.pattern import Pattern
from labeltask_contract.task_document import TaskDocument
from labeltask_store.authors import count_authors
from labeltask_store.ledger_sums import read_table_counts, seconds_since_labelled
from labeltask_store.production_tables import ensure_production_table, produce
from labeltask_store.progress import write_production
from labeltask_store.rule_hits import REPORT_TABLE, ReportLine, sum_hits, write_report
from labeltask_store.state_table import read_state
from labeltask_store.workers import Worker
from labeltask_worker.database import Database
from labeltask_worker.memory import peak_memory_mib
from labeltask_worker.pipeline import TaskIsOver
from labeltask_worker.routing import groups_that_conflict, panels_of
from labeltask_worker.rule_report import never_matched, report_lines
from labeltask_worker.shutdown import Stop

PRODUCTION_READ_SECONDS = 6 * 3600
"""Longest time for one table's reduction inside the server, which says nothing until it is done."""
_LOOK_SECONDS = 5.0
"""How often the countdown looks whether the task was aborted."""

_log = structlog.get_logger(__name__)


def finalize(
    database: Database, task: TaskDocument, pattern: Pattern, worker: Worker, stop: Stop
) -> list[ReportLine] | None:
    """Bring a task whose slices are all done to its end; return its rule report, if it wants one.

    :raises TaskIsOver: when somebody else ended it first.
    """
    schema, task_id = task.output_schema, task.task_id
    tables = database.run(lambda db: read_table_counts(db, schema, task_id))
    _log.info("rows by table", labelled=tables)
    if tables:
        _wait_for_countdown(database, task, stop)
    panels = panels_of([rules.label for rules in pattern], task.rules.label_translations)
    # To look for conflicts takes the server as long as all the rest.
    groups = groups_that_conflict(task.rules.conflict_groups, panels)
    produced: dict[str, int] = {}
    for table in tables:
        stop.check()
        _check_not_over(database, task)
        database.run(partial(ensure_production_table, schema=schema, table=table), where=f"{schema}.{table}")
        produced[table] = database.run(
            partial(produce, schema=schema, worker=worker, table=table, groups=groups),
            where=f"phase 2 of {schema}.{table}",
            read_seconds=PRODUCTION_READ_SECONDS,
        )
        _log.info("production rows written", table=table, rows=produced[table])
    stop.check()
    report = _report_rules(database, task, pattern, worker) if task.rule_report else None
    authors = database.run(lambda db: count_authors(db, schema, task_id, tables))
    outcome = {table: (produced[table], authors[table]) for table in tables}
    database.run(
        lambda db: write_production(db, schema, task_id, outcome, peak_memory_mib(), has_report=task.rule_report),
        where=f"the task's row in {schema}.state",
    )
    return report


def _report_rules(database: Database, task: TaskDocument, pattern: Pattern, worker: Worker) -> list[ReportLine]:
    counts = database.run(lambda db: sum_hits(db, task.output_schema, task.task_id))
    lines = report_lines(pattern, counts)
    database.run(
        lambda db: write_report(db, task.output_schema, worker, lines),
        where=f"table {task.output_schema}.{REPORT_TABLE}",
    )
    _log.info(
        "rule report",
        rows_matched=lines[0].matched,
        rows_conflicting=lines[0].conflicting,
        rules=sum(line.rule is not None for line in lines),
        rules_never_matched=len(never_matched(lines)),
    )
    return lines


def _wait_for_countdown(database: Database, task: TaskDocument, stop: Stop) -> None:
    """Wait until the countdown is over, which began when the last slice was done, whoever did it."""
    while True:
        passed = database.run(lambda db: seconds_since_labelled(db, task.output_schema, task.task_id))
        remaining = task.countdown_seconds - passed
        if remaining <= 0:
            return
        _check_not_over(database, task)
        stop.wait(min(remaining, _LOOK_SECONDS))


def _check_not_over(database: Database, task: TaskDocument) -> None:
    row = database.run(lambda db: read_state(db, task.output_schema, task.task_id))
    if row is None or row.is_final:
        raise TaskIsOver
