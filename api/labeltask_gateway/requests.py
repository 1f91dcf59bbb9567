"""REST bodies as callers know them: bytes in, a checked :class:`CreateRequest` or task id out, no I/O.

The keys are the predecessor's, in capitals; ``KEYS`` says which field of the spec each one becomes. Nothing is created
before every key was found right.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labeltask_contract import strict_json
from labeltask_contract.connection import Connection, TlsMode, parse_connection
from labeltask_contract.errors import InvalidTask, Problem
from labeltask_contract.pattern import MAX_RULES, ModelType, Pattern, pack_pattern, parse_rest_pattern
from labeltask_contract.rule_checks import find_problems
from labeltask_contract.spec import QUEUE_PATTERN, LabelTaskSpec, Policy, PredictType
from labeltask_contract.task_document import CONFLICT_GROUPS
from labeltask_contract.times import parse_time
from labeltask_gateway.body_fields import BodyFields
from labeltask_gateway.default_rules import DefaultRules
from labeltask_gateway.errors import PatternTooLarge
from labeltask_gateway.hosts import AllowedHosts, port_refusal

KEYS: Mapping[str, str] = {
    "MODEL_TYPE": "model_type",
    "PREDICT_TYPE": "predict_type",
    "START_TIME": "start_time",
    "END_TIME": "end_time",
    "PATTERN": "pattern",
    "INPUT_SCHEMA": "input.schema",
    "INPUT_TABLE": "input.table",
    "OUTPUT_SCHEMA": "output.schema",
    "COUNTDOWN": "countdown_seconds",
    "QUEUE": "queue",
    "SITE_CONFIG": "connection_from.secret_key_ref",
    "SITE": "connection_from.site",
    "POLICY": "policy",
    "PARALLELISM": "parallelism",
    "DEADLINE_SECONDS": "deadline_seconds",
    "RULE_REPORT": "rule_report",
}
"""Every key that creates a task, and where it goes in the spec."""

MAX_PARTS = 1_000_000
"""Commas and brackets in a body: 140,000 keywords with two match types each have 700,000."""
COMPILE_SECONDS = 5.0
"""Processor time for compiling the expressions of one request: 100,000 short ones take 2 s."""

_QUEUE_HELP = "must be a queue's name: 1 to 63 letters, digits, '-', '_' or '.', beginning and ending with no sign"
_BOUNDS = LabelTaskSpec.model_json_schema(by_alias=False)["properties"]


@dataclass(frozen=True)
class Deployment:
    """What the deployment adds to a request."""

    hosts: AllowedHosts = field(default_factory=lambda: AllowedHosts(()))
    sites: frozenset[str] = frozenset()
    ports: frozenset[int] = frozenset()
    """Ports that SITE_CONFIG may name; empty: any."""
    require_tls: TlsMode | None = None
    """Least encryption of a connection; None: none need have any."""
    has_default_connection: bool = False
    schemas: frozenset[str] = frozenset()
    """Schemas that requests may name; empty: any but the server's own."""
    default_rules: DefaultRules = field(default_factory=dict)
    conflict_groups: frozenset[str] = frozenset(CONFLICT_GROUPS)


@dataclass(frozen=True)
class CreateRequest:
    """A request to create a task, everything checked. ``spec`` still lacks where rules and account stand."""

    spec: LabelTaskSpec
    pattern: Pattern = field(repr=False)
    packed_pattern: bytes = field(repr=False)
    connection: Connection | None
    site: str | None
    sent: frozenset[str]
    """The optional keys that the caller wrote: the answer repeats those."""


def parse_body(content: bytes) -> dict[str, object]:
    """Read a body that must be one JSON object.

    :raises InvalidTask: when it is not, or holds a key twice.
    """
    body = strict_json.loads(content, MAX_PARTS)
    if not isinstance(body, dict):
        raise InvalidTask([Problem("", "the body must be one JSON object")])
    return body


def parse_abort(body: dict[str, object]) -> str:
    """Return the id of the task to abort; whether there is one, others must see.

    :raises InvalidTask: when TASK_ID is missing, no string, or not alone.
    """
    fields = BodyFields(body)
    fields.check_keys(("TASK_ID",))
    task_id = fields.get("TASK_ID")
    if not isinstance(task_id, str):
        fields.refuse("TASK_ID", "must be the task's id: the string of 32 hexadecimal digits that create answered")
    fields.raise_if_wrong()
    return str(task_id)


def parse_create(body: dict[str, object], deployment: Deployment) -> CreateRequest:
    """Check every key of a request to create a task.

    :raises InvalidTask: naming every wrong key at once.
    :raises PatternTooLarge: when the rules are right but fit in no Secret.
    """
    fields = BodyFields(body, deployment.schemas)
    fields.check_keys(tuple(KEYS))
    spec = _spec(fields)
    pattern = read_pattern(fields, spec["model_type"], spec["predict_type"], deployment.default_rules)
    connection = read_connection(fields, deployment)
    fields.raise_if_wrong()
    return CreateRequest(
        # Unset fields stay unset: the custom resource's own defaults apply to them.
        spec=LabelTaskSpec.model_validate({key: value for key, value in spec.items() if value is not None}),
        pattern=pattern,
        packed_pattern=_packed(pattern),
        connection=connection,
        site=str(fields.get("SITE")) if "SITE" in fields else None,
        sent=frozenset(key for key in KEYS if key in fields),
    )


