"""What a server says before anybody logs in: whether it offers TLS.

MariaDB's client library, told that TLS is required but not of whom, logs in unencrypted where the server offers none.
For an account of caching_sha2_password, MySQL's default, it even sends the password in clear then, as it takes the
connection for an encrypted one. So the server is asked beforehand, over a connection that ends before a log-in.

The packets: https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_connection_phase.html
"""

import socket
import struct
from typing import BinaryIO

from labeltask_store import tls

_NO_CONNECTION = 2003
_NO_TLS = 2026
_HEAD_BYTES = 4
_MOST_BYTES = 1_024
"""Of a greeting, several times what servers send."""
_ERROR = b"\xff"
_STATE_CHARACTERS = len("#HY000")


def refusal_of_tls(host: str, port: int, seconds: float) -> tuple[int, str] | None:
    """Return number and text of the driver's error that says why no session can be encrypted; None when one can.

    ``seconds``: longest silence of the network and the server.
    """
    try:
        with socket.create_connection((host, port), seconds) as server, server.makefile("rb") as stream:
            length = int.from_bytes(_exactly(stream, _HEAD_BYTES)[:3], "little")
            return read_greeting(_exactly(stream, min(length, _MOST_BYTES)))
    except (OSError, EOFError) as error:
        return _NO_CONNECTION, f"Can't connect to server on '{host}' ({error})"


def read_greeting(packet: bytes) -> tuple[int, str] | None:
    """Return what :func:`refusal_of_tls` returns of a server that sent ``packet`` first."""
    if packet.startswith(_ERROR):
        number, text = int.from_bytes(packet[1:3], "little"), packet[3:].decode(errors="replace")
        return number, text[_STATE_CHARACTERS:] if text.startswith("#") else text
    try:
        # Protocol, version as text with a zero behind it, session (4), challenge (8), a zero, capabilities.
        (capabilities,) = struct.unpack_from("<H", packet, packet.index(b"\0", 1) + 1 + 4 + 8 + 1)
    except (ValueError, struct.error):
        return _NO_CONNECTION, "what answers does not speak MySQL"
    return None if capabilities & tls.OFFERED else (_NO_TLS, "the server offers no TLS")


def _exactly(stream: BinaryIO, length: int) -> bytes:
    found = stream.read(length)
    if len(found) < length:
        raise EOFError("the connection ended before the server said who it is")
    return found
