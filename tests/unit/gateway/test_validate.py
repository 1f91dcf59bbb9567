"""POST /api/tasks/validate: everything that create checks, and nothing created."""

import pytest

from labeltask_gateway.errors import DatabaseUnavailable
from labeltask_testing.gateway_fakes import Gateway, create_body

GUESSED = "the optimizer's guess by EXPLAIN, from the index over post_time; no row was read"


@pytest.mark.parametrize("path", ["/api/tasks/validate/", "/api/tasks/validate", "/tasks/validate/", "/tasks/validate"])
def test_a_right_request_is_described_and_not_created(path: str) -> None:
    gateway = Gateway()
    gateway.tables.estimated = 5_760_849
    rules = {"男性": [["man", "partially"], ["先生", "end"]], "女性": [["woman", "partially"]]}
    answer = gateway.post(path, create_body(PATTERN=rules))
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "error_code": 200,
            "error_message": "OK",
            "content": {
                "labels": 2,
                "rules": 3,
                "warnings": answer.json()["content"]["warnings"],
                "estimated_rows": 5_760_849,
                "estimate": GUESSED,
            },
        },
    )
    (warning,) = answer.json()["content"]["warnings"]
    assert warning.startswith('label "女性", position 0: ')
    assert (gateway.cluster.label_tasks, gateway.cluster.secrets, gateway.cluster.calls) == ({}, {}, [])


def test_a_database_that_does_not_answer_costs_only_the_estimate() -> None:
    gateway = Gateway()
    gateway.tables.failure = DatabaseUnavailable(1045)
    content = gateway.post("/tasks/validate", create_body()).json()["content"]
    assert content["estimated_rows"] is None
    assert content["estimate"].startswith("no estimate: the database does not answer as it should (MySQL error 1045")


def test_what_create_refuses_validate_refuses_with_the_same_words() -> None:
    gateway = Gateway()
    wrong = create_body(PATTERN={"a": [["", "partially"]]}, END_TIME="2019-01-01", QUEUE="?")
    refused = [gateway.post(path, wrong) for path in ("/tasks", "/tasks/validate")]
    assert [answer.status_code for answer in refused] == [400, 400]
    assert refused[0].json()["errors"] == refused[1].json()["errors"]
    assert len(refused[0].json()["errors"]) == 3


def test_a_task_id_is_no_request_to_validate() -> None:
    answer = Gateway().post("/tasks/validate", {"TASK_ID": "0" * 32})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/TASK_ID")
