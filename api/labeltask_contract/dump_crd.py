"""LabelDump's CustomResourceDefinition, from its models by way of ``crd.py``."""

from typing import Any

from labeltask_contract.crd import (
    ABORT_RULE,
    CONNECTION_RULE,
    Schema,
    column,
    frame_crd,
    frame_schema,
    immutable,
    structural_schema,
)
from labeltask_contract.dump_spec import MUTABLE_DUMP_FIELDS, LabelDumpSpec
from labeltask_contract.dump_status import LabelDumpStatus
from labeltask_contract.names import LABEL_DUMP


def build_dump_crd() -> dict[str, Any]:
    """Return the whole CustomResourceDefinition as a manifest."""
    columns = [
        column("Phase", ".status.phase"),
        column("Group", ".spec.group"),
        column("Output", ".spec.output.schema"),
        column("Age", ".metadata.creationTimestamp", "date"),
        column("Previous", ".spec.previousSchema", priority=1),
        column("Job", ".status.jobName", priority=1),
        column("Reason", ".status.reason", priority=1),
        column("Error", ".status.errorMessage", priority=1),
    ]
    return frame_crd(LABEL_DUMP, _schema(), columns, (".spec.group", ".status.phase"))


def _schema() -> Schema:
    spec = structural_schema(LabelDumpSpec.model_json_schema(by_alias=True))
    spec["x-kubernetes-validations"] = [immutable(LabelDumpSpec, "a dump", MUTABLE_DUMP_FIELDS), ABORT_RULE]
    spec["properties"]["connectionFrom"]["x-kubernetes-validations"] = [CONNECTION_RULE]
    status = structural_schema(LabelDumpStatus.model_json_schema(by_alias=True))
    description = "Puts the production rows of finished tasks, merged with the previous ones, into the dump tables."
    return frame_schema(LABEL_DUMP, description, spec, status)
