# ruff: noqa: ARG002 - the Protocols give the arguments
"""A cluster and a state store in memory, for tests of the operator: small, honest, without threads.

The fake cluster does what the API server does on a call (names are unique, versions grow, a merge patch merges) and
nothing of what controllers do: a test lets Jobs run and pods die by itself.
"""

import copy
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from labeltask_contract.connection import Connection
from labeltask_contract.names import DUMP_ID_LABEL, TASK_ID_LABEL
from labeltask_contract.stat import Stat, is_final
from labeltask_contract.task_document import TaskDocument
from labeltask_operator.cluster import ApiFailure
from labeltask_operator.controller import Controller
from labeltask_operator.dump_controller import DumpController
from labeltask_operator.settings import Settings
from labeltask_operator.state_store import DatabaseTrouble
from labeltask_store.state_table import StoredProgress
from labeltask_testing.builders import NOW, TASK_ID, make_labeltask, make_pod, make_progress

Manifest = dict[str, Any]
SITE_CONFIG = b'{"host": "db.example", "port": 3306, "user": "labeller", "password": "hunter2-canary"}'


def make_settings(**changes: Any) -> Settings:
    """Settings of a deployment with a default connection."""
    values: dict[str, Any] = {
        "namespaces": ["labels"],
        "worker_image": "registry/worker:1",
        "worker_service_account": "labeltask-worker",
        "connections": {"main": {"secretName": "main-db", "key": "connection.json"}},
        "default_connection": "main",
        **changes,
    }
    return Settings(**values)


@dataclass
class FakeCluster:
    """One namespace of an API server, its objects of one kind.

    ``calls`` tells what was written; ``refuse`` makes a call fail.
    """

    tasks: dict[str, Manifest] = field(default_factory=dict)
    jobs: dict[str, Manifest] = field(default_factory=dict)
    pods: dict[str, Manifest] = field(default_factory=dict)
    workloads: dict[str, Manifest] = field(default_factory=dict)
    secrets: dict[str, dict[str, bytes]] = field(default_factory=lambda: {"main-db": {"connection.json": SITE_CONFIG}})
    config_maps: dict[str, Manifest] = field(default_factory=dict)
    events: dict[str, Manifest] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    patches: list[Manifest] = field(default_factory=list)
    refuse: dict[str, ApiFailure] = field(default_factory=dict)
    version: int = 100
    id_label: str = TASK_ID_LABEL
    namespace: str = "labels"

    def get_task(self, name: str) -> Manifest | None:
        return copy.deepcopy(self.tasks.get(name))

    def iter_tasks(self) -> Iterator[Manifest]:
        if "iter_tasks" in self.refuse:
            raise self.refuse["iter_tasks"]
        return iter(copy.deepcopy(list(self.tasks.values())))

    def patch_status(self, name: str, patch: Manifest) -> Manifest | None:
        self._call("patch_status", name)
        self.patches.append(copy.deepcopy(patch["status"]))
        if name not in self.tasks:
            return None
        task = self.tasks[name]
        task["status"] = _merged(task.get("status"), patch["status"])
        return self._stored(task)

    def delete_task(self, name: str, uid: str) -> None:
        self._call("delete_task", name)
        if name in self.tasks and self.tasks[name]["metadata"]["uid"] == uid:
            del self.tasks[name]

    def get_job(self, name: str) -> Manifest | None:
        return copy.deepcopy(self.jobs.get(name))

    def iter_jobs(self) -> Iterator[Manifest]:
        return iter(copy.deepcopy(list(self.jobs.values())))

    def ensure_job(self, manifest: Manifest) -> Manifest:
        name = manifest["metadata"]["name"]
        self._call("ensure_job", name)
        if name not in self.jobs:
            job = copy.deepcopy(manifest)
            job["metadata"] |= {"uid": f"uid-of-{name}", "creationTimestamp": manifest_moment()}
            job["status"] = {}
            self.jobs[name] = job
        return self._stored(self.jobs[name])

    def suspend_job(self, name: str, suspend: bool) -> Manifest | None:
        self._call("suspend_job" if suspend else "resume_job", name)
        if name not in self.jobs:
            return None
        self.jobs[name]["spec"]["suspend"] = suspend
        return self._stored(self.jobs[name])

    def resize_job(self, name: str, workers: int) -> Manifest | None:
        self._call("resize_job", name)
        if name not in self.jobs:
            return None
        self.jobs[name]["spec"] |= {"parallelism": workers, "completions": workers}
        return self._stored(self.jobs[name])

    def delete_job(self, name: str, uid: str) -> None:
        self._call("delete_job", name)
        if name in self.jobs and self.jobs[name]["metadata"]["uid"] == uid:
            self.jobs[name]["metadata"]["deletionTimestamp"] = manifest_moment()
            self._stored(self.jobs[name])

    def iter_workloads(self, job_uid: str) -> Iterator[Manifest]:
        of_job = [
            found
            for found in self.workloads.values()
            if found["metadata"]["labels"]["kueue.x-k8s.io/job-uid"] == job_uid
        ]
        return iter(copy.deepcopy(of_job))

    def activate_workload(self, name: str, active: bool) -> None:
        self._call("activate_workload" if active else "deactivate_workload", name)
        self.workloads[name]["spec"]["active"] = active

    def iter_pods(self, task_id: str | None = None) -> Iterator[Manifest]:
        found = copy.deepcopy(list(self.pods.values()))
        return (pod for pod in found if task_id in (None, pod["metadata"]["labels"][self.id_label]))

    def iter_events(self, uid: str) -> Iterator[Manifest]:
        if "iter_events" in self.refuse:
            raise self.refuse["iter_events"]
        found = copy.deepcopy(list(self.events.values()))
        return (event for event in found if event["involvedObject"]["uid"] == uid)

    def ensure_event(self, manifest: Manifest) -> None:
        if "ensure_event" in self.refuse:
            raise self.refuse["ensure_event"]
        self.events.setdefault(manifest["metadata"]["name"], copy.deepcopy(manifest))

    def read_secret(self, name: str) -> dict[str, bytes] | None:
        return self.secrets.get(name)

    def read_config_map(self, name: str) -> dict[str, bytes] | None:
        found = self.config_maps.get(name)
        return None if found is None else {key: text.encode() for key, text in found.get("data", {}).items()}

    def ensure_config_map(self, manifest: Manifest) -> Manifest:
        self._call("ensure_config_map", manifest["metadata"]["name"])
        return copy.deepcopy(self.config_maps.setdefault(manifest["metadata"]["name"], copy.deepcopy(manifest)))

    def _call(self, call: str, name: str) -> None:
        self.calls.append((call, name))
        if call in self.refuse:
            raise self.refuse[call]

    def _stored(self, manifest: Manifest) -> Manifest:
        self.version += 1
        manifest["metadata"]["resourceVersion"] = str(self.version)
        return copy.deepcopy(manifest)


