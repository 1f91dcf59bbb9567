"""One run of one dump: from mounted files to exit code. How tables merge stands in ``labeltask_store.shelf_tables``.

labelling.md, "dump_result". Everything is checked before the first table is touched. A dump that was killed anywhere
begins anew: tables that were swapped in are built again, and what else was left is dropped.
"""

from functools import partial
from pathlib import Path

import structlog

from labeltask_contract import names
from labeltask_contract.connection import Connection, load_connection
from labeltask_contract.dump_document import DumpDocument, load_dump, shelf_problem
from labeltask_contract.dump_status import DumpTable, pack_outcome
from labeltask_contract.errors import InvalidTask, TaskFailure
from labeltask_contract.reasons import Reason
from labeltask_store.connection import DbConnection
from labeltask_store.presence import database_now, has_schema, has_table
from labeltask_store.production_tables import PREFIX
from labeltask_store.shelf_tables import Merge, build, clean_up, shelf_table, swap_in
from labeltask_store.state_table import STATE_TABLE, StateRow, read_progress
from labeltask_store.turns import Turns
from labeltask_worker.database import Database
from labeltask_worker.outcome import leave_message
from labeltask_worker.settings import Settings
from labeltask_worker.shelf_merge import check_finished, filled_tables, tables_beside
from labeltask_worker.shutdown import Stop, interrupted

MERGE_READ_SECONDS = 6 * 3600
"""Longest time for one statement inside the server, which says nothing until it is done."""
SWAP_WAIT_SECONDS = 10
"""How long the swap waits for readers that hold the table; then it lets those behind it pass and tries again."""
_TURN_SECONDS = 2

_log = structlog.get_logger(__name__)


class DumpRun:
    """A worker's run. ``exit_code`` of :meth:`run` is 0 or one that ``labeltask_contract.reasons`` documents."""

    def __init__(self, task_dir: Path, settings: Settings, stop: Stop) -> None:
        self._task_dir = task_dir
        self._settings = settings
        self._stop = stop

    def run(self) -> int:
        """Do the work; return the exit code, having left counts or cause for the operator."""
        log = self._settings.termination_log
        self._stop.on_exit = lambda: leave_message(log, interrupted())
        try:
            tables = self._work()
        except TaskFailure as failure:
            return self._fail(failure)
        except Exception as error:
            _log.exception("internal error")
            return self._fail(
                TaskFailure(Reason.INTERNAL, f"a fault inside LabelTask: {type(error).__name__}: {error}")
            )
        self._leave_counts(tables)
        _log.info("the dump is complete")
        return 0

    def _leave_counts(self, tables: list[DumpTable]) -> None:
        if self._settings.termination_log is None:
            return
        try:
            self._settings.termination_log.write_bytes(pack_outcome(tables))
        except OSError as error:
            # The tables are there, which is what counts; the log above has the numbers too.
            _log.warning("the counts could not be left for the operator", cause=error.strerror)

    def _fail(self, failure: TaskFailure) -> int:
        _log.error("stopped", reason=failure.reason.value, message=failure.message)
        leave_message(self._settings.termination_log, failure)
        return failure.exit_code

    def _work(self) -> list[DumpTable]:
        dump, connection = _load(self._task_dir)
        structlog.contextvars.bind_contextvars(dump_id=dump.dump_id)
        database = Database(connection, self._stop)
        self._stop.on_overdue = database.cancel
        database.connect_first()
        try:
            turns = Turns(dump.output_schema, dump.dump_id)
            merges = _plan(database, dump)
            database.run(turns.end_predecessor)
            database.run(lambda db: self._clean(db, turns, dump), read_seconds=MERGE_READ_SECONDS)
            return [self._dump(database, turns, merge) for merge in merges]
        finally:
            database.close()

    def _dump(self, database: Database, turns: Turns, merge: Merge) -> DumpTable:
        """Build one dump table and swap it in; after a lost connection from the beginning."""
        where = f"the dump of {merge.schema}.{shelf_table(merge.shelf)}"

        def build_aside(db: DbConnection) -> DumpTable:
            self._take_turn(db, turns)
            return build(db, merge, self._stop.check)

        def swap(db: DbConnection) -> bool:
            # Without the turn, what stands aside may be somebody else's.
            if not turns.held(db):
                return False
            swap_in(db, merge.schema, merge.shelf, SWAP_WAIT_SECONDS)
            return True

        try:
            while True:
                self._stop.check()
                table = database.run(build_aside, where=where, read_seconds=MERGE_READ_SECONDS)
                self._stop.check()
                if database.run(swap, where=where, read_seconds=MERGE_READ_SECONDS):
                    break
        except TaskFailure:
            _drop_what_stands_aside(database, turns, merge)
            raise
        _log.info("dump table written", table=table.name, **table.model_dump(exclude={"name"}))
        return table

    def _clean(self, db: DbConnection, turns: Turns, dump: DumpDocument) -> None:
        self._take_turn(db, turns)
        clean_up(db, dump.output_schema, list(dump.shelves))

    def _take_turn(self, db: DbConnection, turns: Turns) -> None:
        while not turns.take(db, _TURN_SECONDS):
            _log.info("another dump writes to the schema, waiting")
            self._stop.wait(1)


