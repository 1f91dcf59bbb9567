"""What MariaDB and MySQL have to be told differently to be a private server for tests.

MariaDB is the one that is installed; MySQL is taken where ``LABELTASK_TEST_MYSQLD`` names its ``mysqld``.
"""

import os
import shutil
from dataclasses import dataclass
from typing import Any

import pymysql

_MARIADB_SESSIONS = "information_schema.processlist"
_MYSQL_SESSIONS = "performance_schema.processlist"
"""MySQL's other table can't be read while anybody's statement holds an emoji."""


@dataclass(frozen=True)
class ServerKind:
    """How one of the two is run. All tuples are arguments."""

    name: str
    program: str
    options: tuple[str, ...]
    install: tuple[str, ...]
    """The command that fills an empty data folder, as far as the two differ."""
    users: str
    """What else the server is told at its start, after the test account was made."""
    sessions: str
    """The table of sessions."""
    lock_waits: str
    """The table of transactions that wait for another's lock on a row."""

    @property
    def is_mysql(self) -> bool:
        """Tell whether tests of what only MariaDB does have nothing to look at."""
        return self.name == "MySQL"


def server_kind() -> ServerKind:
    """Return the kind that the environment asks for."""
    mysqld = os.environ.get("LABELTASK_TEST_MYSQLD")
    return _mysql(mysqld) if mysqld else _mariadb()


def sessions_table(db: "pymysql.Connection[Any]") -> str:
    """Return the table of sessions of whichever server ``db`` is connected to."""
    with db.cursor() as cursor:
        cursor.execute("SELECT VERSION()")
        (version,) = cursor.fetchone() or ("",)
    return _MARIADB_SESSIONS if "mariadb" in version.lower() else _MYSQL_SESSIONS


def numbers_to(count: int) -> str:
    """Return a table, fit for FROM, with the numbers from 1 to ``count`` in its column ``seq``."""
    digits = " UNION ALL ".join(f"SELECT {digit} AS digit" for digit in range(10))
    places = range(len(str(count)))
    value = " + ".join(f"{10**place} * d{place}.digit" for place in places)
    tables = ", ".join(f"({digits}) d{place}" for place in places)
    return f"(SELECT {value} AS seq FROM {tables} HAVING seq BETWEEN 1 AND {count}) AS numbers"


def _mariadb() -> ServerKind:
    return ServerKind(
        "MariaDB",
        _program("mariadbd"),
        (
            "--innodb-log-file-size=64M",
            # Only a killed machine would lose data by it, not a killed server; tables are made far faster.
            "--debug-no-sync",
        ),
        (
            _program("mariadb-install-db"),
            "--no-defaults",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            "--skip-log-bin",
        ),
        "DELETE FROM mysql.global_priv WHERE User = '';\nFLUSH PRIVILEGES;\n",
        _MARIADB_SESSIONS,
        "information_schema.innodb_lock_waits",
    )


def _mysql(mysqld: str) -> ServerKind:
    return ServerKind(
        "MySQL",
        mysqld,
        (
            "--innodb-redo-log-capacity=128M",
            # As MariaDB's --debug-no-sync. The binary log, which MySQL writes by default, stays on.
            "--innodb-flush-method=nosync",
            "--sync-binlog=0",
            # A second protocol on a fixed port of its own.
            "--mysqlx=OFF",
            "--secure-file-priv=NULL",
            # MariaDB offers TLS only where it is given a certificate, MySQL makes itself one.
            "--tls-version=",
        ),
        (mysqld, "--no-defaults", "--initialize-insecure", "--skip-log-bin"),
        "",
        _MYSQL_SESSIONS,
        "performance_schema.data_lock_waits",
    )


def _program(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        raise RuntimeError(f"{name} is not installed; the database tests need the package mariadb-server-core")
    return found