def manifest_moment() -> str:
    """When fakes create things."""
    return NOW.strftime("%Y-%m-%dT%H:%M:%SZ")


def _merged(target: Any, patch: Manifest) -> Manifest:
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = _merged(merged.get(key), value)
        else:
            merged[key] = value
    return merged


@dataclass
class FakeStore:
    """The state table of every database. ``down`` makes all calls fail, ``lasting`` as if the account were refused."""

    rows: dict[str, StoredProgress] = field(default_factory=dict)
    down: bool = False
    lasting: bool = False
    queries: int = 0

    def open_task(self, connection: Connection, task: TaskDocument) -> "Future[StoredProgress | None]":
        self.queries += 1
        if not self.down:
            self.rows.setdefault(task.task_id, make_progress(Stat.PENDING, task_id=task.task_id))
        return self._answer(self.rows.get(task.task_id))

    def read(self, connection: Connection, schema: str, task_ids: Sequence[str]) -> "Future[dict[str, StoredProgress]]":
        self.queries += 1
        return self._answer({task_id: self.rows[task_id] for task_id in task_ids if task_id in self.rows})

    def end_task(
        self, connection: Connection, schema: str, task_id: str, stat: Stat, message: str
    ) -> "Future[StoredProgress | None]":
        self.queries += 1
        row = self.rows.get(task_id)
        if not self.down and row is not None and not is_final(row.state.stat, row.state.prod_stat):
            self.rows[task_id] = replace(row, state=replace(row.state, stat=stat, error_message=message))
        return self._answer(self.rows.get(task_id))

    def trouble(self, connection: Connection) -> str:
        return ""

    def sweep(self) -> None:
        return

    def _answer(self, value: Any) -> "Future[Any]":
        future: Future[Any] = Future()
        if self.down:
            future.set_exception(DatabaseTrouble("no database answers at db.example:3306", self.lasting))
        else:
            future.set_result(value)
        return future


