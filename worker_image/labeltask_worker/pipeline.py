"""The loop of phase 1: claim a slice, read, match, write, checkpoint. The order is visible here and only here.

The main thread reads and matches; a second one commits the batches, one after the other and a few behind. Every step
may be cut off by a kill: what is not committed is read again by whoever claims the slice next.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import structlog

from labeltask_contract.errors import TaskFailure
from labeltask_contract.reasons import Reason
from labeltask_contract.task_document import TaskDocument
from labeltask_contract.times import format_time, parse_time
from labeltask_store.batches import Batch, Statements, build_statements, commit_batch
from labeltask_store.connection import READ_SECONDS, Escape, escaper
from labeltask_store.ledger_sums import Totals
from labeltask_store.progress import write_progress
from labeltask_store.result_tables import ResultTable, RowDoesNotFit, ensure_table
from labeltask_store.slices import Claim, claim_slice, finish_slice, release
from labeltask_store.source_access import Access
from labeltask_store.source_rows import SourceReader, SourceRows
from labeltask_store.workers import Worker
from labeltask_worker.background import Background
from labeltask_worker.batch_building import BatchBuilder
from labeltask_worker.database import RETRY_SECONDS, Database, Retry
from labeltask_worker.matching import Labelling, Matcher
from labeltask_worker.memory import peak_memory_mib
from labeltask_worker.shutdown import Stop

PROGRESS_SECONDS = 1.0
"""Shortest time between two writes of the task's row."""
MATCH_SECONDS = 2.0
"""Longest time that rows are matched without a commit: far below the lease and the grace period."""
SORT_SECONDS = 1_800
"""Longest silence before the first row of a source table without an index over post_time, or without a key."""
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
        access: Access,
        tables: dict[str, ResultTable],
        watch: Callable[[Totals], None] = lambda _: None,
    ) -> None:
        """``watch`` is told the task's totals whenever they have been written."""
        self._task = task
        self._schema = task.output_schema
        self._worker = worker
        self._database = database
        self._matcher = matcher
        self._builder = builder
        self._stop = stop
        self._reader = SourceReader(task, access)
        self._read_seconds = SORT_SECONDS if access.sorts else READ_SECONDS
        self._tables = tables
        self._end_time = format_time(parse_time(task.end_time))
        self._watch = watch
        self._held: Claim | None = None
        """The slice in hand, as of its last commit; the thread that commits moves it."""
        self._reported_at = 0.0
        self._reported_tables: set[str] = set()

    def run(self) -> None:
        """Label slices until all of the task's are done, whoever did them.

        :raises TaskIsOver: when the task ended meanwhile.
        """
        with Background() as background:
            while True:
                self._stop.check()
                claim = self._database.run(lambda db: claim_slice(db, self._schema, self._worker))
                if claim is not None:
                    self._label_slice(claim, background)
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
        self._watch(totals)
        return totals

    def _label_slice(self, claim: Claim, background: Background) -> None:
        self._held = claim
        try:
            self._read_slice(claim, background)
            background.put(self._finish)
            background.drain()
        except TaskFailure as failure:
            if failure.reason is Reason.INTERRUPTED:
                background.abandon()
            else:
                # What stands before the failure is good work; of its own failures the thread has dropped the rest.
                background.drain()
            raise
        finally:
            background.abandon()
            self._hand_back()

    def _read_slice(self, claim: Claim, background: Background) -> None:
        """Hand every batch of the slice to the thread that commits."""
        behind = claim.behind
        retry = Retry(self._database.connection, self._stop, RETRY_SECONDS)
        while True:
            try:
                with self._database.stream(self._read_seconds) as stream:
                    escape = escaper(stream)
                    for rows in self._reader.iter_batches(stream, claim.start, claim.end, behind):
                        self._label_batch(rows, escape, background)
                        behind = rows.last
                        retry.succeeded()
            except Exception as error:
                # Only reading: what goes wrong in writing has been tried again already.
                retry.failed(error, where=f"reading {self._task.input_schema}.{self._task.input_table}")
            else:
                return

    def _label_batch(self, rows: SourceRows, escape: Escape, background: Background) -> None:
        while len(rows):
            self._stop.check()
            labelling = self._matcher.match(rows.texts, pause_seconds=MATCH_SECONDS)
            part = rows if labelling.done == len(rows) else rows.part(0, labelling.done)
            self._write_rows(part, labelling, escape, background)
            rows = rows.part(labelling.done)

    def _write_rows(
        self, rows: SourceRows, labelling: Labelling, escape: Escape, background: Background, *, remember: bool = True
    ) -> None:
        try:
            self._write(self._builder.build(rows, labelling, remember=remember), escape, background)
        except RowDoesNotFit as error:
            # Everything before the row is committed, so that its place is known and nothing is lost. Tables are looked
            # through one by one, so an earlier row may not fit either: then that one is told.
            position = rows.ids.index(error.row_id)
            if position:
                before = labelling.before(position)
                self._write_rows(rows.part(0, position), before, escape, background, remember=False)
            raise TaskFailure(Reason.ROW_TOO_LARGE, str(error)) from None

    def _write(self, batch: Batch, escape: Escape, background: Background) -> None:
        """Hand the batch to the thread that commits, as statements: to make them is work for this one."""
        missing = [name for name in batch.results if name not in self._tables]
        if missing:
            # DDL commits whatever is open, so it happens between transactions.
            background.drain()
        for name in missing:
            self._tables[name] = self._database.run(
                partial(ensure_table, schema=self._schema, name=name), where=f"table {self._schema}.{name}"
            )
        statements = build_statements(
            escape, self._schema, self._task.task_id, batch, self._tables, self._database.packet_bytes
        )
        background.put(partial(self._commit, replace(batch, results={}), statements))

    def _commit(self, batch: Batch, statements: Statements) -> None:
        claim = self._claim
        self._held = moved = self._database.run(
            lambda db: commit_batch(db, self._schema, claim, batch, statements),
            where=f"a batch for {', '.join(f'{self._schema}.{name}' for name in sorted(statements))}",
        )
        written = {name for name, count in moved.tables.items() if count.labelled}
        if written - self._reported_tables or time.monotonic() - self._reported_at >= PROGRESS_SECONDS:
            self._reported_tables |= written
            self.report()

    def _finish(self) -> None:
        claim = self._claim
        self._database.run(lambda db: finish_slice(db, self._schema, claim))
        self._held = None
        _log.info("slice done", slice=claim.slice_no, rows_read=sum(count.read for count in claim.tables.values()))

    @property
    def _claim(self) -> Claim:
        if self._held is None:
            raise AssertionError("no slice is held")
        return self._held

    def _hand_back(self) -> None:
        claim, self._held = self._held, None
        if claim is None:
            return
        try:
            release(self._database.run(lambda db: db), self._schema, claim)
        except Exception as error:
            # The lease ends it otherwise.
            _log.warning("could not hand the slice back", slice=claim.slice_no, error=type(error).__name__)
