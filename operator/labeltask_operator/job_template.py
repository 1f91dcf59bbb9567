"""A resolved task -> the manifests that run it: one Job, one ConfigMap. Pure."""

import base64
from typing import Any

from labeltask_contract.names import (
    CONNECTION_FILE,
    LABEL_TASK,
    PATTERN_FILE,
    QUEUE_LABEL,
    TASK_FILE,
    config_map_name,
    job_name,
)
from labeltask_contract.spec import LabelTaskSpec
from labeltask_operator.resolve import Resolution
from labeltask_operator.settings import Settings
from labeltask_operator.views import Manifest, TaskView
from labeltask_operator.worker_job import (
    JobPlan,
    build_worker_job,
    file_projection,
    owner_reference,
    worker_labels,
    worker_resources,
)

__all__ = ["build_config_map", "build_job", "worker_resources"]


def build_config_map(view: TaskView, resolution: Resolution) -> Manifest:
    """Return the ConfigMap that hands the resolved task to the worker."""
    manifest: Manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": config_map_name(view.task_id),
            "labels": worker_labels(LABEL_TASK, view) | {QUEUE_LABEL: view.queue},
            "ownerReferences": [owner_reference(LABEL_TASK, view)],
        },
        "immutable": True,
        "data": {TASK_FILE: resolution.document.to_json().decode()},
    }
    if resolution.rules.packed is not None:
        manifest["binaryData"] = {PATTERN_FILE: base64.b64encode(resolution.rules.packed).decode()}
    return manifest


def build_job(view: TaskView, spec: LabelTaskSpec, resolution: Resolution, settings: Settings) -> Manifest:
    """Return the Job that runs the task."""
    plan = JobPlan(
        name=job_name(view.task_id),
        labels=worker_labels(LABEL_TASK, view) | {QUEUE_LABEL: view.queue},
        database=resolution.connection.address.lower(),
        owner=owner_reference(LABEL_TASK, view),
        pods=spec.parallelism,
        command="run",
        files=_task_files(view, resolution),
        local_queue=view.queue if settings.kueue else "",
    )
    return build_worker_job(plan, spec, settings)


def _task_files(view: TaskView, resolution: Resolution) -> list[dict[str, Any]]:
    own = [{"key": TASK_FILE, "path": TASK_FILE}]
    if resolution.rules.source is None:
        own.append({"key": PATTERN_FILE, "path": PATTERN_FILE})
    sources: list[dict[str, Any]] = [{"configMap": {"name": config_map_name(view.task_id), "items": own}}]
    if resolution.rules.source is not None:
        # Plain JSON under this name is fine: the worker looks at the content, not at the name.
        sources.append(file_projection(resolution.rules.source, PATTERN_FILE))
    sources.append(file_projection(resolution.connection_source, CONNECTION_FILE))
    return sources
