"""Request bodies for the OpenAPI document, derived from the spec's own schema; the checks are in ``requests.py``."""

from typing import Any

from labeltask_contract.connection import Connection
from labeltask_contract.crd import structural_schema
from labeltask_contract.spec import LabelTaskSpec
from labeltask_gateway.requests import KEYS

_PATTERN_SCHEMA = {
    "type": "object",
    "description": "Label -> its rules, in the order that decides: pairs [keyword, match type] for a keyword_model, "
    "regular expressions for a rule_model. Empty: the platform's default rules.",
    "additionalProperties": {"type": "array", "items": {}},
}
_OWN_SCHEMAS = {"PATTERN": _PATTERN_SCHEMA}
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


def create_body() -> dict[str, Any]:
    """Return the request body of create, or abort by TASK_ID alone."""
    return _json_body({"oneOf": [_create_schema(), _ABORT_SCHEMA]})


def abort_body() -> dict[str, Any]:
    """Return the request body of abort."""
    return _json_body(_ABORT_SCHEMA)


def _create_schema() -> dict[str, Any]:
    spec = structural_schema(LabelTaskSpec.model_json_schema(by_alias=False))
    connection = structural_schema(Connection.model_json_schema())
    connection["description"] = "The database account of this task; kept in a Secret, never shown again."
    connection["additionalProperties"] = False
    own = {**_OWN_SCHEMAS, "SITE_CONFIG": connection}
    return {
        "type": "object",
        "description": "Creates a task.",
        "additionalProperties": False,
        "required": _REQUIRED,
        "properties": {key: own.get(key) or _at(spec, path) for key, path in KEYS.items()},
    }


def _at(schema: dict[str, Any], path: str) -> dict[str, Any]:
    for name in path.split("."):
        # The one field that is spelt with an underscore in Python, because pydantic has a method of its name.
        schema = schema["properties"].get(name) or schema["properties"][f"{name}_"]
    return schema


def _json_body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
