"""A LabelDump's references -> everything that its Job needs: the connection and the document for the worker."""

from dataclasses import dataclass

from labeltask_contract.dump_document import SHELF_TABLES, DumpDocument
from labeltask_contract.dump_spec import LabelDumpSpec
from labeltask_contract.reasons import Reason
from labeltask_operator.cluster import Cluster
from labeltask_operator.dump_view import DumpView
from labeltask_operator.references import FileSource, NotResolved, Unresolved, check_schemas, find_connection
from labeltask_operator.settings import Settings


@dataclass(frozen=True)
class DumpResolution:
    """All that a dump refers to was found and is right."""

    connection_source: FileSource
    database: str
    """``host:port``"""
    document: DumpDocument


def resolve_dump(view: DumpView, cluster: Cluster, settings: Settings) -> DumpResolution | NotResolved:
    """Read and check everything that the LabelDump refers to."""
    try:
        spec = _check_spec(view, settings)
        source, connection = find_connection(spec.connection_from, cluster, settings)
    except Unresolved as found:
        return found.outcome
    return DumpResolution(source, connection.address.lower(), _build_document(view.task_id, spec, settings))


def _check_spec(view: DumpView, settings: Settings) -> LabelDumpSpec:
    spec = view.spec
    if spec is None:
        raise Unresolved(Reason.SPEC_INVALID, view.spec_problems)
    groups = settings.labelling_rules.conflict_groups
    if not groups.get(spec.group):
        known = ", ".join(sorted(name for name, panels in groups.items() if panels)) or "none"
        message = f'spec.group: the deployment knows no conflict group "{spec.group}"; it knows: {known}'
        raise Unresolved(Reason.SPEC_INVALID, message)
    check_schemas({"previousSchema": spec.previous_schema, "output.schema": spec.output.schema_}, settings)
    if spec.image is not None and not settings.allow_image_override:
        message = "spec.image: this deployment does not let dumps choose their image; leave it out"
        raise Unresolved(Reason.SPEC_INVALID, message)
    return spec


def _build_document(dump_id: str, spec: LabelDumpSpec, settings: Settings) -> DumpDocument:
    return DumpDocument(
        dump_id=dump_id,
        group=spec.group,
        panels=settings.labelling_rules.conflict_groups[spec.group],
        task_ids=spec.task_ids,
        previous_schema=spec.previous_schema,
        output_schema=spec.output.schema_,
        previous_year=spec.previous_year,
        shelves=settings.shelf_tables or dict(SHELF_TABLES),
    )
