"""The loop of phase 1: claim a slice, read, match, write, checkpoint. The order is visible here and only here.

Every step may be cut off by a kill: what is not committed is read again by whoever claims the slice next.
"""

import time
from collections.abc import Sequence
from functools import partial

import structlog

from labeltask_contract.errors import TaskFailure
from labeltask_contract.reasons import Reason
from labeltask_contract.task_document import TaskDocument
from labeltask_contract.times import format_time, parse_time
from labeltask_store.batches import commit_batch
from labeltask_store.connection import READ_SECONDS
from labeltask_store.ledger_sums import Totals
from labeltask_store.progress import write_progress
from labeltask_store.result_tables import ResultTable, RowDoesNotFit, ensure_table
from labeltask_store.slices import Claim, claim_slice, finish_slice, release
from labeltask_store.source_rows import SourceRow, iter_batches
from labeltask_store.workers import Worker
from labeltask_worker.batch_building import BatchBuilder
from labeltask_worker.database import RETRY_SECONDS, Database, Retry
from labeltask_worker.matching import Matcher
from labeltask_worker.memory import peak_memory_mib
from labeltask_worker.shutdown import Stop

PROGRESS_SECONDS = 1.0
"""Shortest time between two writes of the task's row."""
MATCH_SECONDS = 2.0
"""Longest time that rows are matched without a commit: far below the lease and the grace period."""
SORT_SECONDS = 1_800
"""Longest silence before the first row of a source table without an index over post_time."""
POLL_SECONDS = 0.5
"""How often a worker without a slice looks whether one has become free or all are done."""

_log = structlog.get_logger(__name__)


class TaskIsOver(Exception):
    """The task's row is final: somebody aborted it, or another worker ended it."""


class Pipeline:
    """Phase 1 of one task in one worker."""

    def __init__(
        self,
        task: TaskDocument,
        worker: Worker,
        database: Database,
        matcher: Matcher,
        builder: BatchBuilder,
        stop: Stop,
        *,
        index: str | None,
        tables: dict[str, ResultTable],
    ) -> None:
        self._task = task
        self._schema = task.output_schema
        self._worker = worker
        self._database = database
        self._matcher = matcher
        self._builder = builder
        self._stop = stop
        self._index = index
        # Without an index the server sorts a slice's rows before it sends the first one.
        self._read_seconds = READ_SECONDS if index else SORT_SECONDS
        self._tables = tables
        self._end_time = format_time(parse_time(task.end_time))
        self._reported_at = 0.0
        self._reported_tables: set[str] = set()

    def run(self) -> None:
        """Label slices until all of the task's are done, whoever did them.

        :raises TaskIsOver: when the task ended meanwhile.
        """
        while True:
            self._stop.check()
            claim = self._database.run(lambda db: claim_slice(db, self._schema, self._worker))
            if claim is not None:
                self._label_slice(claim)
            elif self.report().unfinished == 0:
                return
            else:
                self._stop.wait(POLL_SECONDS)

    def report(self) -> Totals:
        """Write the task's row from the ledger.

        :raises TaskIsOver: when it is final.
        """
        totals = self._database.run(
            lambda db: write_progress(
                db,
                self._schema,
                self._task.task_id,
                end_time=self._end_time,
                peak_memory_mib=peak_memory_mib(),
            ),
            where=f"the task's row in {self._schema}.state",
        )
        self._reported_at = time.monotonic()
        if totals is None:
            raise TaskIsOver
        return totals

    def _label_slice(self, claim: Claim) -> None:
        held = claim
        retry = Retry(self._database.connection, self._stop, RETRY_SECONDS)
        try:
            while True:
                try:
                    with self._database.stream(self._read_seconds) as stream:
                        for rows in iter_batches(stream, self._task, self._index, held.start, held.end, held.behind):
                            held = self._label_batch(held, rows)
                            retry.succeeded()
                    break
                except Exception as error:
                    # Only reading: what goes wrong in writing has been tried again already.
                    retry.failed(error, where=f"reading {self._task.input_schema}.{self._task.input_table}")
            self._database.run(lambda db: finish_slice(db, self._schema, held))
        except TaskFailure:
            self._hand_back(held)
            raise
        _log.info("slice done", slice=held.slice_no, rows_read=sum(count.read for count in held.tables.values()))

    def _label_batch(self, claim: Claim, rows: Sequence[SourceRow]) -> Claim:
        while rows:
            labels = self._matcher.label([row.text for row in rows], pause_seconds=MATCH_SECONDS)
            claim = self._commit(claim, rows[: len(labels)], labels)
            rows = rows[len(labels) :]
            written = {name for name, count in claim.tables.items() if count.labelled}
            if written - self._reported_tables or time.monotonic() - self._reported_at >= PROGRESS_SECONDS:
                self._reported_tables |= written
                self.report()
            self._stop.check()
        return claim

    def _commit(self, claim: Claim, rows: Sequence[SourceRow], labels: Sequence[tuple[int, ...]]) -> Claim:
        batch, authors = self._builder.build(rows, labels)
        for name in batch.results:
            if name not in self._tables:
                # DDL commits whatever is open, so it happens between transactions.
                self._tables[name] = self._database.run(
                    partial(ensure_table, schema=self._schema, name=name), where=f"table {self._schema}.{name}"
                )
        try:
            moved = self._database.run(
                lambda db: commit_batch(db, self._schema, claim, batch, self._tables, self._database.packet_bytes),
                where=f"a batch for {', '.join(f'{self._schema}.{name}' for name in sorted(batch.results))}",
            )
        except RowDoesNotFit as error:
            # Everything before the row is committed, so that its place is known and nothing is lost.
            position = next(number for number, row in enumerate(rows) if row.id == error.row_id)
            if position:
                self._commit(claim, rows[:position], labels[:position])
            raise TaskFailure(Reason.ROW_TOO_LARGE, str(error)) from None
        self._builder.remember(authors)
        return moved

    def _hand_back(self, claim: Claim) -> None:
        try:
            release(self._database.run(lambda db: db), self._schema, claim)
        except Exception as error:
            # The lease ends it otherwise.
            _log.warning("could not hand the slice back", slice=claim.slice_no, error=type(error).__name__)
