"""Read and check the three mounted files: the resolved task, the connection, the rules. No database yet."""

from dataclasses import dataclass
from pathlib import Path

from labeltask_contract import names
from labeltask_contract.connection import Connection, load_connection
from labeltask_contract.errors import InvalidTask, TaskFailure
from labeltask_contract.pattern import MAX_LABEL_CHARACTERS, Pattern, pattern_digest, unpack_pattern
from labeltask_contract.reasons import Reason
from labeltask_contract.rule_checks import find_problems
from labeltask_contract.task_document import OTHER_TABLE, TaskDocument, load_task
from labeltask_contract.times import parse_time
from labeltask_store.production_tables import MAX_TABLE_CHARACTERS
from labeltask_worker.routing import panels_of

_MAX_PROBLEMS_SHOWN = 5


@dataclass(frozen=True)
class Assignment:
    """Task and connection: enough to find the task's row."""

    task: TaskDocument
    connection: Connection


def load_assignment(task_dir: Path) -> Assignment:
    """Read ``task.json`` and ``connection.json``.

    :raises TaskFailure: SpecInvalid, naming file and field.
    """
    try:
        task = load_task(_read(task_dir, names.TASK_FILE))
        connection = load_connection(_read(task_dir, names.CONNECTION_FILE))
    except InvalidTask as error:
        raise TaskFailure(Reason.SPEC_INVALID, str(error)) from None
    return Assignment(task, connection)


def check_task(task: TaskDocument) -> None:
    """Check what the models can't.

    :raises TaskFailure: SpecInvalid.
    """
    try:
        start, end = parse_time(task.start_time), parse_time(task.end_time)
    except ValueError as error:
        raise TaskFailure(Reason.SPEC_INVALID, f"start_time and end_time: {error}") from None
    if start >= end:
        raise TaskFailure(Reason.SPEC_INVALID, f"start_time {start} is not before end_time {end}")
    for table in {OTHER_TABLE, *task.rules.source_tables.values()}:
        if len(table) > MAX_TABLE_CHARACTERS:
            message = f"the result table {table} has more than {MAX_TABLE_CHARACTERS} characters; shorten its name"
            raise TaskFailure(Reason.SPEC_INVALID, message)


def load_rules(task_dir: Path, task: TaskDocument) -> Pattern:
    """Read the rules and check that they are right and those that the task was accepted with.

    :raises TaskFailure: RuleInvalid, naming label and position; SpecInvalid when the file is missing.
    """
    packed = (task_dir / names.PATTERN_FILE).exists()
    try:
        pattern = unpack_pattern(
            _read(task_dir, names.PATTERN_FILE if packed else names.PLAIN_PATTERN_FILE), task.model_type
        )
    except InvalidTask as error:
        raise TaskFailure(Reason.RULE_INVALID, str(error)) from None
    problems = [problem.message for problem in find_problems(task.model_type, pattern)]
    if problems:
        shown = "; ".join(problems[:_MAX_PROBLEMS_SHOWN])
        more = f"; and {len(problems) - _MAX_PROBLEMS_SHOWN} more" if len(problems) > _MAX_PROBLEMS_SHOWN else ""
        raise TaskFailure(Reason.RULE_INVALID, shown + more)
    if pattern_digest(pattern) != task.pattern_sha256:
        message = "the rules are not those that the task was accepted with (their digest differs); create the task anew"
        raise TaskFailure(Reason.RULE_INVALID, message)
    for panel in panels_of([rules.label for rules in pattern], task.rules.label_translations):
        if len(panel) > MAX_LABEL_CHARACTERS + 1:
            message = f"the translated label {panel[1:21]}… has more than {MAX_LABEL_CHARACTERS} characters"
            raise TaskFailure(Reason.RULE_INVALID, message)
    return pattern


def _read(task_dir: Path, name: str) -> bytes:
    try:
        return (task_dir / name).read_bytes()
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise TaskFailure(Reason.SPEC_INVALID, f"{name} can't be read: {cause}; it must be mounted") from None
