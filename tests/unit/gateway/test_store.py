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
