"""The loop of phase 1: claim a slice, read, match, write, checkpoint. The order is visible here and only here.

The main thread reads and matches; a second one commits the batches, one after the other and a few behind, and claims
the next slice before the last rows of one are labelled; a third has the database begin to send it. Every step may be
cut off by a kill: what is not committed is read again by whoever claims the slice next.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import replace
from functools import partial
from math import inf

from labeltask_contract.errors import TaskFailure
from labeltask_contract.reasons import Reason
from labeltask_contract.task_document import TaskDocument
from labeltask_contract.times import format_time, parse_time
from labeltask_store.batches import Batch, commit_batch
from labeltask_store.connection import READ_SECONDS, Escape
from labeltask_store.ledger_sums import Totals
from labeltask_store.progress import write_progress
from labeltask_store.result_rows import RowDoesNotFit, encode_rows
from labeltask_store.result_tables import ResultTable, ensure_tables, new_table
from labeltask_store.source_access import Access
from labeltask_store.source_rows import SourceRows
from labeltask_store.workers import Worker
from labeltask_worker.background import Background
from labeltask_worker.batch_building import BatchBuilder, BatchInMaking
from labeltask_worker.database import RETRY_SECONDS, Database, Retry
from labeltask_worker.matching import Labelling, Matcher
from labeltask_worker.memory import peak_memory_mib
from labeltask_worker.shutdown import Stop
from labeltask_worker.slice_opener import OpenSlice, SliceOpener
from labeltask_worker.slices_in_hand import SliceInHand, SlicesInHand

PROGRESS_SECONDS = 1.0
"""Shortest time between two writes of the task's row."""
MATCH_SECONDS = 2.0
"""Longest time that rows are matched, or wait for others, without a commit: far below lease and grace period."""
AHEAD_SECONDS = 0.2
"""How long before a slice is labelled the next one is claimed: longer than it takes to open, far below the lease."""
RENEW_SECONDS = 20.0
"""How often the lease of a slice is begun anew whose first row is waited for."""
SORT_SECONDS = 1_800
"""Longest silence before the first row of a source table without an index over post_time, or without a key."""
POLL_SECONDS = 0.5
"""How often a worker without a slice looks whether one has become free or all are done."""


class TaskIsOver(Exception):
    """The task's row is final: somebody aborted it, or another worker ended it."""


