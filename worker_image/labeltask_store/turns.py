"""Turns at an output schema: one dump at a time merges there, and what a dead one still does is ended first.

Locks of the server (GET_LOCK) belong to a session, so they go with a killed worker. The functions leave no transaction.
"""

import hashlib

from labeltask_store.connection import DbConnection, error_code, rows_of


class Turns:
    """The locks of one dump."""

    def __init__(self, schema: str, dump_id: str) -> None:
        # A lock's name has 64 characters at most, and a server may not tell schemas apart by case.
        digest = hashlib.sha256(schema.lower().encode()).hexdigest()[:32]
        self._schema_lock = f"labeltask-shelf-{digest}"
        self._dump_lock = f"labeltask-dump-{dump_id}"

    def end_predecessor(self, db: DbConnection) -> None:
        """End the session of an earlier worker of this dump: its last statement may run on in the server."""
        (holder,) = rows_of(db, "SELECT IS_USED_LOCK(%s)", (self._dump_lock,))[0]
        if holder is None:
            return
        try:
            rows_of(db, "KILL %s", (int(holder),))
        except Exception as error:
            if error_code(error) != 1094:  # it is gone already
                raise

    def take(self, db: DbConnection, seconds: int) -> bool:
        """Wait up to ``seconds`` for this session's turn; tell whether it has come. Repeating it does no harm."""
        if self.held(db):
            return True
        got = [rows_of(db, "SELECT GET_LOCK(%s, %s)", (name, seconds))[0][0]
               for name in (self._dump_lock, self._schema_lock)]  # fmt: skip
        return got == [1, 1]

    def held(self, db: DbConnection) -> bool:
        """Tell whether it is this session's turn."""
        statement = "SELECT IS_USED_LOCK(%s) = CONNECTION_ID() AND IS_USED_LOCK(%s) = CONNECTION_ID()"
        return bool(rows_of(db, statement, (self._schema_lock, self._dump_lock))[0][0])
