"""Hold workers at a chosen row, or slow them down: what happens meanwhile then depends on no machine's speed."""

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import pymysql

from labeltask_store.slices import SLICE_TABLES, ensure_tables
from labeltask_store.state_table import SLICE_TABLE
from labeltask_testing.server_kinds import sessions_table

Connect = Callable[[], AbstractContextManager["pymysql.Connection[Any]"]]
"""Opens a session with every right, autocommit on."""

SMALL_BATCH = 10
"""Most rows of a batch that :func:`slow_small_batches` slows down."""
_HOLD_SECONDS = 300
"""Longest hold; a test is over long before."""
_numbers = itertools.count(1)


@dataclass
class Hold:
    """A hold that is set. ``lock`` names a lock of the server that ``session`` has."""

    connect: Connect
    session: "pymysql.Connection[Any]"
    lock: str

    def waiting(self) -> int:
        """Return how many workers are held now."""
        with self.connect() as db, db.cursor() as cursor:
            cursor.execute(
                f"SELECT COUNT(*) FROM {sessions_table(db)} WHERE state = 'User lock' AND info LIKE %s",
                (f"%{self.lock}%",),
            )
            return int((cursor.fetchone() or (0,))[0])

    def reached(self, workers: int = 1, seconds: float = 60) -> None:
        """Wait until ``workers`` are held."""
        deadline = time.monotonic() + seconds
        while self.waiting() < workers:
            assert time.monotonic() < deadline, f"{self.waiting()} of {workers} workers came to the hold"
            time.sleep(0.01)

    def release(self) -> None:
        """Let the workers go on; none is held again."""
        # A test may have killed the server, which frees the lock too.
        with suppress(pymysql.err.Error), self.session.cursor() as cursor:
            cursor.execute("DO RELEASE_LOCK(%s)", (self.lock,))


def slow_small_batches(connect: Connect, schema: str) -> None:
    """Have every batch of up to ``SMALL_BATCH`` rows take a millisecond a row, for good.

    A task with such batches runs for 13 s at least over the 13,000 rows that the cluster's tests label.
    """
    with connect() as db, db.cursor() as cursor:
        ensure_tables(db, schema, {SLICE_TABLE: SLICE_TABLES[SLICE_TABLE]})
        cursor.execute(
            f"CREATE TRIGGER `{schema}`.labeltask_slow BEFORE UPDATE ON `{schema}`.{SLICE_TABLE} FOR EACH ROW "
            f"IF NEW.rows_read - OLD.rows_read BETWEEN 1 AND {SMALL_BATCH} THEN "
            "DO SLEEP((NEW.rows_read - OLD.rows_read) / 1000); END IF"
        )


@contextmanager
def hold_commits(connect: Connect, schema: str, task_id: str, rows: int) -> Iterator[Hold]:
    """Hold each commit of the task that takes a slice to ``rows`` rows or more, until released or the block ends.

    A worker so held has written the batch's rows and waits, inside its transaction, for the ledger's answer.
    """
    lock = f"labeltask_hold_{next(_numbers)}"
    with connect() as session, session.cursor() as cursor:
        ensure_tables(session, schema, {SLICE_TABLE: SLICE_TABLES[SLICE_TABLE]})
        cursor.execute("SELECT GET_LOCK(%s, 0)", (lock,))
        assert cursor.fetchone() == (1,)
        cursor.execute(
            f"CREATE TRIGGER `{schema}`.{lock} BEFORE UPDATE ON `{schema}`.{SLICE_TABLE} FOR EACH ROW "
            f"IF NEW.task_id = '{task_id}' AND NEW.rows_read > OLD.rows_read AND NEW.rows_read >= {rows} THEN "
            f"DO GET_LOCK('{lock}', {_HOLD_SECONDS}); DO RELEASE_LOCK('{lock}'); END IF"
        )
        hold = Hold(connect, session, lock)
        try:
            yield hold
        finally:
            hold.release()
