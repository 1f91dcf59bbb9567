"""Rows of result tables and `state`, and how many source rows a request would read: the gateway's look into databases.

Every statement has a time limit on the server and on the socket; what a sample costs stands in
``labeltask_store.sampling``.
"""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import pymysql
import structlog

from labeltask_contract.connection import Connection
from labeltask_contract.spec import LabelTaskSpec
from labeltask_gateway.errors import DatabaseUnavailable
from labeltask_store.connection import DbConnection, error_code, open_connection
from labeltask_store.result_tables import ResultRow
from labeltask_store.sampling import estimate_rows, limit_statements, sample_rows
from labeltask_store.state_table import StateRow, read_state, read_states

_log = structlog.stdlib.get_logger(__name__)

_CONNECT_SECONDS = 3


class Tables(Protocol):
    """What the gateway asks of a task's database. Each call may raise ``DatabaseUnavailable``."""

    def sample(self, connection: Connection, schemas: Sequence[str], task_id: str, size: int) -> list[ResultRow] | None:
        """Return at most ``size`` rows of each of the task's result tables; None when no schema knows the task."""

    def estimate(self, connection: Connection, spec: LabelTaskSpec) -> int | None:
        """Return the database's guess of how many source rows lie in the task's range."""

    def states(self, connection: Connection, schema: str, task_ids: Sequence[str]) -> dict[str, StateRow]:
        """Return the rows of ``state`` of those tasks that have one, by task id."""


class DatabaseTables:
    """The real one; a connection for each call."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = max(1, int(timeout_seconds))

    def sample(self, connection: Connection, schemas: Sequence[str], task_id: str, size: int) -> list[ResultRow] | None:
        """As the Protocol says; tables in the order of ``state.result``, rows of a table in the order of their ids."""
        with self._open(connection) as db:
            for schema in schemas:
                row = read_state(db, schema, task_id)
                if row is None:
                    continue
                tables = [name for name in (row.result or "").split(",") if name]
                # S311: a sample for people to look at.
                chance = random.Random()  # noqa: S311
                return [found for table in tables for found in sample_rows(db, schema, table, task_id, size, chance)]
        return None

    def estimate(self, connection: Connection, spec: LabelTaskSpec) -> int | None:
        """As the Protocol says."""
        with self._open(connection) as db:
            return estimate_rows(db, spec.input.schema_, spec.input.table, spec.start_time, spec.end_time)

    def states(self, connection: Connection, schema: str, task_ids: Sequence[str]) -> dict[str, StateRow]:
        """As the Protocol says."""
        with self._open(connection) as db:
            return read_states(db, schema, task_ids)

    @contextmanager
    def _open(self, connection: Connection) -> Iterator[DbConnection]:
        seconds = self._timeout_seconds
        try:
            db = open_connection(
                connection, "pymysql", read_seconds=seconds, connect_seconds=min(_CONNECT_SECONDS, seconds)
            )
            try:
                limit_statements(db, seconds)
                yield db
            finally:
                db.close()
        except (pymysql.Error, OSError, ValueError, RuntimeError) as error:
            # RuntimeError: the server asked for a file of this machine (LOAD DATA LOCAL) and got none.
            # MySQL's texts name user, host and objects, never a password; the caller sees the number alone.
            code = error_code(error)
            _log.warning("database_unavailable", error=type(error).__name__, code=code, message=str(error))
            raise DatabaseUnavailable(code) from None
