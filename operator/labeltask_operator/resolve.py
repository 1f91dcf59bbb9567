"""A LabelTask's references -> everything that its Job needs: connection, rules, the document for the worker.

Input: the whole LabelTask, Secrets and ConfigMaps. Output: a ``Resolution``; a reference that is not there (yet) or
holds nonsense is told as a ``NotResolved`` that names the object and key, never a value.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from labeltask_contract.connection import Connection
from labeltask_contract.errors import InvalidTask
from labeltask_contract.pattern import Pattern, pack_pattern, pattern_digest, rule_count, unpack_pattern
from labeltask_contract.reasons import Reason
from labeltask_contract.rule_checks import find_problems
from labeltask_contract.rule_warnings import find_warnings
from labeltask_contract.spec import KeyRef, LabelTaskSpec
from labeltask_contract.status import PatternFacts
from labeltask_contract.task_document import TaskDocument
from labeltask_contract.times import parse_time
from labeltask_operator.cluster import Cluster
from labeltask_operator.references import (
    FileSource,
    NotResolved,
    Unresolved,
    check_schemas,
    find_connection,
    named_source,
    read_connection,
    read_file,
)
from labeltask_operator.settings import Settings
from labeltask_operator.views import Manifest, TaskView

__all__ = ["FileSource", "NotResolved", "Resolution", "Rules", "resolve_row_connection", "resolve_task"]

_SHOWN_PROBLEMS = 10


@dataclass(frozen=True)
class Rules:
    """The checked rules of a task, as facts; ``packed`` holds them where they stand in the task itself."""

    facts: PatternFacts
    warnings: tuple[str, ...]
    source: FileSource | None
    packed: bytes | None


@dataclass(frozen=True)
class Resolution:
    """All that a task refers to was found and is right."""

    connection: Connection
    connection_source: FileSource
    document: TaskDocument
    rules: Rules


def resolve_task(body: Manifest, cluster: Cluster, settings: Settings) -> Resolution | NotResolved:
    """Read and check everything that the LabelTask ``body`` (with its inline pattern) refers to."""
    view = TaskView.of(body)
    try:
        spec = _check_spec(body, settings)
        source, connection = find_connection(spec.connection_from, cluster, settings)
        rules = _find_rules(spec, cluster)
        return Resolution(connection, source, _build_document(view.task_id, spec, rules, settings), rules)
    except Unresolved as found:
        return found.outcome


def resolve_row_connection(view: TaskView, cluster: Cluster, settings: Settings) -> Connection | None:
    """Return the account by which the task's row can be read and ended, where one can be had.

    That is the task's own, but the deployment's default one where it leads to the same server and the deployment lists
    the output schema: it works even when the caller's account is refused, and the row can say so.
    """
    spec = view.spec
    if spec is None:
        return None
    try:
        # Not even the row of a refused task goes into a schema that is not for tasks.
        check_schemas({"output.schema": spec.output.schema_}, settings)
        own = find_connection(spec.connection_from, cluster, settings)[1]
        if spec.output.schema_ not in settings.history_schemas or settings.default_connection is None:
            return own
        default = read_connection(named_source(settings.default_connection, settings), cluster, settings)
        return default if default.address.lower() == own.address.lower() else own
    except Unresolved:
        return None


def _check_spec(body: Mapping[str, Any], settings: Settings) -> LabelTaskSpec:
    try:
        spec = LabelTaskSpec.model_validate(body.get("spec") or {})
    except ValidationError:
        problems = TaskView.of(body).spec_problems or "spec/pattern: is malformed"
        raise Unresolved(Reason.SPEC_INVALID, problems) from None
    if (spec.pattern is None) == (spec.pattern_from is None):
        raise Unresolved(Reason.SPEC_INVALID, "a task needs exactly one of pattern and patternFrom")
    try:
        start, end = parse_time(spec.start_time), parse_time(spec.end_time)
    except ValueError as error:
        raise Unresolved(Reason.SPEC_INVALID, f"startTime or endTime: {error}") from None
    if start >= end:
        raise Unresolved(Reason.SPEC_INVALID, "startTime must be before endTime")
    check_schemas({"input.schema": spec.input.schema_, "output.schema": spec.output.schema_}, settings)
    if spec.image is not None and not settings.allow_image_override:
        message = "spec.image: this deployment does not let tasks choose their image; leave it out"
        raise Unresolved(Reason.SPEC_INVALID, message)
    return spec


def _find_rules(spec: LabelTaskSpec, cluster: Cluster) -> Rules:
    packed: bytes | None = None
    source: FileSource | None = None
    try:
        if spec.pattern is not None:
            pattern = spec.pattern
            packed = pack_pattern(pattern)
        else:
            source = _pattern_source(spec)
            pattern = unpack_pattern(read_file(source, cluster), spec.model_type)
    except InvalidTask as error:
        where = "" if source is None else f"{source}: "
        raise Unresolved(Reason.RULE_INVALID, f"{where}{error}") from None
    problems = find_problems(spec.model_type, pattern)
    if problems:
        shown = "; ".join(problem.message for problem in problems[:_SHOWN_PROBLEMS])
        more = len(problems) - _SHOWN_PROBLEMS
        raise Unresolved(Reason.RULE_INVALID, shown + (f"; and {more} more" if more > 0 else ""))
    return Rules(_facts(pattern), tuple(find_warnings(spec.model_type, pattern)), source, packed)


def _pattern_source(spec: LabelTaskSpec) -> FileSource:
    chosen = spec.pattern_from
    secret: KeyRef | None = None if chosen is None else chosen.secret_key_ref
    config_map: KeyRef | None = None if chosen is None else chosen.config_map_key_ref
    if secret is not None and config_map is None:
        return FileSource("Secret", secret.name, secret.key)
    if config_map is not None and secret is None:
        return FileSource("ConfigMap", config_map.name, config_map.key)
    raise Unresolved(Reason.SPEC_INVALID, "patternFrom needs exactly one of secretKeyRef and configMapKeyRef")


def _facts(pattern: Pattern) -> PatternFacts:
    labels = tuple(rules.label for rules in pattern)
    return PatternFacts(sha256=pattern_digest(pattern), labels=labels, rules=rule_count(pattern))


def _build_document(task_id: str, spec: LabelTaskSpec, rules: Rules, settings: Settings) -> TaskDocument:
    return TaskDocument(
        task_id=task_id,
        model_type=spec.model_type,
        predict_type=spec.predict_type,
        # As written: date_range of the task's row in `state` is what the gateway answers, and what the caller sent.
        start_time=spec.start_time,
        end_time=spec.end_time,
        policy=spec.policy,
        pattern_sha256=rules.facts.sha256,
        input_schema=spec.input.schema_,
        input_table=spec.input.table,
        output_schema=spec.output.schema_,
        countdown_seconds=spec.countdown_seconds,
        parallelism=spec.parallelism,
        batch_rows=spec.batch_rows,
        rule_report=spec.rule_report,
        slice_rows=settings.slice_rows,
        row_budget_seconds=settings.row_budget_seconds,
        rules=settings.labelling_rules,
    )
