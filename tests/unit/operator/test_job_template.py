"""The manifests that run a task, whole: what stands here is what the API server gets."""

import base64
import json
from typing import Any

import pytest
from pydantic import ValidationError

from labeltask_contract.names import job_name
from labeltask_contract.pattern import unpack_pattern
from labeltask_contract.reasons import PERMANENT_EXIT_CODES
from labeltask_contract.task_document import load_task
from labeltask_operator.job_template import build_config_map, build_job, worker_resources
from labeltask_operator.resolve import Resolution, resolve_task
from labeltask_operator.views import Manifest, TaskView
from labeltask_testing.builders import TASK_ID, UID, LabelTaskBuilder, make_labeltask
from labeltask_testing.operator_fakes import FakeCluster, make_settings

LABELS = {
    "labelapi.io/task-id": TASK_ID,
    "labelapi.io/queue": "default",
    "app.kubernetes.io/component": "worker",
    "app.kubernetes.io/part-of": "labeltask",
    "app.kubernetes.io/managed-by": "labeltask-operator",
}
OWNER = {
    "apiVersion": "labelapi.io/v1",
    "kind": "LabelTask",
    "name": TASK_ID,
    "uid": UID,
    "controller": True,
    "blockOwnerDeletion": False,
}
RULES_SECRET = {"secretKeyRef": {"name": "rules", "key": "rules.json"}}


def resolved(task: LabelTaskBuilder, cluster: FakeCluster | None = None, **settings: Any) -> Resolution:
    resolution = resolve_task(task.manifest, cluster or FakeCluster(), make_settings(**settings))
    assert isinstance(resolution, Resolution)
    return resolution


def job_of(task: LabelTaskBuilder, cluster: FakeCluster | None = None, **settings: Any) -> Manifest:
    view = TaskView.of(task.manifest)
    assert view.spec is not None
    return build_job(view, view.spec, resolved(task, cluster, **settings), make_settings(**settings))


def test_the_deployment_says_where_workers_run_and_what_marks_them() -> None:
    tolerations = [{"key": "dedicated", "operator": "Exists"}]
    affinity: Manifest = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}}
    spread = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
    own_selector = {"labelSelector": {"matchLabels": {"example.com/team": "data"}}}
    plain = job_of(make_labeltask())
    placed = job_of(
        make_labeltask(),
        worker_placement={
            "labels": {"example.com/team": "data"},
            "annotations": {"example.com/cost-centre": "4711"},
            "nodeSelector": {"pool": "batch"},
            "tolerations": tolerations,
            "affinity": affinity,
            "priorityClassName": "batch-low",
            "topologySpreadConstraints": [spread, spread | own_selector],
        },
    )
    all_workers = {name: LABELS[name] for name in ("app.kubernetes.io/component", "app.kubernetes.io/managed-by")}
    plain["spec"]["template"]["metadata"] = {
        "labels": LABELS | {"example.com/team": "data"},
        "annotations": {"example.com/cost-centre": "4711"},
    }
    plain["spec"]["template"]["spec"] |= {
        "nodeSelector": {"pool": "batch"},
        "tolerations": tolerations,
        "affinity": affinity,
        "priorityClassName": "batch-low",
        "topologySpreadConstraints": [
            spread | {"labelSelector": {"matchLabels": all_workers}},
            spread | own_selector,
        ],
    }
    assert placed == plain


@pytest.mark.parametrize("name", ["labelapi.io/task-id", "labelapi.io/other", "app.kubernetes.io/managed-by"])
def test_a_label_by_which_the_operator_finds_its_pods_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=f"the operator sets {name} itself"):
        make_settings(worker_placement={"labels": {name: "mine"}})


