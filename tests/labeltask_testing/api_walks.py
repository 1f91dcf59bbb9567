"""Walks through the API: create something, then look, sample, suspend, abort, delete in any order; odd requests too.

Requests are schemathesis' from the OpenAPI document; which comes next, hypothesis draws, the same in each run however
fast anything answers. What may be said of an id is a small model here: it is alive, gone, or was never made. The same
for the application over fakes and for the gateway on a cluster.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [
    not_a_server_error,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]
STEPS = 10
ALIVE: Mapping[str, Collection[int]] = {
    "check_status": {200},
    "sample": {200},
    "suspend": {200, 409},
    "resume": {200, 409},
    "delete": {200},
    "abort": {200, 409},
    "dump_status": {200},
    "abort_dump": {200, 409},
}
"""Operations that take an id, and what they may say of one that is there: 409, once it has ended."""
_OF_TASKS = set(ALIVE) - {"dump_status", "abort_dump"}
_MAKERS = {"create": "task_id", "dump": "dump_id"}
_ASKS_A_DATABASE = ("sample", "dump")


@dataclass
class Walked:
    """``answers`` counts (operationId, what its id was, status); ``failures`` says what was wrong where."""

    answers: Counter[tuple[str, str, int]] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def seen(self, what: str) -> set[str]:
        """Operations that were tried with an id that was ``what``: alive, gone or unknown."""
        return {name for name, was, _ in self.answers if was == what}


def walk(schema: BaseSchema, bodies: Mapping[str, Sequence[Any]], walks: int, remembers: Mapping[str, int]) -> Walked:
    """Take ``walks`` walks; every other body of an operation is one of ``bodies``, by operationId.

    ``remembers``: what an operation may answer beside 404 for a task that is gone, because a history knows it.
    """
    found = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    operations = {operation.definition.raw["operationId"]: operation for operation in found}
    walked = Walked()

    @settings(
        max_examples=walks,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def take(data: st.DataObject) -> None:
        path = _Path(walked, bodies, remembers)
        for name in _MAKERS:
            path.step(data, name, operations[name], right=True)
        for name in data.draw(st.permutations(sorted(set(ALIVE) - {"delete"}))):
            path.step(data, name, operations[name], right=True)
            path.step(data, name, operations[name], right=False)
        for _ in range(STEPS):
            name = data.draw(st.sampled_from(sorted(operations)))
            path.step(data, name, operations[name], right=data.draw(st.booleans()))
        path.step(data, "delete", operations["delete"], right=True)
        for name in data.draw(st.permutations(sorted(_OF_TASKS))):
            path.step(data, name, operations[name], right=True, deleted=True)

    take()
    return walked


class _Path:
    """One walk: what it made, and which of that it deleted."""

    def __init__(self, walked: Walked, bodies: Mapping[str, Sequence[Any]], remembers: Mapping[str, int]) -> None:
        self._walked = walked
        self._bodies = bodies
        self._remembers = remembers
        self._made: dict[str, list[str]] = {parameter: [] for parameter in _MAKERS.values()}
        self._gone: set[str] = set()
        self._made_up: set[str] = set()
        """Ids whose account nobody knows: its database answers nobody."""

    def step(
        self,
        data: st.DataObject,
        name: str,
        operation: APIOperation[Any, Any, Any, Any],
        *,
        right: bool,
        deleted: bool = False,
    ) -> None:
        """Send one request, with a right body and an id that was made where ``right``, one that is gone if wanted."""
        case: Case[Any] = data.draw(operation.as_strategy())
        made_up = True
        if right and self._bodies.get(name):
            case.body = data.draw(st.sampled_from(self._bodies[name]))
            made_up = False
        what, found = "-", ""
        if name in ALIVE:
            parameter = next(iter(case.path_parameters), "task_id")
            if self._made[parameter] and right:
                known = sorted(self._gone) if deleted else self._made[parameter]
                found = known[data.draw(st.integers(0, len(known) - 1))]
                if name == "abort":
                    case.body = {"TASK_ID": found}
                else:
                    case.path_parameters[parameter] = found
                what = "gone" if found in self._gone else "alive"
                made_up = found in self._made_up
            else:
                what = "unknown"
        answer = case.call()
        status = answer.status_code
        self._walked.answers[name, what, status] += 1
        where = f"{name} ({what}) answered {status}: {answer.text[:300]}"
        if not self._may_be(name, what, status, made_up=made_up):
            self._walked.failures.append(where)
        try:
            # An answer that another database would have to give is described, and no fault of the gateway.
            checks = [check for check in CHECKS if status != 503 or check is not not_a_server_error]
            case.validate_response(answer, checks=checks)
        except FailureGroup as group:
            self._walked.failures += [f"{where}: {failure}" for failure in group.exceptions]
        if status == 200 and name == "delete":
            self._gone.add(found)
        if status == 200 and name in _MAKERS and isinstance(answer.json()["error_message"], dict):
            made = answer.json()["error_message"][_MAKERS[name]]
            # An Idempotency-Key brings the same id back.
            self._gone.discard(made)
            self._made[_MAKERS[name]].append(made)
            if made_up:
                self._made_up.add(made)

    def _may_be(self, name: str, what: str, status: int, *, made_up: bool) -> bool:
        if status >= 500:
            return status == 503 and made_up and name in _ASKS_A_DATABASE
        if what == "alive":
            return status in ALIVE[name] or (made_up and name == "sample" and status == 409)
        if what == "gone":
            return status in (404, self._remembers.get(name))
        return status == 404 if what == "unknown" else True
