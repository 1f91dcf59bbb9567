"""What the OpenAPI document says of each operation beyond its parameters: bodies, answers, refusals, examples.

Bodies derive from the spec's own schema; the checks are in ``requests.py``. The examples are run by a test.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

from labeltask_contract.connection import Connection
from labeltask_contract.crd import structural_schema
from labeltask_contract.dump_spec import LabelDumpSpec
from labeltask_contract.pattern import MAX_RULE_CHARACTERS, MatchType, ModelType
from labeltask_contract.spec import LabelTaskSpec, Policy, PredictType
from labeltask_gateway import dump_responses, responses, rule_trials
from labeltask_gateway.dump_requests import KEYS as DUMP_KEYS
from labeltask_gateway.error_handlers import PROBLEM
from labeltask_gateway.openapi_examples import EXAMPLES
from labeltask_gateway.requests import KEYS

SECURITY_SCHEMES = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token of this deployment, or one of a Kubernetes account; none in mode none.",
    }
}

_MATCH_TYPES = [*MatchType, "exactly"]
_PATTERN_SCHEMA = {
    "type": "object",
    "description": "Label -> its rules, in the order that decides: pairs [keyword, match type] for a keyword_model, "
    "regular expressions for a rule_model. Empty: the platform's default rules.",
    "additionalProperties": {
        "type": "array",
        "minItems": 1,
        "items": {
            "anyOf": [
                {
                    "type": "array",
                    "description": "A keyword and where it must stand.",
                    "prefixItems": [
                        {"type": "string", "minLength": 1, "maxLength": MAX_RULE_CHARACTERS},
                        {
                            "anyOf": [
                                {"type": "string", "enum": _MATCH_TYPES},
                                {"type": "array", "minItems": 1, "items": {"type": "string", "enum": _MATCH_TYPES}},
                            ]
                        },
                    ],
                    "minItems": 2,
                    "maxItems": 2,
                },
                {"type": "string", "minLength": 1, "maxLength": MAX_RULE_CHARACTERS, "description": "An expression."},
            ]
        },
    },
}
_REQUIRED = ["MODEL_TYPE", "PREDICT_TYPE", "START_TIME", "END_TIME", "INPUT_SCHEMA", "OUTPUT_SCHEMA"]

_ABORT_SCHEMA = {
    "type": "object",
    "description": "Ends the task; the predecessor's second spelling of abort.",
    "additionalProperties": False,
    "required": ["TASK_ID"],
    "properties": {
        "TASK_ID": {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "The id that create answered."}
    },
}
_TRIAL_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["MODEL_TYPE", "TEXTS"],
    "properties": {
        "MODEL_TYPE": {"type": "string", "enum": list(ModelType)},
        "PREDICT_TYPE": {"type": "string", "enum": list(PredictType), "description": "Chooses the default rules."},
        "PATTERN": _PATTERN_SCHEMA,
        "POLICY": {"type": "string", "enum": list(Policy)},
        "TEXTS": {
            "type": "array",
            "minItems": 1,
            "maxItems": rule_trials.MAX_TEXTS,
            "items": {"type": "string", "maxLength": rule_trials.MAX_TEXT_CHARACTERS},
        },
    },
}

_MEANINGS = {
    400: "The request is wrong: `errors` names every place. Nothing was created or changed.",
    401: "No token, or one that nobody knows.",
    403: "The token's account may not do this.",
    404: "There is no such task or dump.",
    405: "The path does not take this method.",
    408: "The body did not arrive in time.",
    409: "The task or dump, the Idempotency-Key or the deployment doesn't allow it; nothing was changed.",
    413: "The body or the rules are too large.",
    415: "The body is not called JSON.",
    422: "The rules took too long on the texts.",
    429: "As many large bodies or try-outs as are allowed are at work; Retry-After says when to come back.",
    500: "A fault inside the gateway or of its installation; its log has the request id.",
    503: "Kubernetes or the database does not answer; Retry-After says when to come back.",
}
_LINKS: dict[str, dict[str, str]] = {
    "create": dict.fromkeys(("check_status", "sample", "suspend", "resume", "delete"), "task_id"),
    "dump": dict.fromkeys(("dump_status", "abort_dump"), "dump_id"),
}
"""Operation -> those that take the id which it answers."""
_ALWAYS = (401, 403, 500, 503)
_WITH_BODY = (400, 408, 413, 415, 429)


@dataclass(frozen=True)
class Operation:
    """One operation; ``name`` is its operationId and the key of its examples."""

    name: str
    answer: Any
    codes: tuple[int, ...] = ()
    body: dict[str, Any] | None = None

    @staticmethod
    def of(name: str) -> "Operation":
        """Return the operation of a route function."""
        return next(operation for operation in _operations() if operation.name == name)

    def refusals(self) -> dict[int | str, dict[str, Any]]:
        """Return every status that is no success, as FastAPI takes them."""
        codes = sorted({*_ALWAYS, *self.codes, *(_WITH_BODY if self.body else ())})
        # Naming 4XX keeps FastAPI from documenting a 422 of its own, which is never answered.
        return {**{code: _refusal(_MEANINGS[code]) for code in codes}, "4XX": _refusal("Any other refusal.")}

    def extra(self) -> dict[str, Any]:
        """Return what FastAPI can't derive."""
        found: dict[str, Any] = {"security": [{}, {"token": []}]}
        links = {
            name: {"operationId": name, "parameters": {parameter: f"$response.body#/error_message/{parameter}"}}
            for name, parameter in _LINKS.get(self.name, {}).items()
        }
        if links:
            found["responses"] = {"200": {"links": links}}
        examples = EXAMPLES.get(self.name)
        if self.body is not None:
            content = {"schema": self.body, **({"examples": examples} if examples else {})}
            found["requestBody"] = {"required": True, "content": {"application/json": content}}
        return found


