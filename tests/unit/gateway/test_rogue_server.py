"""A database server that answers a query with "send me that file of yours" gets no file, from either driver."""

import socket
import struct
import threading
from collections.abc import Iterator

import MySQLdb  # type: ignore[import-untyped]
import pytest

from labeltask_contract.connection import Connection
from labeltask_gateway.errors import DatabaseUnavailable
from labeltask_gateway.samples import DatabaseTables
from labeltask_store.connection import Driver, open_connection

LOCAL_FILES = 0x80
# What both drivers ask for, and LOCAL FILES, which the server offers.
CAPABILITIES = 0x000FF7FF | LOCAL_FILES | 0x00080000


class RogueServer:
    """Greets as MariaDB 10, lets everybody in, and answers each query with a request for /etc/passwd."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.received: list[bytes] = []
        self.client_capabilities = 0
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self.socket.close()
        self._thread.join(5)

    def _serve(self) -> None:
        try:
            client, _ = self.socket.accept()
            with client:
                client.settimeout(5)
                self._talk(client)
        except (OSError, EOFError):
            return

    def _talk(self, client: socket.socket) -> None:
        low, high = CAPABILITIES & 0xFFFF, CAPABILITIES >> 16
        greeting = (
            b"\x0a5.5.5-10.11.0-MariaDB\x00"
            + struct.pack("<I", 1)
            + b"12345678\x00"
            + struct.pack("<HBHH", low, 45, 2, high)
        )
        greeting += bytes([21]) + bytes(10) + b"123456789012\x00mysql_native_password\x00"
        client.sendall(_packet(0, greeting))
        login = _read(client)
        (self.client_capabilities,) = struct.unpack("<I", login[1:5])
        client.sendall(_packet(2, b"\x00\x00\x00\x02\x00\x00\x00"))
        while True:
            self.received.append(_read(client))
            client.sendall(_packet(1, b"\xfb/etc/passwd"))


def _packet(number: int, content: bytes) -> bytes:
    return struct.pack("<I", len(content))[:3] + bytes([number]) + content


def _read(client: socket.socket) -> bytes:
    head = _exactly(client, 4)
    return head[3:4] + _exactly(client, int.from_bytes(head[:3], "little"))


def _exactly(client: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        part = client.recv(size - len(found))
        if not part:
            raise EOFError
        found += part
    return found


@pytest.fixture
def rogue() -> Iterator[RogueServer]:
    server = RogueServer()
    yield server
    server.close()


@pytest.mark.parametrize("driver", ["pymysql", "mysqlclient"])
def test_no_file_leaves_this_machine(rogue: RogueServer, driver: Driver) -> None:
    account = Connection.model_validate({"host": "127.0.0.1", "port": rogue.port, "user": "a", "password": "b"})
    # PyMySQL says so by a RuntimeError, which is none of PEP 249's.
    with pytest.raises((RuntimeError, MySQLdb.Error)):
        open_connection(account, driver, read_seconds=5)
    rogue.close()
    assert rogue.received, "the server was never asked anything"
    assert not rogue.client_capabilities & LOCAL_FILES
    assert b"root:" not in b"".join(rogue.received)


def test_the_gateway_calls_such_a_server_unavailable(rogue: RogueServer) -> None:
    account = Connection.model_validate({"host": "127.0.0.1", "port": rogue.port, "user": "a", "password": "b"})
    with pytest.raises(DatabaseUnavailable):
        DatabaseTables(5).states(account, "audience_result", ["1" * 32])