@dataclass
class Bench:
    """A controller with fakes around it and a clock that stands still until :meth:`wait`."""

    settings: Settings = field(default_factory=make_settings)
    cluster: FakeCluster = field(default_factory=FakeCluster)
    store: FakeStore = field(default_factory=FakeStore)
    now: datetime = NOW
    wanted: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.controller = self.restart()

    def restart(self) -> Controller:
        """Begin with an empty memory, as a new process does."""
        self.wanted.clear()
        self.controller = Controller(self.settings, self.cluster, self.store, self.wanted.add, lambda: self.now)
        return self.controller

    def create(self, manifest: Manifest) -> str:
        """Let somebody create a LabelTask."""
        name: str = manifest["metadata"]["name"]
        self.cluster.tasks[name] = copy.deepcopy(manifest)
        self.controller.mirror.put_task(manifest)
        return name

    def change(self, name: str, **spec: Any) -> None:
        """Let somebody patch a LabelTask's spec."""
        task = self.cluster.tasks[name]
        task["spec"].update(spec)
        self.cluster.version += 1
        task["metadata"]["resourceVersion"] = str(self.cluster.version)
        self.controller.mirror.put_task(task)

    def put_job(self, manifest: Manifest) -> None:
        """Let the Job controller change a Job."""
        self.cluster.version += 1
        job = copy.deepcopy(manifest)
        job["metadata"]["resourceVersion"] = str(self.cluster.version)
        self.cluster.jobs[job["metadata"]["name"]] = job
        self.controller.mirror.put_job(job)

    def remove_job(self, name: str) -> None:
        """Let a Job be gone."""
        self.controller.mirror.remove_job(self.cluster.jobs.pop(name))

    def put_pod(self, manifest: Manifest) -> None:
        """Let the kubelet change a pod."""
        self.cluster.version += 1
        pod = copy.deepcopy(manifest)
        pod["metadata"]["resourceVersion"] = str(self.cluster.version)
        self.cluster.pods[pod["metadata"]["name"]] = pod
        self.controller.mirror.put_pod(pod)

    def remove_pod(self, name: str) -> None:
        """Let a pod be gone."""
        self.controller.mirror.remove_pod(self.cluster.pods.pop(name))

    def delete(self, name: str) -> None:
        """Let somebody delete a LabelTask."""
        self.controller.mirror.remove_task(self.cluster.tasks.pop(name))

    def started(self) -> str:
        """Let there be a task whose worker runs and has read 250 of 1,000 rows; return its name."""
        name = self.create(make_labeltask().manifest)
        self.look(name)
        self.put_pod(make_pod())
        self.store.rows[TASK_ID] = make_progress(Stat.STARTED, rows=(250, 20, 1000), heartbeat_age=1)
        self.controller.poll()
        self.look(name)
        return name

    def look(self, name: str, times: int = 1) -> float | None:
        """Reconcile, as often as told; return the last answer."""
        again = None
        for _ in range(times):
            again = self.controller.reconcile(name)
        return again

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def status(self, name: str) -> Manifest:
        """The status as it stands in the cluster."""
        found: Manifest = self.cluster.tasks[name].get("status") or {}
        return found

    def condition(self, name: str, kind: str) -> Manifest:
        """One condition of it."""
        return next((found for found in self.status(name).get("conditions", []) if found["type"] == kind), {})


@dataclass
class DumpBench:
    """A dump controller with a fake cluster and a clock that stands still until told."""

    settings: Settings = field(default_factory=make_settings)
    cluster: FakeCluster = field(default_factory=lambda: FakeCluster(id_label=DUMP_ID_LABEL))
    now: datetime = NOW
    wanted: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.controller = self.restart()

    def restart(self) -> DumpController:
        """Begin with an empty memory, as a new process does."""
        self.wanted.clear()
        self.controller = DumpController(self.settings, self.cluster, self.wanted.add, lambda: self.now)
        self.controller.start()
        return self.controller

    def put(self, held: dict[str, Manifest], manifest: Manifest) -> str:
        """Let an object be as ``manifest`` says."""
        self.cluster.version += 1
        changed = copy.deepcopy(manifest)
        changed["metadata"]["resourceVersion"] = str(self.cluster.version)
        held[changed["metadata"]["name"]] = changed
        self.controller.resync()
        name: str = changed["metadata"]["name"]
        return name

    def look(self, name: str, times: int = 1) -> float | None:
        """Reconcile, as often as told; return the last answer."""
        again = None
        for _ in range(times):
            again = self.controller.reconcile(name)
        return again

    def status(self, name: str) -> Manifest:
        """The status as it stands in the cluster."""
        found: Manifest = self.cluster.tasks[name].get("status") or {}
        return found