def _refusal(description: str) -> dict[str, Any]:
    return {
        "model": responses.ErrorEnvelope,
        "description": description,
        "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
    }


@cache
def _operations() -> tuple[Operation, ...]:
    create = _create_schema()
    return (
        Operation(
            "create",
            responses.CreatedEnvelope | responses.MessageEnvelope,
            (404, 409),
            {"oneOf": [create, _ABORT_SCHEMA]},
        ),
        Operation("recent", responses.TasksEnvelope, (400,)),
        Operation("validate", responses.ValidationEnvelope, (), create),
        Operation("abort", responses.MessageEnvelope, (404, 409), _ABORT_SCHEMA),
        Operation("check_status", responses.TaskEnvelope, (404,)),
        Operation("delete", responses.MessageEnvelope, (404,)),
        Operation("sample", responses.SampleEnvelope, (400, 404, 409)),
        Operation("suspend", responses.MessageEnvelope, (404, 409)),
        Operation("resume", responses.MessageEnvelope, (404, 409)),
        Operation("dump", dump_responses.CreatedDumpEnvelope, (409,), _dump_schema()),
        Operation("dump_status", dump_responses.DumpEnvelope, (404,)),
        Operation("abort_dump", responses.MessageEnvelope, (404, 409)),
        Operation("try_rules", responses.TrialEnvelope, (422,), _TRIAL_SCHEMA),
    )


def _create_schema() -> dict[str, Any]:
    spec = structural_schema(LabelTaskSpec.model_json_schema(by_alias=False))
    own = {"PATTERN": _PATTERN_SCHEMA, "SITE_CONFIG": _account_schema()}
    return {
        "type": "object",
        "description": "Creates a task.",
        "additionalProperties": False,
        "required": _REQUIRED,
        "properties": {key: own.get(key) or _at(spec, path) for key, path in KEYS.items()},
    }


def _dump_schema() -> dict[str, Any]:
    spec = structural_schema(LabelDumpSpec.model_json_schema(by_alias=False))
    own = {"SITE_CONFIG": _account_schema()}
    return {
        "type": "object",
        "description": "Puts finished tasks on the shelf.",
        "additionalProperties": False,
        "required": ["GROUP", "TASK_IDS", "INPUT_DATABASE", "OUTPUT_DATABASE"],
        "properties": {key: own.get(key) or _at(spec, path) for key, path in DUMP_KEYS.items()},
    }


def _account_schema() -> dict[str, Any]:
    connection = structural_schema(Connection.model_json_schema())
    connection["description"] = "The database account; kept in a Secret, never shown again."
    connection["additionalProperties"] = connection["properties"]["tls"]["additionalProperties"] = False
    return connection


def _at(schema: dict[str, Any], path: str) -> dict[str, Any]:
    for name in path.split("."):
        # The one field that is spelt with an underscore in Python, because pydantic has a method of its name.
        schema = schema["properties"].get(name) or schema["properties"][f"{name}_"]
    return schema
