"""Which worker is the live one of each completion index: what fences a pod that was replaced.

A Job's controller starts a pod of an index only when the one before it is gone or given up, so whoever registered last
is the right one. All clocks are the database's.
"""

from dataclasses import dataclass

from labeltask_contract.errors import LabelTaskError
from labeltask_store.connection import DbConnection, changed_by, rows_of
from labeltask_store.sql import qualified

WORKER_TABLE = "label_worker"
WORKER_TABLES = {
    WORKER_TABLE: """(
  task_id VARCHAR(32) NOT NULL,
  owner_index INT NOT NULL,
  owner VARCHAR(64) NOT NULL,
  first_started_at DATETIME(6) NOT NULL,
  started_at DATETIME(6) NOT NULL,
  PRIMARY KEY (task_id, owner_index)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin""",
}


class Fenced(LabelTaskError):
    """Another worker has taken this one's place: nothing more may be written."""

    def __init__(self) -> None:
        super().__init__("another worker took over; this one stops without writing")


@dataclass(frozen=True)
class Worker:
    """Who is asking: the pod's uid, unique for ever, and its completion index, which a replacement has too."""

    task_id: str
    owner: str
    owner_index: int


def register(db: DbConnection, schema: str, worker: Worker) -> None:
    """Make ``worker`` the one of its index; an earlier one of the same index is fenced from now on."""
    changed_by(
        db,
        f"INSERT INTO {qualified(schema, WORKER_TABLE)} (task_id, owner_index, owner, first_started_at, started_at) "  # noqa: S608
        "VALUES (%s, %s, %s, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)) "
        "ON DUPLICATE KEY UPDATE owner = %s, started_at = UTC_TIMESTAMP(6)",
        (worker.task_id, worker.owner_index, worker.owner, worker.owner),
    )
    db.commit()


def is_registered(db: DbConnection, schema: str, worker: Worker, *, lock: bool = False) -> bool:
    """Tell whether ``worker`` still is the one of its index; ``lock`` keeps that true until the transaction ends."""
    rows = rows_of(
        db,
        f"SELECT owner FROM {qualified(schema, WORKER_TABLE)} WHERE task_id = %s AND owner_index = %s"  # noqa: S608
        + (" FOR UPDATE" if lock else ""),
        (worker.task_id, worker.owner_index),
    )
    return [owner for (owner,) in rows] == [worker.owner]


def run_minutes(db: DbConnection, schema: str, task_id: str) -> float:
    """Return the minutes since the task's first worker registered."""
    rows = rows_of(
        db,
        "SELECT TIMESTAMPDIFF(MICROSECOND, MIN(first_started_at), UTC_TIMESTAMP(6)) / 60000000 "  # noqa: S608
        f"FROM {qualified(schema, WORKER_TABLE)} WHERE task_id = %s",
        (task_id,),
    )
    return float(rows[0][0] or 0)
