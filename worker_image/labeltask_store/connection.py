"""Connections to MySQL or MariaDB: one way to open them, whichever of the two drivers an image holds.

The worker holds mysqlclient (C, 5 to 9 times as fast at reading), gateway and operator hold PyMySQL; every other
module of the store takes any open connection of that family. What an error of theirs means stands in ``failures.py``.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal, Protocol

from labeltask_contract.connection import Connection, Tls, TlsMode
from labeltask_store import tls
from labeltask_store.failures import classify, error_code, is_conflict, is_lost
from labeltask_store.greeting import refusal_of_tls

__all__ = [
    "Cursor",
    "DbConnection",
    "Driver",
    "classify",
    "error_code",
    "is_conflict",
    "is_lost",
    "open_connection",
    "rows_of",
]

Driver = Literal["mysqlclient", "pymysql"]

READ_SECONDS = 60
"""Longest silence of the server while an answer is awaited. Statements known to take longer ask for more."""

STREAM_WRITE_SECONDS = 600
"""How long the server waits until a stream's rows are taken: slow expressions take minutes over what lies in between,
and the server's own minute would end the stream, which then is opened again."""

SQL_MODE = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
"""Strict: a value that does not fit is an error, never cut or replaced by ``?``. No ANSI_QUOTES either."""


class Cursor(Protocol):
    """What this project uses of PEP 249's cursor."""

    @property
    def rowcount(self) -> int: ...
    def execute(self, query: Any, args: Any = None) -> Any: ...
    def fetchone(self) -> Any: ...
    def fetchmany(self, size: int = ...) -> Any: ...
    def fetchall(self) -> Any: ...
    def mogrify(self, query: Any, args: Any = None) -> str: ...
    def close(self) -> None: ...


class DbConnection(Protocol):
    """What this project uses of PEP 249's connection; autocommit is off."""

    def cursor(self) -> Any: ...
    def commit(self) -> None: ...
    def rollback(self) -> None: ...
    def close(self) -> None: ...


def open_connection(
    connection: Connection,
    driver: Driver,
    *,
    read_seconds: int = READ_SECONDS,
    connect_seconds: int = 10,
    stream: bool = False,
    idle_seconds: int | None = None,
) -> DbConnection:
    """Return an open connection: utf8mb4, autocommit off, READ COMMITTED, strict, no LOAD DATA LOCAL.

    It is encrypted when the connection says ``tls``, and only then: a driver left to itself would take TLS where the
    server offers it, and fail where that is too old.

    ``stream`` gives unbuffered cursors: rows are fetched from the server as they are asked for, one statement runs at a
    time, and every value comes as the bytes that the server sent (text in UTF-8), because to convert them costs more
    than to read them. ``idle_seconds`` becomes the session's ``wait_timeout``, in place of the server's. No schema is
    selected; statements name theirs. Errors are the driver's; see :func:`classify`.
    """
    arguments: dict[str, Any] = {
        "host": connection.host,
        "port": connection.port,
        "user": connection.user,
        "password": connection.password.get_secret_value(),
        "charset": "utf8mb4",
        "sql_mode": SQL_MODE,
        "autocommit": False,
        "local_infile": False,
        "connect_timeout": connect_seconds,
        "read_timeout": read_seconds,
        "write_timeout": read_seconds,
    }
    if stream:
        arguments |= {"use_unicode": False, "conv": {}}
    connect = _connect_mysqlclient if driver == "mysqlclient" else _connect_pymysql
    db = connect(arguments, stream, connection.tls)
    try:
        cursor = db.cursor()
        # READ COMMITTED: no gap locks (tasks that write one result table side by side would deadlock on them), and a
        # long-lived connection sees what others commit. A stream's statements all see the same moment.
        isolation = "REPEATABLE READ" if stream else "READ COMMITTED"
        cursor.execute(f"SET SESSION TRANSACTION ISOLATION LEVEL {isolation}")
        if stream:
            cursor.execute(f"SET SESSION net_write_timeout = {STREAM_WRITE_SECONDS:d}")
        if idle_seconds is not None:
            cursor.execute(f"SET SESSION wait_timeout = {idle_seconds:d}")
        cursor.close()
        db.commit()
    except BaseException:
        db.close()
        raise
    return db


def _connect_mysqlclient(arguments: dict[str, Any], stream: bool, wanted: Tls | None) -> DbConnection:
    # Imported here: the image of gateway and operator holds no mysqlclient, the worker's no PyMySQL.
    import MySQLdb  # type: ignore[import-untyped]
    from MySQLdb.cursors import Cursor as Buffered  # type: ignore[import-untyped]
    from MySQLdb.cursors import SSCursor as Unbuffered

    if wanted is not None and wanted.mode is TlsMode.REQUIRED:
        refusal = refusal_of_tls(arguments["host"], arguments["port"], arguments["connect_timeout"])
        if refusal is not None:
            raise MySQLdb.OperationalError(*refusal)
    with tls.mysqlclient_arguments(wanted) as encryption:
        db = MySQLdb.connect(
            **arguments, **encryption, multi_statements=False, cursorclass=Unbuffered if stream else Buffered
        )
    if wanted is not None and not db.server_capabilities & tls.OFFERED:
        db.close()
        raise MySQLdb.OperationalError(2026, "the server offers no TLS")
    opened: DbConnection = db
    return opened


def _connect_pymysql(arguments: dict[str, Any], stream: bool, wanted: Tls | None) -> DbConnection:
    import pymysql.cursors

    # PyMySQL would encode a str as Latin-1, which is neither what mysqlclient nor what the server does.
    arguments = {**arguments, **tls.pymysql_arguments(wanted), "password": arguments["password"].encode()}
    cursor_class = pymysql.cursors.SSCursor if stream else pymysql.cursors.Cursor
    db: DbConnection = pymysql.connect(**arguments, cursorclass=cursor_class)
    return db


def rows_of(db: DbConnection, statement: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """Execute ``statement`` and return all its rows."""
    cursor = db.cursor()
    try:
        cursor.execute(statement, tuple(values))
        return list(cursor.fetchall())
    finally:
        cursor.close()


def expected_rows(db: DbConnection, statement: str, values: Sequence[object]) -> int | None:
    """Return how many rows the optimizer expects a SELECT to look at; None where it says nothing. No row is read."""
    cursor = db.cursor()
    try:
        # The server's own default may be a tree, as MySQL 9's is.
        cursor.execute(f"EXPLAIN FORMAT=TRADITIONAL {statement}", tuple(values))
        names = [column[0].lower() for column in cursor.description]
        plan = cursor.fetchall()
    finally:
        cursor.close()
    guess = dict(zip(names, plan[0], strict=True)).get("rows") if plan else None
    return None if guess is None else int(guess)


def changed_by(db: DbConnection, statement: str, values: Sequence[object] = ()) -> int:
    """Execute ``statement`` and return how many rows it changed."""
    cursor = db.cursor()
    try:
        cursor.execute(statement, tuple(values))
        count: int = cursor.rowcount
        return count
    finally:
        cursor.close()


Escape = Callable[[bytes], bytes]
"""Makes text in UTF-8 fit for a string in single quotes; bytes that are no UTF-8 stay as they are."""


def escaper(db: DbConnection) -> Escape:
    """Return what escapes text as sessions of :func:`open_connection` read it; for the thread that uses ``db``.

    ``db`` is one of mysqlclient's, the only ones over which result rows are written.
    """
    escape: Escape = getattr(db, "escape_string")  # noqa: B009 - PEP 249 does not have it
    return escape
