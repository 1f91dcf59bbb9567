"""Check everything before the first row: output tables and rights, the source's columns, what is there already.

The output comes first, so that whatever is wrong with the source can be written where callers read it.
"""

import structlog

from labeltask_contract.errors import TaskFailure
from labeltask_contract.reasons import Reason
from labeltask_contract.task_document import TaskDocument
from labeltask_store.authors import AUTHOR_TABLES
from labeltask_store.connection import DbConnection, rows_of
from labeltask_store.production_tables import production_table
from labeltask_store.result_tables import ResultTable, find_tables
from labeltask_store.rule_hits import REPORT_TABLES
from labeltask_store.slices import SLICE_TABLES, ensure_tables
from labeltask_store.source_access import Access, find_access
from labeltask_store.source_rows import columns_of, probe_source
from labeltask_store.state_table import StateRow, ensure_state_table, insert_pending, read_state
from labeltask_store.workers import WORKER_TABLES
from labeltask_worker.database import Database
from labeltask_worker.routing import SourceRouter

_log = structlog.get_logger(__name__)


def prepare_output(database: Database, task: TaskDocument) -> StateRow:
    """Have the task's row and return it.

    :raises TaskFailure: AccessDenied, SchemaMissing or OutputNotWritable, naming the schema.
    """
    schema = task.output_schema

    def prepare(db: DbConnection) -> StateRow | None:
        ensure_state_table(db, schema)
        insert_pending(db, schema, task)
        return read_state(db, schema, task.task_id)

    row = database.run(prepare, where=f"the output schema {schema}, table state")
    if row is None:
        raise TaskFailure(Reason.INTERNAL, f"the row of the task vanished from {schema}.state while it started")
    return row


def prepare_ledger(database: Database, task: TaskDocument) -> None:
    """Have the ledger's tables.

    :raises TaskFailure: as :func:`prepare_output`.
    """
    schema = task.output_schema

    def prepare(db: DbConnection) -> None:
        wanted = {**SLICE_TABLES, **WORKER_TABLES, **AUTHOR_TABLES, **(REPORT_TABLES if task.rule_report else {})}
        ensure_tables(db, schema, wanted)

    database.run(prepare, where=f"the output schema {schema}, the worker's own tables")


def check_source(database: Database, task: TaskDocument) -> Access:
    """Check that the source can be read; return how to read it in order.

    :raises TaskFailure: AccessDenied, SchemaMissing, TableMissing or ColumnMissing, naming what is missing.
    """
    place = f"{task.input_schema}.{task.input_table}"
    try:
        database.run(lambda db: probe_source(db, task), where=f"the source table {place}")
    except TaskFailure as failure:
        # MariaDB reports a missing schema as a missing table.
        if failure.reason is Reason.TABLE_MISSING and not _schema_exists(database, task.input_schema):
            message = f"{database.connection.address} has no schema {task.input_schema} to read from; correct the name"
            raise TaskFailure(Reason.SCHEMA_MISSING, message) from None
        if failure.reason is Reason.COLUMN_MISSING:
            needed = ", ".join(columns_of(task))
            raise TaskFailure(failure.reason, f"{failure.message}; the task reads {needed}") from None
        raise
    access = database.run(lambda db: find_access(db, task))
    if access.index is None:
        _log.warning("the source table has no index that starts with post_time: each slice reads it all", table=place)
    return access


def check_results(database: Database, task: TaskDocument) -> dict[str, ResultTable]:
    """Return the result tables that exist already.

    :raises TaskFailure: CharsetUnfit or OutputNotWritable for one that can't take the text, production tables included.
    """
    tables = SourceRouter(task.rules.source_tables).tables
    wanted = [*tables, *map(production_table, tables)]
    found = database.run(lambda db: find_tables(db, task.output_schema, wanted))
    return {name: table for name, table in found.items() if name in tables}


def _schema_exists(database: Database, schema: str) -> bool:
    statement = "SELECT 1 FROM information_schema.schemata WHERE schema_name = %s"
    return bool(database.run(lambda db: rows_of(db, statement, (schema,))))
