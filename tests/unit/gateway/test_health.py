from labeltask_gateway.errors import ClusterUnavailable
from labeltask_testing.gateway_fakes import Gateway

OK = {"error_code": 200, "error_message": "OK"}


def test_the_gateway_is_ready_while_the_api_server_answers() -> None:
    gateway = Gateway()
    answer = gateway.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, OK)
    assert gateway.cluster.calls == ["check_reachable"]


def test_without_the_api_server_it_is_alive_and_not_ready() -> None:
    gateway = Gateway()
    gateway.cluster.failures["check_reachable"] = ClusterUnavailable()
    answer = gateway.get("/readyz")
    assert (answer.status_code, answer.json()["error_code"]) == (503, 503)
    alive = gateway.get("/healthz")
    assert (alive.status_code, alive.json()) == (200, OK)
