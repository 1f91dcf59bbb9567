"""The body of a request to put finished tasks on the shelf: bytes in, a checked :class:`DumpRequest` out, no I/O.

labelling.md, "dump_result". Whether the tasks are finished, their database says: ``dumps.py``.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from labeltask_contract.connection import Connection
from labeltask_contract.dump_spec import MAX_TASKS, LabelDumpSpec
from labeltask_contract.names import is_task_id
from labeltask_gateway.body_fields import BodyFields
from labeltask_gateway.requests import Deployment, read_connection

KEYS: Mapping[str, str] = {
    "GROUP": "group",
    "TASK_IDS": "task_ids",
    "INPUT_DATABASE": "previous_schema",
    "OUTPUT_DATABASE": "output.schema",
    "SITE_CONFIG": "connection_from.secret_key_ref",
    "SITE": "connection_from.site",
    "PREVIOUS_YEAR": "previous_year",
}
"""Every key that creates a dump, and where it goes in the spec."""


@dataclass(frozen=True)
class DumpRequest:
    """A request to create a dump, everything checked that the request itself tells."""

    spec: LabelDumpSpec
    connection: Connection | None
    site: str | None


def parse_dump(body: dict[str, object], deployment: Deployment) -> DumpRequest:
    """Check every key of a request to create a dump.

    :raises InvalidTask: naming every wrong key at once.
    """
    fields = BodyFields(body, deployment.schemas)
    fields.check_keys(tuple(KEYS))
    spec = {
        "group": fields.member("GROUP", deployment.conflict_groups),
        "task_ids": _task_ids(fields),
        "previous_schema": fields.schema("INPUT_DATABASE"),
        "output": {"schema": fields.schema("OUTPUT_DATABASE")},
        "previous_year": fields.whole_number("PREVIOUS_YEAR", 1, 9_999),
    }
    connection = read_connection(fields, deployment)
    fields.raise_if_wrong()
    return DumpRequest(
        spec=LabelDumpSpec.model_validate({key: value for key, value in spec.items() if value is not None}),
        connection=connection,
        site=str(fields.get("SITE")) if "SITE" in fields else None,
    )


def _task_ids(fields: BodyFields) -> tuple[str, ...]:
    value = fields.get("TASK_IDS")
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_TASKS:
        fields.refuse("TASK_IDS", f"must be a list of 1 to {MAX_TASKS} ids that create answered")
        return ()
    found: list[str] = []
    for index, task_id in enumerate(value):
        if not isinstance(task_id, str) or not is_task_id(task_id):
            fields.refuse("TASK_IDS", "must be a task's id: 32 hexadecimal digits, 0-9 and a-f", index)
        elif task_id in found:
            fields.refuse("TASK_IDS", "is named twice; keep one of them", index)
        else:
            found.append(task_id)
    return tuple(found)
