"""What an error of a MySQL driver means for a task: its reason, and words a caller can act on.

Pure. Driver errors are known by their shape (``args == (code, text)``), so neither driver needs to be importable.
The server's texts hold user, host and object names, never a password.
"""

import ssl

from labeltask_contract.connection import Connection
from labeltask_contract.errors import TaskFailure
from labeltask_contract.reasons import Reason

# Server codes: https://dev.mysql.com/doc/mysql-errors/8.4/en/server-error-reference.html; 2xxx are the client's.
_NO_ANSWER = frozenset({2002, 2003, 2005, 2012, 2026})
_NO_TLS = 2026
_TLS_WANTED = 3159
_LOST = frozenset({0, 1053, 1080, 1152, 1158, 1159, 1160, 1161, 1317, 1927, 2006, 2013, 2014, 2055, 4031})
# A server's own limit of a statement's time, MariaDB's and MySQL's: rows are read on behind those that came.
_TOO_LONG = frozenset({1969, 3024})
_BUSY = frozenset({1040, 1203, 1226, 3032})
_CONFLICT = frozenset({1020, 1205, 1213, 1412, 1615, 3572})
_RIGHT_MISSING = frozenset({1095, 1142, 1143, 1227, 1370, 1410})
_DENIED = _RIGHT_MISSING | {1044, 1045, 1129, 1130, 1251, 1698, 1820, 1862, 2059, 2061, 3118, 3955, 4151}
_READ_ONLY = frozenset({1036, 1290, 1792, 1836, 3100})
_KEY_WANTED = frozenset({1173, 3098, 3750})
_FULL = frozenset({1021, 1114, 3675})
_FILE_ERRORS = frozenset({3, 1026, 1030})
_NO_SPACE = "No space left"
_TOO_LARGE = frozenset({1153, 1301, 1406, 1118, 2020})

_DRIVERS = ("MySQLdb", "pymysql")


def error_code(error: BaseException) -> int | None:
    """Return the MySQL error number of a driver's error, None for any other error."""
    if not type(error).__module__.startswith(_DRIVERS):
        return None
    code = error.args[0] if error.args else 0
    return code if isinstance(code, int) else 0


def is_lost(error: BaseException) -> bool:
    """Tell whether a new connection may cure ``error``: the old one broke, the server is away or restarting."""
    return error_code(error) in _LOST | _TOO_LONG | _NO_ANSWER | _BUSY


def is_conflict(error: BaseException) -> bool:
    """Tell whether repeating the transaction cures ``error``: a deadlock, a lock held too long."""
    return error_code(error) in _CONFLICT


def classify(
    error: BaseException, connection: Connection, *, where: str | None = None, connecting: bool = False
) -> TaskFailure | None:
    """Return what ``error`` means for the task; None when it is no driver's error or one nobody expects.

    ``where`` names what was worked on (``schema.table``); ``connecting``: no session existed yet, so that an end of
    the connection means an address that doesn't speak MySQL, not an outage.
    """
    code = error_code(error)
    if code is None:
        return None
    text = _text_of(error)
    place = f" ({where})" if where else ""
    address = connection.address
    if code in _DENIED:
        help_text = "grant what is missing" if code in _RIGHT_MISSING else "check user, password and rights"
        if code == 1045 and connection.tls is None:
            # All that MariaDB says when an account or the server wants TLS.
            help_text += ", and set tls if the account needs encryption"
        return TaskFailure(Reason.ACCESS_DENIED, f"{address} refuses the account{place}: {text}; {help_text}")
    if code == _TLS_WANTED or _is_tls(error, code):
        return TaskFailure(Reason.TLS_REFUSED, _about_tls(connection, text))
    if code in _NO_ANSWER or (connecting and code in _LOST):
        cause = text or "the connection ended before the server said who it is"
        message = (
            f"no database answers at {address}: {cause}; check host and port, and that the network lets us through"
        )
        return TaskFailure(Reason.SOURCE_UNREACHABLE, message)
    if code in _LOST | _TOO_LONG | _BUSY:
        return TaskFailure(Reason.CONNECTION_LOST, f"the connection to {address} broke{place}: {text}")
    if code in _CONFLICT:
        message = f"another session at {address} held the rows{place} too long: {text}"
        return TaskFailure(Reason.CONNECTION_LOST, message)
    return _classify_object(code, text, address, place)


def _is_tls(error: BaseException, code: int) -> bool:
    # PyMySQL says 2003 for whatever goes wrong before the log-in, and keeps the cause.
    return code == _NO_TLS or isinstance(getattr(error, "original_exception", None), ssl.SSLError)


def _about_tls(connection: Connection, text: str) -> str:
    if connection.tls is None:
        return f"{connection.address} takes encrypted connections only: {text}; set tls in the connection"
    wanted = "the server must offer TLS 1.2 or later"
    if connection.proves_its_name:
        wanted += f", with a certificate of tls.ca that names {connection.host}"
    return f"no encrypted connection to {connection.address}: {text}; {wanted}"


def _classify_object(code: int, text: str, address: str, place: str) -> TaskFailure | None:
    if code == 1049:
        return TaskFailure(Reason.SCHEMA_MISSING, f"{address}: {text}{place}; create the schema or correct its name")
    if code in (1051, 1146):
        return TaskFailure(Reason.TABLE_MISSING, f"{address}: {text}{place}; correct the name or create the table")
    if code == 1054:
        return TaskFailure(Reason.COLUMN_MISSING, f"{address}: {text}{place}; the table must have this column")
    if code in _READ_ONLY:
        message = f"{address} can't be written{place}: {text}; name a primary server or end its read-only mode"
        return TaskFailure(Reason.OUTPUT_NOT_WRITABLE, message)
    if code in _KEY_WANTED:
        message = (
            f"{address} can't be written{place}: {text}; the server must let tables have no primary key, "
            "as dump tables have none"
        )
        return TaskFailure(Reason.OUTPUT_NOT_WRITABLE, message)
    if code == 1665:
        message = (
            f"{address} can't be written{place}: {text}; set the server's binlog_format to MIXED or ROW, "
            "which its READ COMMITTED sessions need"
        )
        return TaskFailure(Reason.OUTPUT_NOT_WRITABLE, message)
    if code in _FULL or (code in _FILE_ERRORS and _NO_SPACE in text):
        return TaskFailure(Reason.DISK_FULL, f"{address} has no room left{place}: {text}; free or add disk space")
    if code in _TOO_LARGE:
        message = f"{address} refuses a row{place}: {text}; raise max_allowed_packet or widen the column"
        return TaskFailure(Reason.ROW_TOO_LARGE, message)
    if code in (1366, 1267):
        message = f"{address}: a table can't hold the text{place}: {text}; convert it to utf8mb4"
        return TaskFailure(Reason.CHARSET_UNFIT, message)
    return None


def _text_of(error: BaseException) -> str:
    return str(error.args[1]) if len(error.args) > 1 else ""
