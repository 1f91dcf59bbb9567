"""/metrics: requests by route, creates by outcome, and nothing about tasks or callers."""

from prometheus_client.parser import text_string_to_metric_families

from labeltask_gateway.errors import ClusterUnavailable
from labeltask_testing.gateway_fakes import CANARY, Gateway, create_body


def samples(gateway: Gateway) -> dict[tuple[str, ...], float]:
    answer = gateway.get("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_requests_are_counted_by_the_route_and_not_by_the_path() -> None:
    gateway = Gateway()
    for number in range(3):
        gateway.get(f"/api/tasks/{number:032}")
    gateway.get("/some/where?password=" + CANARY)
    found = samples(gateway)
    name = "labeltask_gateway_requests_total"
    assert found[name, "GET", "/api/tasks/{task_id:task_id}", "404"] == 3
    assert found[name, "GET", "none", "404"] == 1
    assert found["labeltask_gateway_request_seconds_count", "GET", "/api/tasks/{task_id:task_id}"] == 3
    assert CANARY not in gateway.answers[-1]


def test_creates_are_counted_by_outcome() -> None:
    gateway = Gateway()
    key = {"Idempotency-Key": "k"}
    for headers in ({}, key, key):
        gateway.post("/tasks", create_body(), headers=headers)
    gateway.post("/tasks", create_body(COUNTDOWN="5"))
    gateway.post("/tasks", create_body(COUNTDOWN=7), headers=key)
    gateway.cluster.failures["create_label_task"] = ClusterUnavailable()
    gateway.post("/tasks", create_body())
    gateway.cluster.failures["create_label_task"] = RuntimeError("unforeseen")
    gateway.post("/tasks", create_body())
    found = samples(gateway)
    assert {key[1]: value for key, value in found.items() if key[0] == "labeltask_gateway_creates_total"} == {
        "created": 2,
        "repeated": 1,
        "refused": 2,
        "failed": 2,
    }
