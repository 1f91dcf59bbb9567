"""The history of tasks: the ``state`` table answers for those whose LabelTask is gone from the cluster."""

from collections.abc import Sequence
from typing import Protocol

import pymysql
import structlog

from labeltask_contract.connection import load_connection
from labeltask_contract.errors import InvalidTask
from labeltask_gateway.cluster import Cluster
from labeltask_gateway.errors import HistoryUnavailable
from labeltask_gateway.settings import NamedConnection
from labeltask_store.connection import open_connection
from labeltask_store.state_table import StateRow, read_state

_log = structlog.stdlib.get_logger(__name__)


class History(Protocol):
    """What the gateway asks of the database."""

    def find(self, task_id: str) -> StateRow | None:
        """Return the task's row, or None when no schema holds one.

        May raise ``HistoryUnavailable`` and the cluster's errors.
        """


class NoHistory:
    """A deployment without a default connection remembers only what is in the cluster."""

    def find(self, task_id: str) -> StateRow | None:  # noqa: ARG002 - the Protocol's signature
        """Return None."""
        return None


class DatabaseHistory:
    """Reads ``state`` of each schema in turn. The account is read anew each time, so a rotated password just works."""

    def __init__(
        self, cluster: Cluster, account: NamedConnection, schemas: Sequence[str], timeout_seconds: float
    ) -> None:
        self._cluster = cluster
        self._account = account
        self._schemas = tuple(schemas)
        self._timeout_seconds = max(1, int(timeout_seconds))

    def find(self, task_id: str) -> StateRow | None:
        """As the Protocol says."""
        try:
            connection = load_connection(self._cluster.read_secret_key(self._account.secret_name, self._account.key))
            db = open_connection(
                connection, "pymysql", read_seconds=self._timeout_seconds, connect_seconds=min(3, self._timeout_seconds)
            )
            try:
                found = (read_state(db, schema, task_id) for schema in self._schemas)
                return next((row for row in found if row is not None), None)
            finally:
                db.close()
        except (pymysql.Error, OSError, RuntimeError, InvalidTask) as error:
            # MySQL's texts name user, host and objects, never a password.
            _log.warning("history_unavailable", error=type(error).__name__, message=str(error))
            raise HistoryUnavailable from None
