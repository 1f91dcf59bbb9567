"""LabelTasks, LabelDumps, Jobs and pods for tests: each builder returns a valid object, each method a changed copy.

>>> make_labeltask().with_spec(abort=True).with_status(jobName="lt-1").manifest
"""

import copy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from labeltask_contract.names import (
    API_VERSION,
    DUMP_ID_LABEL,
    KIND,
    LABEL_DUMP,
    TASK_ID_LABEL,
    WORKER_CONTAINER,
    dump_job_name,
    job_name,
)
from labeltask_contract.stat import ProdStat, Stat
from labeltask_operator.moments import format_moment
from labeltask_store.state_table import StateRow, StoredProgress

Manifest = dict[str, Any]

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
TASK_ID = "0123456789abcdef0123456789abcdef"
UID = "11111111-2222-3333-4444-555555555555"

PATTERN = [
    {"label": "男性", "keywords": [{"keyword": "爸", "match": ["partially"]}]},
    {"label": "女性", "keywords": [{"keyword": "媽", "match": ["start", "end"]}]},
]


def ago(seconds: float) -> str:
    """Return the moment ``seconds`` before NOW, as the API server writes it."""
    return format_moment(NOW - timedelta(seconds=seconds))


@dataclass(frozen=True)
class LabelTaskBuilder:
    """A LabelTask's manifest."""

    manifest: Manifest

    def with_spec(self, **fields: Any) -> "LabelTaskBuilder":
        """Set fields of the spec, in camelCase; None removes one."""
        changed = copy.deepcopy(self.manifest)
        for name, value in fields.items():
            if value is None:
                changed["spec"].pop(name, None)
            else:
                changed["spec"][name] = value
        return LabelTaskBuilder(changed)

    def with_status(self, **fields: Any) -> "LabelTaskBuilder":
        """Set fields of the status, in camelCase."""
        changed = copy.deepcopy(self.manifest)
        changed.setdefault("status", {}).update(fields)
        return LabelTaskBuilder(changed)

    def with_metadata(self, **fields: Any) -> "LabelTaskBuilder":
        """Set fields of the metadata."""
        changed = copy.deepcopy(self.manifest)
        changed["metadata"].update(fields)
        return LabelTaskBuilder(changed)


def make_labeltask(name: str = TASK_ID, uid: str = UID, created_ago: float = 10) -> LabelTaskBuilder:
    """A keyword task on the default connection."""
    return LabelTaskBuilder(
        {
            "apiVersion": API_VERSION,
            "kind": KIND,
            "metadata": {
                "name": name,
                "namespace": "labels",
                "uid": uid,
                "generation": 1,
                "resourceVersion": "1",
                "creationTimestamp": ago(created_ago),
            },
            "spec": {
                "modelType": "keyword_model",
                "predictType": "author_name",
                "startTime": "2024-01-01",
                "endTime": "2024-02-01 06:00:00",
                "pattern": copy.deepcopy(PATTERN),
                "input": {"schema": "source"},
                "output": {"schema": "results"},
            },
        }
    )


DUMP_NAME = "put-on-shelf"
DUMP_ID = UID.replace("-", "")


def make_labeldump(name: str = DUMP_NAME, uid: str = UID, created_ago: float = 10) -> LabelTaskBuilder:
    """A dump of one task on the default connection."""
    made = make_labeltask(name, uid, created_ago).manifest
    spec = {
        "group": "GENDER",
        "taskIds": [TASK_ID],
        "previousSchema": "previous",
        "output": {"schema": "results"},
    }
    return LabelTaskBuilder({**made, "kind": LABEL_DUMP.kind, "spec": spec})


@dataclass(frozen=True)
class JobBuilder:
    """A worker Job's manifest."""

    manifest: Manifest

    def with_spec(self, **fields: Any) -> "JobBuilder":
        """Set fields of the spec."""
        changed = copy.deepcopy(self.manifest)
        changed["spec"].update(fields)
        return JobBuilder(changed)

    def with_status(self, **fields: Any) -> "JobBuilder":
        """Set fields of the status."""
        changed = copy.deepcopy(self.manifest)
        changed["status"].update(fields)
        return JobBuilder(changed)

    def with_metadata(self, **fields: Any) -> "JobBuilder":
        """Set fields of the metadata."""
        changed = copy.deepcopy(self.manifest)
        changed["metadata"].update(fields)
        return JobBuilder(changed)

    def finished(self, kind: str, reason: str = "", message: str = "", seconds_ago: float = 1) -> "JobBuilder":
        """Let it be Complete or Failed."""
        condition = {
            "type": kind,
            "status": "True",
            "reason": reason,
            "message": message,
            "lastTransitionTime": ago(seconds_ago),
        }
        return self.with_status(conditions=[condition], active=0)


