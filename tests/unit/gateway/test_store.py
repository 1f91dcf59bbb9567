import base64
import socket

import pytest

from labeltask_gateway.errors import ClusterUnavailable, HistoryUnavailable
from labeltask_gateway.settings import NamedConnection
from labeltask_gateway.store import DatabaseHistory, NoHistory
from labeltask_testing.gateway_fakes import CANARY, FakeCluster

ID = "8fec5762412c11ec836d04ea56825baa"


def history(content: str) -> tuple[DatabaseHistory, FakeCluster]:
    cluster = FakeCluster()
    cluster.secrets["db"] = {"data": {"connection.json": base64.b64encode(content.encode()).decode()}}
    return DatabaseHistory(cluster, NamedConnection(secret_name="db"), ("audience_result",), 1), cluster


def test_a_deployment_without_history_knows_nothing() -> None:
    assert NoHistory().find(ID) is None


def test_schemas_are_asked_in_turn_until_one_knows_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    closed: list[bool] = []

    class Database:
        def close(self) -> None:
            closed.append(True)

    def read_state(_: Database, schema: str, task_id: str) -> str | None:
        asked.append(schema)
        return f"row of {task_id}" if schema == "b" else None

    monkeypatch.setattr("labeltask_gateway.store.open_connection", lambda *_, **__: Database())
    monkeypatch.setattr("labeltask_gateway.store.read_state", read_state)
    cluster = FakeCluster()
    account = '{"host": "db.example", "port": 3306, "user": "u", "password": "p"}'
    cluster.secrets["db"] = {"data": {"connection.json": base64.b64encode(account.encode()).decode()}}
    found = DatabaseHistory(cluster, NamedConnection(secret_name="db"), ("a", "b", "c"), 1)
    assert str(found.find(ID)) == f"row of {ID}"
    assert (asked, closed) == (["a", "b"], [True])


def test_a_database_that_does_not_answer_is_unavailable_and_the_password_stays_hidden(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    found, _ = history(f'{{"host": "127.0.0.1", "port": {port}, "user": "u", "password": "{CANARY}"}}')
    with pytest.raises(HistoryUnavailable):
        found.find(ID)
    assert CANARY not in capsys.readouterr().out


def test_a_server_that_accepts_and_says_nothing_is_given_up_in_time() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        found, _ = history(f'{{"host": "127.0.0.1", "port": {port}, "user": "u", "password": "p"}}')
        with pytest.raises(HistoryUnavailable):
            found.find(ID)


def test_a_secret_that_holds_no_connection_is_unavailable() -> None:
    found, _ = history('{"host": 7}')
    with pytest.raises(HistoryUnavailable):
        found.find(ID)


def test_a_cluster_that_does_not_answer_stays_that() -> None:
    found, cluster = history("{}")
    cluster.failures["read_secret_key"] = ClusterUnavailable()
    with pytest.raises(ClusterUnavailable):
        found.find(ID)
