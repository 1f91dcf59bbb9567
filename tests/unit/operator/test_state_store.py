"""Lanes: a database that is away holds up its own tasks only, and answers fast while it is known to be away."""

import socket
import time

import pytest

from labeltask_contract.connection import Connection
from labeltask_operator import state_store
from labeltask_operator.state_store import DatabaseTrouble, MySqlStateStore


def connection(port: int, user: str = "u") -> Connection:
    return Connection.model_validate({"host": "127.0.0.1", "port": port, "user": user, "password": "canary-word"})


def test_a_refused_connection_is_told_in_words_and_not_tried_again_at_once() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        here = connection(closed.getsockname()[1])
        store = MySqlStateStore()
        with pytest.raises(DatabaseTrouble) as trouble:
            store.read(here, "s", ["t"]).result(5)
        assert here.address in str(trouble.value)
        assert "canary-word" not in str(trouble.value)
        assert store.trouble(here) == str(trouble.value)
        begin = time.monotonic()
        for _ in range(50):
            with pytest.raises(DatabaseTrouble):
                store.read(here, "s", ["t"]).result(5)
        assert time.monotonic() - begin < 1


def test_a_server_that_never_greets_is_left_after_its_time_and_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(state_store, "CONNECT_SECONDS", 1)
    monkeypatch.setattr(state_store, "READ_SECONDS", 1)
    monkeypatch.setattr(state_store, "SLOW_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        slow, other = connection(silent.getsockname()[1]), connection(closed.getsockname()[1])
        store = MySqlStateStore()
        waiting = store.read(slow, "s", ["t"])
        begin = time.monotonic()
        with pytest.raises(DatabaseTrouble):
            store.read(other, "s", ["t"]).result(5)
        assert time.monotonic() - begin < 0.9
        time.sleep(0.3)
        assert "takes long" in store.trouble(slow)
        with pytest.raises(DatabaseTrouble):
            waiting.result(5)


def test_accounts_do_not_share_a_lane() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        store = MySqlStateStore()
        with pytest.raises(DatabaseTrouble):
            store.read(connection(port), "s", ["t"]).result(5)
        assert store.trouble(connection(port)) != ""
        assert store.trouble(connection(port, "another")) == ""
