"""The few packets of MySQL's protocol that a server needs which only pretends to be one."""

import socket
import struct
import threading
from collections.abc import Callable

LOCAL_FILES = 0x80
TLS = 0x800
# What both drivers ask for: no TLS, but LOCAL FILES.
CAPABILITIES = 0x000FF7FF | LOCAL_FILES | 0x00080000
OK = b"\x00\x00\x00\x02\x00\x00\x00"


class FakeServer:
    """Takes one client and leaves it to ``talk``, which may end by OSError or EOFError."""

    def __init__(self, talk: Callable[[socket.socket], None]) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self._talk = talk
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Take nobody any more."""
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


def greet(client: socket.socket, plugin: str = "mysql_native_password") -> None:
    """Send a greeting as MariaDB 10's, which wants a log-in by ``plugin``."""
    low, high = CAPABILITIES & 0xFFFF, CAPABILITIES >> 16
    greeting = (
        b"\x0a5.5.5-10.11.0-MariaDB\x00"
        + struct.pack("<I", 1)
        + b"12345678\x00"
        + struct.pack("<HBHH", low, 45, 2, high)
    )
    greeting += bytes([21]) + bytes(10) + b"123456789012\x00" + plugin.encode() + b"\x00"
    send(client, 0, greeting)


SCRAMBLE = b"12345678123456789012"
"""What :func:`greet` sends for the client to mix its password with."""


def send(client: socket.socket, number: int, content: bytes) -> None:
    """Send a packet."""
    client.sendall(struct.pack("<I", len(content))[:3] + bytes([number]) + content)


def receive(client: socket.socket) -> bytes:
    """Return the number and the content of the client's next packet."""
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