def _load(task_dir: Path) -> tuple[DumpDocument, Connection]:
    try:
        dump = load_dump((task_dir / names.DUMP_FILE).read_bytes())
        connection = load_connection((task_dir / names.CONNECTION_FILE).read_bytes())
    except InvalidTask as error:
        raise TaskFailure(Reason.SPEC_INVALID, str(error)) from None
    except OSError as error:
        message = f"{error.filename} can't be read: {error.strerror}; it must be mounted"
        raise TaskFailure(Reason.SPEC_INVALID, message) from None
    if problem := shelf_problem(dump.shelves):
        raise TaskFailure(Reason.SPEC_INVALID, problem)
    return dump, connection


def _plan(database: Database, dump: DumpDocument) -> list[Merge]:
    """Check tasks, schemas, tables and rights; return what is to be merged.

    :raises TaskFailure: TaskNotFinished, SchemaMissing, TableMissing, ColumnMissing or AccessDenied, naming it.
    """
    schema = dump.output_schema
    for wanted in (schema, dump.previous_schema):
        if not database.run(lambda db: has_schema(db, wanted)):  # noqa: B023
            message = f"{database.connection.address} has no schema {wanted}, or hides it from this account"
            raise TaskFailure(Reason.SCHEMA_MISSING, message)
    place = f"{schema}.{STATE_TABLE}"
    found = database.run(lambda db: read_progress(db, schema, dump.task_ids), where=place)
    rows: dict[str, StateRow] = {task_id: progress.state for task_id, progress in found.items()}
    check_finished(dump.task_ids, rows, place)
    filled = filled_tables(list(rows.values()))
    if beside := tables_beside(dump.shelves, filled):
        _log.warning("no shelf table takes the tasks' rows in these tables", tables=beside)
    now = database.run(database_now)
    return [_plan_merge(database, dump, shelf, filled, now) for shelf in dump.shelves]


def _plan_merge(database: Database, dump: DumpDocument, shelf: str, filled: set[str], now: str) -> Merge:
    schema, previous = dump.output_schema, dump.previous_schema
    sources = [
        table
        for table in dump.shelves[shelf]
        if _is_there(database, schema, PREFIX + table, "source_author", "panel", "task_id")
    ]
    if lost := sorted(filled & set(dump.shelves[shelf]) - set(sources)):
        message = f"the tasks' production table {schema}.{PREFIX}{lost[0]} does not exist; run the tasks again"
        raise TaskFailure(Reason.TABLE_MISSING, message)
    has_previous = _is_there(database, previous, shelf_table(shelf), "source_author", "panel", "create_time")
    is_own = has_previous and schema.lower() == previous.lower() and _holds_tasks(database, schema, shelf_table(shelf))
    return Merge(
        shelf=shelf,
        schema=schema,
        sources=tuple(sources),
        previous_schema=previous if has_previous else None,
        own_rows_aside=is_own,
        task_ids=dump.task_ids,
        panels=dump.panels,
        now=now,
    )


def _is_there(database: Database, schema: str, table: str, *columns: str) -> bool:
    look = partial(has_table, schema=schema, table=table, columns=columns)
    return database.run(lambda db: look(db), where=f"{schema}.{table}")


def _holds_tasks(database: Database, schema: str, table: str) -> bool:
    try:
        return _is_there(database, schema, table, "task_id")
    except TaskFailure as failure:
        if failure.reason is not Reason.COLUMN_MISSING:
            raise
        return False


def _drop_what_stands_aside(database: Database, turns: Turns, merge: Merge) -> None:
    """Leave no room taken by a dump that failed. Best effort: the next dump to this schema does it otherwise."""

    def drop(db: DbConnection) -> None:
        # A moment: the session that was ended for its long statement may still be on its way out.
        if turns.take(db, 1):
            clean_up(db, merge.schema, [merge.shelf])

    try:
        database.run(drop)
    except Exception as error:
        _log.warning("what the dump had built could not be dropped", error=type(error).__name__)
