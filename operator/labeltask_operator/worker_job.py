"""The Job around one worker: what holds for every pod of the worker image, whatever it is told to do. Pure.

The Job carries no decision of its own: which exit codes end it, how often pods are replaced and when it is too late
stand in its spec, so that it ends rightly while the operator is away.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from labeltask_contract.dump_spec import LabelDumpSpec
from labeltask_contract.names import (
    API_VERSION,
    COMPONENT_LABEL,
    DATABASE_ANNOTATION,
    MANAGED_BY_LABEL,
    MANAGER,
    PART_OF,
    PART_OF_LABEL,
    TASK_DIR,
    WORKER_COMPONENT,
    WORKER_CONTAINER,
    ResourceKind,
)
from labeltask_contract.reasons import FACTS, PERMANENT_EXIT_CODES, Reason
from labeltask_contract.spec import LabelTaskSpec, ResourceAmounts, Resources
from labeltask_operator.kueue import QUEUE_LABEL
from labeltask_operator.references import FileSource
from labeltask_operator.settings import Settings
from labeltask_operator.views import Manifest, ObjectView

WORKER_UID = 65532
"""The user of both images; numeric, because runAsNonRoot can't judge a name."""

WorkerSpec = LabelTaskSpec | LabelDumpSpec


@dataclass(frozen=True)
class JobPlan:
    """What one kind of Job has of its own."""

    name: str
    labels: dict[str, str]
    database: str
    """``host:port``"""
    owner: dict[str, Any]
    pods: int
    command: str
    """Subcommand of the worker."""
    files: list[dict[str, Any]]
    """Sources of the volume that is mounted as the worker's folder."""
    local_queue: str = ""
    """Kueue's queue that admits the Job; empty where Kueue has no part in it."""


def build_worker_job(plan: JobPlan, spec: WorkerSpec, settings: Settings) -> Manifest:
    """Return the Job."""
    manifest = _job(plan, spec, settings)
    if plan.local_queue:
        manifest["metadata"]["labels"] = {**plan.labels, QUEUE_LABEL: plan.local_queue}
        # Kueue lets it start. Its webhook would do the same, but a Job must not start while that is away.
        manifest["spec"]["suspend"] = True
    return manifest


def _job(plan: JobPlan, spec: WorkerSpec, settings: Settings) -> Manifest:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": plan.name,
            "labels": plan.labels,
            "annotations": {DATABASE_ANNOTATION: plan.database},
            "ownerReferences": [plan.owner],
        },
        "spec": {
            "completionMode": "Indexed",
            "completions": plan.pods,
            "parallelism": plan.pods,
            # For all pods together. backoffLimitPerIndex would keep one unlucky pod from using up the tries of the
            # others, but with it a pod that ended stays until its replacement is there: in a namespace that is being
            # deleted there can be none, and the namespace would stay for ever.
            "backoffLimit": spec.backoff_limit * plan.pods,
            "activeDeadlineSeconds": spec.deadline_seconds,
            # A pod that still hands its work back is not replaced before it has ended.
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {"rules": _failure_rules()},
            "template": {
                "metadata": settings.worker_placement.metadata(plan.labels),
                "spec": _pod_spec(plan, spec, settings) | settings.worker_placement.spec_fields(),
            },
        },
    }


def worker_labels(kind: ResourceKind, view: ObjectView) -> dict[str, str]:
    """Return the labels of everything that is made for one object."""
    return {
        kind.id_label: view.task_id,
        COMPONENT_LABEL: WORKER_COMPONENT,
        PART_OF_LABEL: PART_OF,
        MANAGED_BY_LABEL: MANAGER,
    }


def owner_reference(kind: ResourceKind, view: ObjectView) -> dict[str, Any]:
    """Return the reference by which Kubernetes deletes a Job or ConfigMap with its owner."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind.kind,
        "name": view.name,
        "uid": view.uid,
        "controller": True,
        # True would need the right to set finalizers, and hold a foreground delete of the task.
        "blockOwnerDeletion": False,
    }


def file_projection(source: FileSource, path: str) -> dict[str, Any]:
    """Return the part of a projected volume that mounts one key as a file."""
    kind = "secret" if source.kind == "Secret" else "configMap"
    return {kind: {"name": source.name, "items": [{"key": source.key, "path": path}]}}


def worker_resources(spec: WorkerSpec, settings: Settings) -> dict[str, dict[str, str]]:
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
        {
            "action": "Ignore",
            "onPodConditions": [
                {"type": "DisruptionTarget", "status": "True"},
                # Deleted while it waited for a node: it has never run.
                {"type": "PodScheduled", "status": "False"},
            ],
        },
    ]


def _pod_spec(plan: JobPlan, spec: WorkerSpec, settings: Settings) -> dict[str, Any]:
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
                "args": [plan.command, "--task-dir", TASK_DIR],
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
            {"name": "task", "projected": {"defaultMode": 0o440, "sources": plan.files}},
            {"name": "tmp", "emptyDir": {"sizeLimit": settings.tmp_size_limit}},
        ],
    }
    if settings.worker_image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in settings.worker_image_pull_secrets]
    return pod
