"""Refusals as application/problem+json (RFC 9457), for callers whose Accept names it."""

import pytest

from labeltask_gateway.error_handlers import wants_problem
from labeltask_gateway.errors import ClusterUnavailable
from labeltask_testing.gateway_fakes import Gateway, create_body

PROBLEM = {"Accept": "application/problem+json"}
ID = "8fec5762412c11ec836d04ea56825baa"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        ("application/problem+json", True),
        ("application/json, application/problem+json;q=0.9", True),
        ("Application/Problem+JSON", True),
        ("application/problem+json; q=0", False),
        ("application/problem+json;q=0.0", False),
        ("*/*", False),
        ("application/json", False),
        ("", False),
        (";;,", False),
    ],
)
def test_only_who_names_the_type_gets_it(accept: str, expected: bool) -> None:
    assert wants_problem(accept) is expected


def test_a_wrong_request_is_one_problem_document_with_all_places() -> None:
    answer = Gateway().post("/tasks", create_body(COUNTDOWN="5", QUEUE="?"), headers=PROBLEM)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, "application/problem+json")
    assert answer.headers["Vary"] == "Accept"
    document = answer.json()
    assert document == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "; ".join(f"{error['pointer']}: {error['message']}" for error in document["errors"]),
        "errors": [
            {"pointer": "/COUNTDOWN", "message": "must be a whole number from 0 to 31536000"},
            {
                "pointer": "/QUEUE",
                "message": "must be a queue's name: 1 to 63 letters, digits, '-', '_' or '.', beginning and ending "
                "with no sign",
            },
        ],
        "request_id": answer.headers["X-Request-ID"],
    }


def test_every_kind_of_refusal_has_the_shape() -> None:
    gateway = Gateway()
    found = [gateway.get(f"/tasks/{ID}", headers=PROBLEM), gateway.get("/nothing", headers=PROBLEM)]
    gateway.cluster.failures["find_label_task"] = ClusterUnavailable()
    found.append(gateway.get(f"/tasks/{ID}", headers=PROBLEM))
    gateway.cluster.failures["find_label_task"] = RuntimeError("unforeseen")
    found.append(gateway.get(f"/tasks/{ID}", headers=PROBLEM))
    assert [(answer.status_code, answer.json()["status"], answer.json()["title"]) for answer in found] == [
        (404, 404, "Not Found"),
        (404, 404, "Not Found"),
        (503, 503, "Service Unavailable"),
        (500, 500, "Internal Server Error"),
    ]
    assert {answer.headers["Content-Type"] for answer in found} == {"application/problem+json"}


def test_a_success_is_an_envelope_whatever_is_accepted() -> None:
    assert Gateway().get("/tasks", headers=PROBLEM).json() == {
        "error_code": 200,
        "error_message": "OK",
        "content": [],
    }
