"""Whether a server offers TLS, as its first packet says, before anybody logs in."""

import socket

import pytest

from labeltask_store.greeting import read_greeting, refusal_of_tls
from labeltask_testing.fake_mysql import FakeServer, send

NAME = b"\x0a8.4.0\0"
BEFORE_CAPABILITIES = b"\x01\0\0\0" + b"challeng" + b"\0"
NOT_MYSQL = (2003, "what answers does not speak MySQL")


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (NAME + BEFORE_CAPABILITIES + b"\x00\x08" + b"more", None),
        (NAME + BEFORE_CAPABILITIES + b"\xff\xff", None),
        (NAME + BEFORE_CAPABILITIES + b"\xff\xf7", (2026, "the server offers no TLS")),
        (b"\xff\x10\x04Too many connections", (1040, "Too many connections")),
        (NAME + BEFORE_CAPABILITIES, NOT_MYSQL),
        (b"SSH-2.0-OpenSSH", NOT_MYSQL),
        (b"", NOT_MYSQL),
    ],
)
def test_a_greeting_says_whether_tls_is_offered(packet: bytes, expected: tuple[int, str] | None) -> None:
    assert read_greeting(packet) == expected


def test_a_server_is_left_before_anything_was_sent_to_it() -> None:
    received: list[bytes] = []

    def talk(client: socket.socket) -> None:
        send(client, 0, NAME + BEFORE_CAPABILITIES + b"\xff\xff")
        received.append(client.recv(100))

    server = FakeServer(talk)
    assert refusal_of_tls("127.0.0.1", server.port, 5) is None
    server.close()
    assert received == [b""]


def test_who_ends_the_connection_at_once_is_no_server() -> None:
    server = FakeServer(lambda client: client.close())
    refusal = refusal_of_tls("127.0.0.1", server.port, 5)
    server.close()
    text = "Can't connect to server on '127.0.0.1' (the connection ended before the server said who it is)"
    assert refusal == (2003, text)


def test_an_error_that_comes_in_place_of_a_greeting_is_told_without_its_state() -> None:
    assert read_greeting(b"\xff\x69\x04#HY000Host is blocked") == (1129, "Host is blocked")
