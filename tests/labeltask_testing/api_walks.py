"""Walks along the links of the OpenAPI document, made up by schemathesis: create, then look, sample, abort, delete ...

The same for the application over fakes and for the gateway on a cluster.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

from schemathesis.engine import events, from_schema
from schemathesis.schemas import BaseSchema

# What the document can't say: a start before its end, a host that is allowed, expressions that compile.
UNSAID = {"positive_data_acceptance", "negative_data_rejection"}


@dataclass
class Walked:
    """``answers`` counts (operationId, status); ``failures`` says which check failed where."""

    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    @property
    def succeeded(self) -> set[str]:
        """Operations that answered 200 at least once."""
        return {name for name, status in self.answers if status == 200}


def walk(schema: BaseSchema, bodies: Mapping[str, Sequence[object]], walks: int) -> Walked:
    """Take ``walks`` walks; every other body of an operation is one of ``bodies``, by operationId.

    What is made up from the schema alone creates something too seldom to follow its links.
    """

    @schema.hook
    def map_body(context: Any, body: Any) -> Any:
        right = bodies.get(context.operation.definition.raw["operationId"], ())
        number = len(repr(body))
        return right[number // 2 % len(right)] if right and number % 2 else body

    schema.config.phases.update(phases=["stateful"])
    schema.config.generation.update(max_examples=walks, deterministic=True, database="none")
    schema.config.update(workers=1, request_timeout=60)
    found = Walked()
    # It takes create for a call that needs another's answer first, because its second spelling has a TASK_ID.
    with mock.patch("schemathesis.specs.openapi.stateful.is_likely_root_transition", return_value=True):
        for event in from_schema(schema).execute():
            if isinstance(event, events.ScenarioFinished):
                _take_in(found, event)
            elif isinstance(event, events.NonFatalError | events.FatalError):
                found.failures.append(f"{event}")
    return found


def _take_in(found: Walked, event: events.ScenarioFinished) -> None:
    for case_id, interaction in event.recorder.interactions.items():
        name = event.recorder.cases[case_id].value.operation.definition.raw["operationId"]
        status = interaction.response.status_code if interaction.response is not None else 0
        found.answers[name, status] += 1
        for check in event.recorder.checks.get(case_id, ()):
            if check.failure_info is not None and check.name not in UNSAID:
                found.failures.append(f"{check.name} {name} {status}: {check.failure_info.failure}")
