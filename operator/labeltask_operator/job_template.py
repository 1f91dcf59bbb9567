"""A resolved task -> the manifests that run it: one Job, one ConfigMap. Pure.

The Job carries no decision of its own: which exit codes end it, how often pods are replaced and when it is too late
stand in its spec, so that it ends rightly while the operator is away.
"""

import base64
from decimal import Decimal
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from labeltask_contract.names import (
    API_VERSION,
    COMPONENT_LABEL,
    CONNECTION_FILE,
    KIND,
    MANAGED_BY_LABEL,
    MANAGER,
    PART_OF,
    PART_OF_LABEL,
    PATTERN_FILE,
    QUEUE_LABEL,
    TASK_DIR,
    TASK_FILE,
    TASK_ID_LABEL,
    WORKER_COMPONENT,
    WORKER_CONTAINER,
    config_map_name,
    job_name,
)
from labeltask_contract.reasons import FACTS, PERMANENT_EXIT_CODES, Reason
from labeltask_contract.spec import LabelTaskSpec, ResourceAmounts, Resources
from labeltask_operator.resolve import FileSource, Resolution
from labeltask_operator.settings import Settings
from labeltask_operator.views import Manifest, TaskView

WORKER_UID = 65532
"""The user of both images; numeric, because runAsNonRoot can't judge a name."""


def build_config_map(view: TaskView, resolution: Resolution) -> Manifest:
    """Return the ConfigMap that hands the resolved task to the worker."""
    manifest: Manifest = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": config_map_name(view.task_id),
            "labels": _labels(view),
            "ownerReferences": [_owner(view)],
        },
        "immutable": True,
        "data": {TASK_FILE: resolution.document.to_json().decode()},
    }
    if resolution.rules.packed is not None:
        manifest["binaryData"] = {PATTERN_FILE: base64.b64encode(resolution.rules.packed).decode()}
    return manifest


def build_job(view: TaskView, spec: LabelTaskSpec, resolution: Resolution, settings: Settings) -> Manifest:
    """Return the Job that runs the task."""
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(view.task_id),
            "labels": _labels(view),
            "ownerReferences": [_owner(view)],
        },
        "spec": {
            "completionMode": "Indexed",
            "completions": spec.parallelism,
            "parallelism": spec.parallelism,
            # Per index: one unlucky pod must not use up the tries of the others.
            "backoffLimitPerIndex": spec.backoff_limit,
            "activeDeadlineSeconds": spec.deadline_seconds,
            # A pod that still hands its slices back is not replaced before it has ended.
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": _failure_rules()},
            "template": {
                "metadata": {"labels": _labels(view)},
                "spec": _pod_spec(view, spec, resolution, settings),
            },
        },
    }


def worker_resources(spec: LabelTaskSpec, settings: Settings) -> dict[str, dict[str, str]]:
    """Merge the task's amounts over the deployment's.

    A default request above a limit that the task sets is lowered to it: the API server refuses such a pod.
    """
    own = spec.resources or Resources()
    default = settings.worker_resources
    limits = _amounts(default.limits) | _amounts(own.limits)
    requests = _amounts(default.requests) | _amounts(own.requests)
    chosen = _amounts(own.requests)
    for name, limit in limits.items():
        if name in requests and name not in chosen and _quantity(requests[name]) > _quantity(limit):
            requests[name] = limit
    return {kind: amounts for kind, amounts in (("requests", requests), ("limits", limits)) if amounts}


def _quantity(text: str) -> Decimal:
    found: Decimal = parse_quantity(text)  # type: ignore[no-untyped-call]
    return found


def _amounts(amounts: ResourceAmounts | None) -> dict[str, str]:
    return {} if amounts is None else amounts.model_dump(exclude_none=True)


def _labels(view: TaskView) -> dict[str, str]:
    return {
        TASK_ID_LABEL: view.task_id,
        QUEUE_LABEL: view.queue,
        COMPONENT_LABEL: WORKER_COMPONENT,
        PART_OF_LABEL: PART_OF,
        MANAGED_BY_LABEL: MANAGER,
    }


def _owner(view: TaskView) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": view.name,
        "uid": view.uid,
        "controller": True,
        # True would need the right to set finalizers, and hold a foreground delete of the task.
        "blockOwnerDeletion": False,
    }


def _failure_rules() -> list[dict[str, Any]]:
    """Judged in this order: https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy."""

    def exit_codes(*codes: int) -> dict[str, Any]:
        return {"containerName": WORKER_CONTAINER, "operator": "In", "values": list(codes)}

    interrupted = FACTS[Reason.INTERRUPTED].exit_code
    if interrupted is None:
        raise AssertionError("an interrupted worker exits with a code of its own")
    return [
        {"action": "FailJob", "onExitCodes": exit_codes(*PERMANENT_EXIT_CODES)},
        {"action": "Ignore", "onExitCodes": exit_codes(interrupted)},
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
    ]


def _pod_spec(view: TaskView, spec: LabelTaskSpec, resolution: Resolution, settings: Settings) -> dict[str, Any]:
    image = spec.image if spec.image is not None and settings.allow_image_override else settings.worker_image
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "serviceAccountName": settings.worker_service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": settings.termination_grace_seconds,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": WORKER_UID,
            "runAsGroup": WORKER_UID,
            "fsGroup": WORKER_UID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": WORKER_CONTAINER,
                "image": image,
                "imagePullPolicy": settings.worker_image_pull_policy,
                "args": ["run", "--task-dir", TASK_DIR],
                "env": [{"name": "POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}],
                "resources": worker_resources(spec, settings),
                "terminationMessagePolicy": "File",
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": [
                    {"name": "task", "mountPath": TASK_DIR, "readOnly": True},
                    {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - a volume of the pod's own
                ],
            }
        ],
        "volumes": [
            {"name": "task", "projected": {"defaultMode": 0o440, "sources": _task_files(view, resolution)}},
            {"name": "tmp", "emptyDir": {"sizeLimit": settings.tmp_size_limit}},
        ],
    }
    if settings.worker_image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in settings.worker_image_pull_secrets]
    return pod


def _task_files(view: TaskView, resolution: Resolution) -> list[dict[str, Any]]:
    own = [{"key": TASK_FILE, "path": TASK_FILE}]
    if resolution.rules.source is None:
        own.append({"key": PATTERN_FILE, "path": PATTERN_FILE})
    sources: list[dict[str, Any]] = [{"configMap": {"name": config_map_name(view.task_id), "items": own}}]
    if resolution.rules.source is not None:
        # Plain JSON under this name is fine: the worker looks at the content, not at the name.
        sources.append(_file(resolution.rules.source, PATTERN_FILE))
    sources.append(_file(resolution.connection_source, CONNECTION_FILE))
    return sources


def _file(source: FileSource, path: str) -> dict[str, Any]:
    kind = "secret" if source.kind == "Secret" else "configMap"
    return {kind: {"name": source.name, "items": [{"key": source.key, "path": path}]}}