def _spec(fields: BodyFields) -> dict[str, Any]:
    def number(key: str) -> int | None:
        bounds = _BOUNDS[KEYS[key]]
        return fields.whole_number(key, bounds["minimum"], bounds["maximum"])

    countdown = number("COUNTDOWN")
    queue = fields.word("QUEUE", QUEUE_PATTERN, _QUEUE_HELP)
    spec = {
        "model_type": fields.choice("MODEL_TYPE", ModelType),
        "predict_type": fields.choice("PREDICT_TYPE", PredictType),
        "start_time": fields.time("START_TIME"),
        "end_time": fields.time("END_TIME"),
        "policy": fields.choice("POLICY", Policy, Policy.FIRST),
        "input": {
            "schema": fields.schema("INPUT_SCHEMA"),
            "table": fields.identifier("INPUT_TABLE", "ts_page_content"),
        },
        "output": {"schema": fields.schema("OUTPUT_SCHEMA")},
        "countdown_seconds": _BOUNDS["countdown_seconds"]["default"] if countdown is None else countdown,
        "queue": _BOUNDS["queue"]["default"] if queue is None else queue,
        "parallelism": number("PARALLELISM"),
        "deadline_seconds": number("DEADLINE_SECONDS"),
        "rule_report": fields.flag("RULE_REPORT"),
    }
    start, end = spec["start_time"], spec["end_time"]
    if isinstance(start, str) and isinstance(end, str) and parse_time(start) >= parse_time(end):
        fields.refuse("END_TIME", "must be after START_TIME; rows up to, not including END_TIME are read")
    return spec


def read_pattern(
    fields: BodyFields, model_type: ModelType | None, predict_type: PredictType | None, defaults: DefaultRules
) -> Pattern:
    """Read PATTERN, or the deployment's rules where it is empty; what is wrong with it is added to ``fields``."""
    value = fields.get("PATTERN")
    if model_type is None:
        return ()
    if value is None or value == {}:
        if predict_type is not None and (model_type, predict_type) not in defaults:
            message = (
                f"is empty, and this deployment has no default rules for {model_type} on {predict_type}; "
                "give at least one label with one rule"
            )
            fields.refuse("PATTERN", message)
        return defaults.get((model_type, predict_type), ()) if predict_type else ()
    rules = (
        sum(len(entries) for entries in value.values() if isinstance(entries, list)) if isinstance(value, dict) else 0
    )
    if rules > MAX_RULES:
        raise PatternTooLarge(f"{rules:,} rules, {MAX_RULES:,} are allowed; split them over several tasks")
    try:
        pattern = parse_rest_pattern(value, model_type)
    except InvalidTask as error:
        fields.problems += error.problems
        return ()
    for problem in find_problems(model_type, pattern, COMPILE_SECONDS):
        place = (problem.label,) if problem.position is None else (problem.label, problem.position)
        fields.refuse("PATTERN", problem.message, *place)
    return pattern


def read_connection(fields: BodyFields, deployment: Deployment) -> Connection | None:
    """Read SITE_CONFIG, or see that SITE or the deployment's default may stand in its place."""
    if "SITE" in fields:
        if "SITE_CONFIG" in fields:
            fields.refuse("SITE", "must not stand beside SITE_CONFIG; keep one of them")
        elif fields.get("SITE") not in list(deployment.sites):
            known = ", ".join(sorted(deployment.sites)) or "none; use SITE_CONFIG"
            fields.refuse("SITE", f"must be a connection that this deployment names: {known}")
        return None
    if "SITE_CONFIG" not in fields:
        if not deployment.has_default_connection:
            fields.refuse("SITE_CONFIG", "is missing; write an object with host, port, user and password")
        return None
    try:
        connection = parse_connection(fields.get("SITE_CONFIG"))
    except InvalidTask as error:
        fields.problems += error.problems
        return None
    judged = deployment.hosts.judge(connection.host)
    refusals = {
        "host": judged.refusal,
        "port": port_refusal(connection.port, deployment.ports),
        "tls": connection.tls_problem(deployment.require_tls),
    }
    for key, refusal in refusals.items():
        if refusal is not None:
            fields.refuse("SITE_CONFIG", refusal, key)
    if judged.address is not None and not deployment.hosts.is_open and not connection.proves_its_name:
        # It passed by its address, so the task keeps that: the name may lead elsewhere tomorrow (hosts.py).
        return connection.model_copy(update={"host": judged.address})
    return connection


def _packed(pattern: Pattern) -> bytes:
    try:
        return pack_pattern(pattern)
    except InvalidTask as error:
        raise PatternTooLarge(error.problems[0].message) from None
