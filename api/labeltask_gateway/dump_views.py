"""Answers about dumps from their LabelDump. Pure."""

from dataclasses import dataclass
from typing import Any

from labeltask_contract.dump_spec import LabelDumpSpec
from labeltask_contract.dump_status import DumpPhase, LabelDumpStatus
from labeltask_contract.stored_objects import mapping_of, read_fields, read_whole
from labeltask_gateway.dump_requests import DumpRequest
from labeltask_gateway.dump_responses import CreatedDump, DumpTableView, DumpView
from labeltask_gateway.manifests import creator_of


@dataclass(frozen=True)
class ObservedDump:
    """One LabelDump as the API server returns it; ``created`` is RFC 3339 in UTC."""

    dump_id: str
    created: str
    spec: LabelDumpSpec | None
    """None where it is malformed."""
    abort: bool
    """``spec.abort``, readable even then."""
    status: LabelDumpStatus
    created_by: str
    """The caller who had it created; empty for nobody known."""


def read_label_dump(manifest: dict[str, Any]) -> ObservedDump:
    """Read a LabelDump; fields that a newer operator added are passed over."""
    metadata, spec = manifest["metadata"], mapping_of(manifest.get("spec"))
    return ObservedDump(
        dump_id=metadata["name"],
        created=metadata["creationTimestamp"],
        spec=read_whole(LabelDumpSpec, spec),  # what is wrong with it stands in its status
        abort=spec.get("abort") is True,
        status=read_fields(LabelDumpStatus, manifest.get("status")),
        created_by=creator_of(manifest),
    )


def view_of_created_dump(dump_id: str, request: DumpRequest) -> CreatedDump:
    """Return the answer to dump; the account has no part in it."""
    spec = request.spec
    return CreatedDump(
        group=spec.group,
        task_ids=spec.task_ids,
        input_database=spec.previous_schema,
        output_database=spec.output.schema_,
        previous_year=spec.previous_year,
        site=request.site,
        dump_id=dump_id,
    )


def view_of_label_dump(dump: ObservedDump) -> DumpView:
    """Return what the LabelDump says; what is not known (yet) is null."""
    spec, status = dump.spec, dump.status
    return DumpView(
        dump_id=dump.dump_id,
        phase=status.phase or DumpPhase.PENDING,
        group=None if spec is None else spec.group,
        task_ids=() if spec is None else spec.task_ids,
        input_database=None if spec is None else spec.previous_schema,
        output_database=None if spec is None else spec.output.schema_,
        previous_year=None if spec is None else spec.previous_year,
        tables=tuple(DumpTableView(**table.model_dump()) for table in status.tables or ()),
        reason=status.reason,
        error_message=status.error_message,
        create_time=_iso(dump.created),
        start_time=_iso(status.start_time),
        completion_time=_iso(status.completion_time),
    )


def _iso(moment: str | None) -> str | None:
    return moment.removesuffix("Z") if moment else None
