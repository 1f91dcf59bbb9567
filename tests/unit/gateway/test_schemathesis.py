"""Requests that schemathesis makes up from the OpenAPI document: no 500, and every answer as described.

Bounded and deterministic: the same cases in each run. The second test follows the document's links: what was created is
looked at, sampled, suspended, resumed, aborted and deleted in any order.
"""

from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from labeltask_contract.stat import ProdStat
from labeltask_gateway.openapi_examples import EXAMPLES
from labeltask_testing.api_walks import walk
from labeltask_testing.gateway_fakes import Gateway, label_task_from_kubectl, state_row

TASK_ID = "8fec5762412c11ec836d04ea56825baa"
BODIES = {
    operation: [example["value"] for name, example in examples.items() if name != "abort"]
    for operation, examples in EXAMPLES.items()
}


def application() -> Gateway:
    gateway = Gateway()
    gateway.cluster.add(label_task_from_kubectl(TASK_ID))
    for task_id in EXAMPLES["dump"]["gender"]["value"]["TASK_IDS"]:
        gateway.tables.state_rows[task_id] = state_row(task_id, prod_stat=ProdStat.FINISH)
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


@pytest.mark.filterwarnings("ignore")
def test_what_is_created_can_be_used_in_any_order_without_a_fault() -> None:
    walked = walk(schemathesis.openapi.from_asgi("/openapi.json", application().app), BODIES, walks=40)
    assert walked.failures == []
    # Else the links lead nowhere and this test tests nothing. Which are taken depends on the machine's speed too.
    assert {"create", "dump"} <= walked.succeeded, walked.answers
    links = {"check_status", "sample", "suspend", "resume", "delete", "dump_status", "abort_dump"}
    assert len(links & walked.succeeded) >= 4, walked.answers