class _KnownTables(dict[str, ResultTable]):
    """Result tables by name; those that did not exist when the worker started are as it makes them."""

    def __missing__(self, name: str) -> ResultTable:
        table = self[name] = new_table(name)
        return table


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
        self._database = database
        self._matcher = matcher
        self._builder = builder
        self._stop = stop
        read_seconds = SORT_SECONDS if access.sorts else READ_SECONDS
        self._opener = SliceOpener(lambda: database.stream(read_seconds), task, access)
        self._slices = SlicesInHand(database, task.output_schema, worker, self._opener)
        self._tables = _KnownTables(tables)
        self._existing = set(tables)
        self._end_time = format_time(parse_time(task.end_time))
        self._watch = watch
        self._making = BatchInMaking(task.batch_rows, MATCH_SECONDS)
        self._reported_at = 0.0
        self._reported_tables: set[str] = set()

    def run(self) -> None:
        """Label slices until all of the task's are done, whoever did them.

        :raises TaskIsOver: when the task ended meanwhile.
        """
        with Background() as background, self._opener:
            try:
                self._label_slices(background)
            except TaskFailure as failure:
                if failure.reason is not Reason.INTERRUPTED:
                    # What stands before the failure is good work; of its own failures the thread has dropped the rest.
                    background.drain()
                raise
            finally:
                background.abandon()
                self._slices.hand_back()
                self._builder.forget()

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

    def _label_slices(self, background: Background) -> None:
        part: SliceInHand | None = None
        while True:
            self._stop.check()
            part = part or background.result_of(self._claim(background))
            if part is not None:
                coming = self._label_slice(part, background)
                background.put(partial(self._slices.finish, part))
                part = background.result_of(coming)
                continue
            background.drain()
            if self.report().unfinished == 0:
                return
            self._stop.wait(POLL_SECONDS)

    def _claim(self, background: Background) -> "Future[SliceInHand | None]":
        promised: Future[SliceInHand | None] = Future()
        background.put(lambda: promised.set_result(self._slices.claim()))
        return promised

    def _label_slice(self, part: SliceInHand, background: Background) -> "Future[SliceInHand | None]":
        """Hand all batches of a slice to the thread that commits; return the slice that comes next."""
        try:
            coming = self._read_slice(part, background)
        except TaskFailure as failure:
            if failure.reason is not Reason.INTERRUPTED:
                # What stands before the failure is good work.
                self._flush(part, background)
            raise
        self._flush(part, background)
        return coming or self._claim(background)

    def _read_slice(self, part: SliceInHand, background: Background) -> "Future[SliceInHand | None] | None":
        coming: Future[SliceInHand | None] | None = None
        claim, opening = part.claim, part.opening
        behind = claim.behind
        row_seconds = inf
        retry = Retry(self._database.connection, self._stop, RETRY_SECONDS)
        while True:
            try:
                with self._opened(opening, part, background) as opened:
                    for rows in opened.rows.portions():
                        left = opened.rows.rows_left
                        if coming is None and left is not None and (left + len(rows)) * row_seconds < AHEAD_SECONDS:
                            # The database looks for the next rows while the last of these are labelled.
                            coming = self._claim(background)
                        began = time.monotonic()
                        self._label(rows, part, opened.escape, background)
                        row_seconds = (time.monotonic() - began) / len(rows)
                        behind = rows.last
                        retry.succeeded()
            except Exception as error:
                # Only reading: what goes wrong in writing has been tried again already.
                retry.failed(error, where=f"reading {self._task.input_schema}.{self._task.input_table}")
                opening = self._opener.open(claim.start, claim.end, behind)
            else:
                return coming

    def _opened(self, opening: "Future[OpenSlice]", part: SliceInHand, background: Background) -> OpenSlice:
        """Wait until the first row is about to come; a server that sorts a slice may take minutes."""
        while not wait([opening], RENEW_SECONDS).done:
            self._stop.check()
            background.put(partial(self._slices.renew, part))
        return opening.result()

    def _label(self, rows: SourceRows, part: SliceInHand, escape: Escape, background: Background) -> None:
        while len(rows):
            self._stop.check()
            labelling = self._matcher.match(rows.texts, pause_seconds=MATCH_SECONDS)
            done = rows if labelling.done == len(rows) else rows.part(0, labelling.done)
            self._add(done, labelling, escape)
            if self._making.is_full:
                self._flush(part, background)
            rows = rows.part(labelling.done)

    def _add(self, rows: SourceRows, labelling: Labelling, escape: Escape, *, remember: bool = True) -> None:
        """Add rows to the batch in the making."""
        portion = self._builder.build(rows, labelling, remember=remember)
        try:
            values = encode_rows(
                escape, self._schema, self._tables, portion.tables, portion.results, self._database.packet_bytes
            )
        except RowDoesNotFit as error:
            # Everything before the row is committed, so that its place is known and nothing is lost.
            position = next(number for number, row in enumerate(rows.rows) if row[0] == error.row_id)
            if position:
                self._add(rows.part(0, position), labelling.before(position), escape, remember=False)
            raise TaskFailure(Reason.ROW_TOO_LARGE, str(error)) from None
        self._making.add(replace(portion.batch, values=values))

    def _flush(self, part: SliceInHand, background: Background) -> None:
        batch = self._making.take()
        if batch is not None:
            background.put(partial(self._commit, part, batch))

    def _commit(self, part: SliceInHand, batch: Batch) -> None:
        missing = batch.values.keys() - self._existing
        if missing:
            # DDL commits whatever is open, so it happens between transactions.
            self._database.run(
                lambda db: ensure_tables(db, self._schema, missing),
                where=f"tables {', '.join(f'{self._schema}.{name}' for name in sorted(missing))}",
            )
            self._existing |= missing
        part.claim = self._database.run(
            lambda db: commit_batch(db, self._schema, part.claim, batch, self._database.packet_bytes),
            where=f"a batch for {', '.join(f'{self._schema}.{name}' for name in sorted(batch.values))}",
        )
        written = set(part.claim.labelled)
        if written - self._reported_tables or time.monotonic() - self._reported_at >= PROGRESS_SECONDS:
            self._reported_tables |= written
            self.report()
