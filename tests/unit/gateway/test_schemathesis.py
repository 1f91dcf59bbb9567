"""Requests that schemathesis makes up from the OpenAPI document: no 500, and every answer as described.

Bounded; the first two are the same in each run. In the second, what was created is looked at, sampled, suspended,
resumed, aborted and deleted in any order. The third lets schemathesis follow the document's links by itself, which is a
matter of chance: it may find a fault, and says nothing of what it has reached.
"""

from typing import Any

import hypothesis
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.engine import events, from_schema
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from labeltask_contract.stat import ProdStat
from labeltask_gateway.openapi_examples import EXAMPLES
from labeltask_testing.api_walks import ALIVE, walk
from labeltask_testing.gateway_fakes import Gateway, label_task_from_kubectl, state_row

# What the document can't say: a start before its end, a host that is allowed, expressions that compile.
UNSAID = {"positive_data_acceptance", "negative_data_rejection"}
TASK_ID = "8fec5762412c11ec836d04ea56825baa"
BODIES = {
    operation: [example["value"] for name, example in examples.items() if name != "abort"]
    for operation, examples in EXAMPLES.items()
}


def application(*task_ids: str) -> Gateway:
    gateway = Gateway()
    for task_id in task_ids:
        gateway.cluster.add(label_task_from_kubectl(task_id))
    for task_id in EXAMPLES["dump"]["gender"]["value"]["TASK_IDS"]:
        gateway.tables.state_rows[task_id] = state_row(task_id, prod_stat=ProdStat.FINISH)
    return gateway


schema = schemathesis.openapi.from_asgi("/openapi.json", application(TASK_ID).app)


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
    walked = walk(schemathesis.openapi.from_asgi("/openapi.json", application().app), BODIES, 8, {})
    assert walked.failures == []
    # Else this test tests nothing.
    assert walked.seen("alive") == set(ALIVE)
    assert walked.seen("unknown") >= set(ALIVE) - {"delete"}
    assert walked.seen("gone") == set(ALIVE) - {"dump_status", "abort_dump"}, walked.answers


@pytest.mark.filterwarnings("ignore")
def test_walks_that_schemathesis_takes_by_itself_find_no_fault() -> None:
    stateful = schemathesis.openapi.from_asgi("/openapi.json", application().app)

    @stateful.hook
    def map_body(context: Any, body: Any) -> Any:
        right = BODIES.get(context.operation.definition.raw["operationId"], [])
        number = len(repr(body))
        return right[number // 2 % len(right)] if right and number % 2 else body

    stateful.config.phases.update(phases=["stateful"])
    stateful.config.generation.update(max_examples=20, deterministic=True, database="none")
    stateful.config.update(workers=1, request_timeout=60)
    failures: list[str] = []
    taken = 0
    for event in from_schema(stateful).execute():
        if isinstance(event, events.ScenarioFinished):
            taken += len(event.recorder.interactions)
            failures += [
                f"{check.name}: {check.failure_info.failure}"
                for checks in event.recorder.checks.values()
                for check in checks
                if check.failure_info is not None and check.name not in UNSAID
            ]
        elif isinstance(event, events.NonFatalError | events.FatalError):
            failures.append(str(event))
    assert failures == []
    assert taken > 0