def make_job(task_id: str = TASK_ID, owner_uid: str = UID, created_ago: float = 5) -> JobBuilder:
    """An active Job of a task."""
    return JobBuilder(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {
                "name": job_name(task_id),
                "uid": f"job-of-{owner_uid}",
                "resourceVersion": "1",
                "creationTimestamp": ago(created_ago),
                "labels": {TASK_ID_LABEL: task_id},
                "ownerReferences": [{"uid": owner_uid, "controller": True}],
            },
            "spec": {
                "activeDeadlineSeconds": 60,
                "template": {
                    "spec": {
                        "containers": [{"image": "registry/worker:1", "resources": {"limits": {"memory": "64Mi"}}}]
                    }
                },
            },
            "status": {"active": 1, "startTime": ago(created_ago)},
        }
    )


def make_dump_job(dump_id: str = DUMP_ID, owner_uid: str = UID, created_ago: float = 5) -> JobBuilder:
    """An active Job of a dump."""
    return make_job(dump_id, owner_uid, created_ago).with_metadata(
        name=dump_job_name(dump_id), labels={DUMP_ID_LABEL: dump_id}
    )


def of_dump(pod: Manifest, dump_id: str = DUMP_ID) -> Manifest:
    """Make a task's pod one of a dump."""
    return {**pod, "metadata": {**pod["metadata"], "labels": {DUMP_ID_LABEL: dump_id}}}


def make_pod(
    state: Manifest | None = None,
    *,
    name: str = "pod-0",
    phase: str = "Running",
    task_id: str = TASK_ID,
    created_ago: float = 5,
    conditions: list[Manifest] | None = None,
    **status: Any,
) -> Manifest:
    """A worker pod whose container is in ``state`` (default: it runs)."""
    container_state = {"running": {"startedAt": ago(created_ago - 1)}} if state is None else state
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "uid": f"uid-of-{name}",
            "resourceVersion": "1",
            "creationTimestamp": ago(created_ago),
            "labels": {TASK_ID_LABEL: task_id},
        },
        "status": {
            "phase": phase,
            "conditions": conditions or [],
            "containerStatuses": [{"name": WORKER_CONTAINER, "state": container_state}] if container_state else [],
            **status,
        },
    }


def waiting_pod(reason: str, message: str = "", **more: Any) -> Manifest:
    """A pod whose container waits."""
    return make_pod({"waiting": {"reason": reason, "message": message}}, phase="Pending", **more)


def ended_pod(exit_code: int, reason: str = "Error", message: str = "", **more: Any) -> Manifest:
    """A pod whose container has ended."""
    terminated = {
        "exitCode": exit_code,
        "reason": reason,
        "message": message,
        "finishedAt": ago(more.pop("finished_ago", 1)),
    }
    return make_pod({"terminated": terminated}, phase="Failed" if exit_code else "Succeeded", **more)


def make_kubernetes_event(uid: str, reason: str, message: str, seconds_ago: float = 1) -> Manifest:
    """A warning of Kubernetes' own about the object with ``uid``."""
    return {
        "metadata": {"name": f"{uid}.{reason}.{seconds_ago}".lower(), "creationTimestamp": ago(seconds_ago)},
        "involvedObject": {"uid": uid},
        "type": "Warning",
        "reason": reason,
        "message": message,
        "lastTimestamp": ago(seconds_ago),
    }


def make_row(stat: Stat | None, prod_stat: ProdStat | None = None, task_id: str = TASK_ID, **fields: Any) -> StateRow:
    """A row of the state table."""
    empty: dict[str, Any] = dict.fromkeys(StateRow.__dataclass_fields__)
    return StateRow(**{**empty, "task_id": task_id, "stat": stat, "prod_stat": prod_stat, **fields})


def make_progress(
    stat: Stat | None,
    prod_stat: ProdStat | None = None,
    *,
    rows: tuple[int, int, int | None] = (0, 0, None),
    heartbeat_age: float | None = None,
    **fields: Any,
) -> StoredProgress:
    """A row of the state table with ``rows`` (read, labelled, estimated)."""
    return StoredProgress(make_row(stat, prod_stat, **fields), *rows, heartbeat_age)
