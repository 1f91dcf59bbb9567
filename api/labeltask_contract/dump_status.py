"""LabelDumpStatus: what became of a dump; and its counts, as the worker leaves them for the operator.

The operator alone writes the status and can rebuild it from Job and pods; nothing is decided from it.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from labeltask_contract import strict_json
from labeltask_contract.errors import InvalidTask
from labeltask_contract.spec import CamelModel
from labeltask_contract.status import MAX_MESSAGE_CHARACTERS, Condition, Count, Moment

MAX_SHELVES = 40
"""As many as fit, with their counts, into the 4,096 bytes of a termination message."""


class DumpPhase(StrEnum):
    """The one-word summary. Succeeded and Failed are final."""

    PENDING = "Pending"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"


class DumpTable(CamelModel):
    """One dump table. Its rows are rowsKept + rowsAdded + rowsReplaced."""

    name: Annotated[str, Field(max_length=64, description="Shelf table; the dump is wh_panel_mapping_<name>_dump.")]
    rows_kept: Annotated[Count, Field(description="Previous rows that stay as they were.")]
    rows_added: Annotated[Count, Field(description="New rows that take no previous row's place.")]
    rows_replaced: Annotated[
        Count, Field(description="New rows that take the place of another panel of the group, of the same author.")
    ]
    authors_undecided: Annotated[
        Count, Field(description="Authors to whom as many tasks gave one panel of the group as gave another.")
    ] = 0


class LabelDumpStatus(CamelModel):
    """The summary."""

    observed_generation: Annotated[Count | None, Field(description="Generation of the spec that was judged.")] = None
    phase: Annotated[DumpPhase | None, Field(description="Pending, Running, Succeeded or Failed.")] = None
    tables: Annotated[
        tuple[DumpTable, ...] | None, Field(max_length=MAX_SHELVES, description="The dump tables, once they are there.")
    ] = None
    reason: Annotated[
        str | None, Field(max_length=64, description="Why the dump failed or waits, from a closed list.")
    ] = None
    error_message: Annotated[
        str | None, Field(max_length=MAX_MESSAGE_CHARACTERS, description="Why the dump failed, and what to do.")
    ] = None
    job_name: Annotated[str | None, Field(max_length=63, description="The dump's Job.")] = None
    attempts: Annotated[Count | None, Field(description="Worker pods started so far.")] = None
    start_time: Annotated[Moment | None, Field(description="When the first worker pod started.")] = None
    completion_time: Annotated[Moment | None, Field(description="When the dump became final.")] = None
    conditions: Annotated[
        tuple[Condition, ...] | None,
        Field(
            max_length=16,
            description="What is true of the dump, for machines.",
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
        ),
    ] = None


_Rows = tuple[str, int, int, int, int]
_OUTCOME = TypeAdapter(dict[str, tuple[_Rows, ...]])


def pack_outcome(tables: Sequence[DumpTable]) -> bytes:
    """Return a successful worker's termination message: short, so that every table fits."""
    rows = [[table.name, table.rows_kept, table.rows_added, table.rows_replaced, table.authors_undecided]
            for table in tables]  # fmt: skip
    return strict_json.dumps({"tables": rows})


def unpack_outcome(text: str) -> tuple[DumpTable, ...] | None:
    """Read :func:`pack_outcome`'s message; None when ``text`` is something else."""
    try:
        found = _OUTCOME.validate_python(strict_json.loads(text))["tables"]
        return tuple(
            DumpTable(name=name, rows_kept=kept, rows_added=added, rows_replaced=replaced, authors_undecided=undecided)
            for name, kept, added, replaced, undecided in found
        )
    except (InvalidTask, ValidationError, KeyError):
        return None
