"""A database server that answers a query with "send me that file of yours" gets no file, from either driver."""

import socket
import struct
from collections.abc import Iterator

import MySQLdb  # type: ignore[import-untyped]
import pytest

from labeltask_contract.connection import Connection
from labeltask_gateway.errors import DatabaseUnavailable
from labeltask_gateway.samples import DatabaseTables
from labeltask_store.connection import Driver, open_connection
from labeltask_testing.fake_mysql import LOCAL_FILES, OK, FakeServer, greet, receive, send


class RogueServer:
    """Lets everybody in, and answers each query with a request for /etc/passwd."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.client_capabilities = 0
        self._server = FakeServer(self._talk)
        self.port = self._server.port
        self.close = self._server.close

    def _talk(self, client: socket.socket) -> None:
        greet(client)
        (self.client_capabilities,) = struct.unpack("<I", receive(client)[1:5])
        send(client, 2, OK)
        while True:
            self.received.append(receive(client))
            send(client, 1, b"\xfb/etc/passwd")


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
        open_connection(account, driver, read_seconds=60)
    rogue.close()
    assert rogue.received, "the server was never asked anything"
    assert not rogue.client_capabilities & LOCAL_FILES
    assert b"root:" not in b"".join(rogue.received)


def test_the_gateway_calls_such_a_server_unavailable(rogue: RogueServer) -> None:
    account = Connection.model_validate({"host": "127.0.0.1", "port": rogue.port, "user": "a", "password": "b"})
    with pytest.raises(DatabaseUnavailable):
        DatabaseTables(60).states(account, "audience_result", ["1" * 32])
