"""Requests that schemathesis makes up from the OpenAPI document: no 500, and every answer as described.

Bounded and deterministic: the same cases in each run.
"""

from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from labeltask_testing.gateway_fakes import Gateway, label_task_from_kubectl

TASK_ID = "8fec5762412c11ec836d04ea56825baa"


def application() -> Gateway:
    gateway = Gateway()
    gateway.cluster.add(label_task_from_kubectl(TASK_ID))
    return gateway


schema = schemathesis.openapi.from_asgi("/openapi.json", application().app)


@schema.parametrize()
@hypothesis.settings(
    max_examples=15, derandomize=True, database=None, deadline=None, suppress_health_check=list(hypothesis.HealthCheck)
)
@pytest.mark.filterwarnings("ignore")
def test_no_request_is_a_fault_and_every_answer_is_described(case: schemathesis.Case[Any]) -> None:
    answer = case.call()
    case.validate_response(answer, checks=[not_a_server_error, response_schema_conformance, status_code_conformance])
