"""Encryption as each of the two drivers wants to be told of it: TLS 1.2 or later, or no connection.

With ``verify-identity``, which has a ``ca``, nothing goes to a server that has not proved who it is. With ``required``,
mysqlclient on MariaDB's library logs in unencrypted where the server offers no TLS, and tells nobody, so its caller has
to look for :data:`OFFERED` both before (``greeting.py``) and after.
"""

import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from labeltask_contract.connection import Tls

OFFERED = 0x800
"""CLIENT_SSL among a server's capabilities, as its greeting tells them."""

_CIPHERS = "TLSv1.2+HIGH:!aNULL"
"""mysqlclient takes no lowest version, but ciphers that older versions don't have; those of TLS 1.3 come on top."""


@contextmanager
def mysqlclient_arguments(wanted: Tls | None) -> Iterator[dict[str, Any]]:
    """Yield arguments for ``MySQLdb.connect``, valid until the end: the library reads certificates from a file only."""
    if wanted is None:
        yield {"ssl_mode": "DISABLED"}
    elif wanted.ca is None:
        yield {"ssl_mode": "REQUIRED", "ssl": {"cipher": _CIPHERS}}
    else:
        with tempfile.NamedTemporaryFile("w", prefix="labeltask-ca-", suffix=".pem") as file:
            file.write(wanted.ca)
            file.flush()
            yield {"ssl_mode": "VERIFY_IDENTITY", "ssl": {"ca": file.name, "cipher": _CIPHERS}}


def pymysql_arguments(wanted: Tls | None) -> dict[str, Any]:
    """Return arguments for ``pymysql.connect``."""
    if wanted is None:
        return {"ssl_disabled": True}
    # Not the strict checks that newer Pythons add to their default: the other driver doesn't have them, and databases
    # make themselves authorities that fail them.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if wanted.ca is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(cadata=wanted.ca)
    return {"ssl": context}
