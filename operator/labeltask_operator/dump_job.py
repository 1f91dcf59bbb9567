"""A resolved dump -> the manifests that run it: one Job of one pod, one ConfigMap. Pure."""

from labeltask_contract.dump_spec import LabelDumpSpec
from labeltask_contract.names import CONNECTION_FILE, DUMP_FILE, LABEL_DUMP, dump_job_name
from labeltask_operator.dump_resolve import DumpResolution
from labeltask_operator.dump_view import DumpView
from labeltask_operator.settings import Settings
from labeltask_operator.views import Manifest
from labeltask_operator.worker_job import (
    JobPlan,
    build_worker_job,
    file_projection,
    owner_reference,
    worker_labels,
)


def build_dump_config_map(view: DumpView, resolution: DumpResolution) -> Manifest:
    """Return the ConfigMap that hands the resolved dump to the worker."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": dump_job_name(view.task_id),
            "labels": worker_labels(LABEL_DUMP, view),
            "ownerReferences": [owner_reference(LABEL_DUMP, view)],
        },
        "immutable": True,
        "data": {DUMP_FILE: resolution.document.to_json().decode()},
    }


def build_dump_job(view: DumpView, spec: LabelDumpSpec, resolution: DumpResolution, settings: Settings) -> Manifest:
    """Return the Job that runs the dump."""
    own = {"name": dump_job_name(view.task_id), "items": [{"key": DUMP_FILE, "path": DUMP_FILE}]}
    plan = JobPlan(
        name=dump_job_name(view.task_id),
        labels=worker_labels(LABEL_DUMP, view),
        database=resolution.database,
        owner=owner_reference(LABEL_DUMP, view),
        pods=1,
        command="dump-result",
        files=[{"configMap": own}, file_projection(resolution.connection_source, CONNECTION_FILE)],
    )
    return build_worker_job(plan, spec, settings)