def test_the_whole_job() -> None:
    assert job_of(make_labeltask().with_spec(parallelism=3, deadlineSeconds=600, backoffLimit=2)) == {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": job_name(TASK_ID),
            "labels": LABELS,
            "annotations": {"labelapi.io/database": "db.example:3306"},
            "ownerReferences": [OWNER],
        },
        "spec": {
            "completionMode": "Indexed",
            "completions": 3,
            "parallelism": 3,
            "backoffLimit": 6,
            "activeDeadlineSeconds": 600,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": {
                "rules": [
                    {
                        "action": "FailJob",
                        "onExitCodes": {
                            "containerName": "worker",
                            "operator": "In",
                            "values": list(PERMANENT_EXIT_CODES),
                        },
                    },
                    {
                        "action": "Ignore",
                        "onExitCodes": {"containerName": "worker", "operator": "In", "values": [75]},
                    },
                    {
                        "action": "Ignore",
                        "onPodConditions": [
                            {"type": "DisruptionTarget", "status": "True"},
                            {"type": "PodScheduled", "status": "False"},
                        ],
                    },
                ]
            },
            "template": {
                "metadata": {"labels": LABELS},
                "spec": {
                    "restartPolicy": "Never",
                    "serviceAccountName": "labeltask-worker",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 15,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": 65532,
                        "runAsGroup": 65532,
                        "fsGroup": 65532,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [
                        {
                            "name": "worker",
                            "image": "registry/worker:1",
                            "imagePullPolicy": "IfNotPresent",
                            "args": ["run", "--task-dir", "/etc/labeltask"],
                            "env": [{"name": "POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}],
                            "resources": {
                                "requests": {"cpu": "100m", "memory": "128Mi"},
                                "limits": {"memory": "256Mi"},
                            },
                            "terminationMessagePolicy": "File",
                            "securityContext": {
                                "allowPrivilegeEscalation": False,
                                "readOnlyRootFilesystem": True,
                                "capabilities": {"drop": ["ALL"]},
                            },
                            "volumeMounts": [
                                {"name": "task", "mountPath": "/etc/labeltask", "readOnly": True},
                                {"name": "tmp", "mountPath": "/tmp"},
                            ],
                        }
                    ],
                    "volumes": [
                        {
                            "name": "task",
                            "projected": {
                                "defaultMode": 0o440,
                                "sources": [
                                    {
                                        "configMap": {
                                            "name": TASK_ID,
                                            "items": [
                                                {"key": "task.json", "path": "task.json"},
                                                {"key": "pattern.json.gz", "path": "pattern.json.gz"},
                                            ],
                                        }
                                    },
                                    {
                                        "secret": {
                                            "name": "main-db",
                                            "items": [{"key": "connection.json", "path": "connection.json"}],
                                        }
                                    },
                                ],
                            },
                        },
                        {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
                    ],
                },
            },
        },
    }


def test_rules_of_a_secret_are_mounted_from_there() -> None:
    cluster = FakeCluster()
    cluster.secrets["rules"] = {"rules.json": '{"男性": [["爸", "partially"]]}'.encode()}
    task = make_labeltask().with_spec(pattern=None, patternFrom=RULES_SECRET)
    sources = job_of(task, cluster)["spec"]["template"]["spec"]["volumes"][0]["projected"]["sources"]
    assert sources[0]["configMap"]["items"] == [{"key": "task.json", "path": "task.json"}]
    assert sources[1] == {"secret": {"name": "rules", "items": [{"key": "rules.json", "path": "pattern.json.gz"}]}}
    assert "binaryData" not in build_config_map(TaskView.of(task.manifest), resolved(task, cluster))


def test_pull_secrets_and_a_task_s_own_image_where_that_is_allowed() -> None:
    task = make_labeltask().with_spec(image="registry/mine:2")
    pod = job_of(task, allow_image_override=True, worker_image_pull_secrets=("a", "b"))["spec"]["template"]["spec"]
    assert pod["containers"][0]["image"] == "registry/mine:2"
    assert pod["imagePullSecrets"] == [{"name": "a"}, {"name": "b"}]


def test_the_config_map_holds_the_resolved_task_and_the_rules_in_order() -> None:
    task = make_labeltask()
    manifest = build_config_map(TaskView.of(task.manifest), resolved(task, slice_rows=7))
    assert manifest["metadata"] == {"name": TASK_ID, "labels": LABELS, "ownerReferences": [OWNER]}
    assert manifest["immutable"] is True
    document = load_task(manifest["data"]["task.json"].encode())
    assert (document.task_id, document.slice_rows) == (TASK_ID, 7)
    assert document.date_range == "2024-01-01 - 2024-02-01 06:00:00"
    pattern = unpack_pattern(base64.b64decode(manifest["binaryData"]["pattern.json.gz"]), document.model_type)
    assert [rules.label for rules in pattern] == ["男性", "女性"]
    assert json.loads(manifest["data"]["task.json"])["rules"]["source_tables"]["WH_F0001"] == "Ptt"


DEFAULT = {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}}
RESOURCES: dict[str, tuple[Any, Any]] = {
    "none of its own": (None, DEFAULT),
    "a limit alone": (
        {"limits": {"memory": "1Gi"}},
        {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}},
    ),
    "a limit below the default request lowers the request": (
        {"limits": {"memory": "64Mi"}},
        {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}},
    ),
    "a limit on processors below the default request": (
        {"limits": {"cpu": "50m"}},
        {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "256Mi", "cpu": "50m"}},
    ),
    "a request of its own is not touched": (
        {"requests": {"memory": "1Gi"}},
        {"requests": {"cpu": "100m", "memory": "1Gi"}, "limits": {"memory": "256Mi"}},
    ),
}


@pytest.mark.parametrize(("own", "expected"), RESOURCES.values(), ids=RESOURCES.keys())
def test_resources(own: Any, expected: Any) -> None:
    spec = TaskView.of(make_labeltask().with_spec(resources=own).manifest).spec
    assert spec is not None
    assert worker_resources(spec, make_settings()) == expected
