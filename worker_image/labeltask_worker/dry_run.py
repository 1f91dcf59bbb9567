"""A look at what a task would label: reads and matches the whole range, writes nothing anywhere.

It needs the right to read the source only. One statement in the server's own order, no ledger: nothing to go on from.
"""

import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from labeltask_store.connection import READ_SECONDS, classify
from labeltask_store.source_rows import open_all
from labeltask_worker.database import Database
from labeltask_worker.matching import build_matcher
from labeltask_worker.preflight import check_source
from labeltask_worker.shutdown import Stop
from labeltask_worker.task_files import check_task, load_assignment, load_rules


@dataclass(frozen=True)
class DryRun:
    """What a task would do: rows read, rows with a label, and rows by label in the order of the pattern."""

    rows_read: int
    rows_labelled: int
    labels: dict[str, int]
    seconds: float


def try_task(task_dir: Path, stop: Stop) -> DryRun:
    """Read and match the task's range.

    :raises TaskFailure: as a run would.
    """
    assignment = load_assignment(task_dir)
    task = assignment.task
    check_task(task)
    pattern = load_rules(task_dir, task)
    matcher = build_matcher(task.model_type, pattern, task.policy, task.row_budget_seconds)
    database = Database(assignment.connection, stop)
    database.connect_first()
    try:
        check_source(database, task)
    finally:
        database.close()
    began = time.monotonic()
    rows_read = rows_labelled = 0
    labels: Counter[int] = Counter()
    try:
        with database.stream(READ_SECONDS) as stream:
            for rows in open_all(stream, task).portions():
                stop.check()
                for _, found in matcher.match(rows.texts).labelled:
                    rows_labelled += 1
                    labels.update(found)
                rows_read += len(rows)
    except Exception as error:
        raise classify(error, assignment.connection, where=f"{task.input_schema}.{task.input_table}") or error from None
    by_label = {rules.label: labels[number] for number, rules in enumerate(pattern)}
    return DryRun(rows_read, rows_labelled, by_label, round(time.monotonic() - began, 3))
