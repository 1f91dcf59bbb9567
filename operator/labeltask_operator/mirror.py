"""The operator's picture of the cluster: every LabelTask (or LabelDump), its Job and its pods, in memory.

Input: watch events, own writes, and full lists from time to time. Output: views by task, without asking the API server.
An object never goes back to an older version, and a deleted one does not come back by a list that was older.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, TypeVar

from labeltask_contract.names import LABEL_DUMP, LABEL_TASK, ResourceKind, dump_job_name, job_name
from labeltask_operator.dump_view import DumpView
from labeltask_operator.job_views import JobView, PodView
from labeltask_operator.views import ObjectView, TaskView, View

_REMEMBERED_DELETIONS = 20_000


Held = TypeVar("Held", bound=View)
Owner = TypeVar("Owner", bound=ObjectView)


class ObjectMirror(Generic[Owner]):
    """The objects of one kind ("tasks"), their Jobs and their pods; every method may be called from any thread."""

    def __init__(
        self, kind: ResourceKind, view_of: Callable[[Mapping[str, Any]], Owner], job_name_of: Callable[[str], str]
    ) -> None:
        self._id_label = kind.id_label
        self._view_of = view_of
        self._job_name_of = job_name_of
        self._lock = threading.RLock()
        self._tasks: dict[str, Owner] = {}
        self._names: dict[str, str] = {}
        self._jobs: dict[str, JobView] = {}
        self._pods: dict[str, dict[str, PodView]] = {}
        self._deleted: OrderedDict[str, None] = OrderedDict()
        self._heard: dict[str, int] = {}
        self._heard_at = time.monotonic()
        self._unheard: dict[str, float] = {}

    def task(self, name: str) -> Owner | None:
        """Return the task of that name."""
        with self._lock:
            return self._tasks.get(name)

    def tasks(self) -> list[Owner]:
        """Return all tasks."""
        with self._lock:
            return list(self._tasks.values())

    def job(self, task_id: str) -> JobView | None:
        """Return the Job that bears the task's Job name, whoever owns it."""
        with self._lock:
            return self._jobs.get(self._job_name_of(task_id))

    def pods(self, task_id: str) -> tuple[PodView, ...]:
        """Return the task's pods, oldest first."""
        with self._lock:
            return tuple(sorted(self._pods.get(task_id, {}).values(), key=lambda pod: (pod.created, pod.name)))

    def put_task(self, body: Mapping[str, Any]) -> str:
        """Take over a task; return its key."""
        view = self._view_of(body)
        with self._lock:
            if self._is_news(self._tasks.get(view.name), view):
                self._tasks[view.name] = view
                self._names[view.task_id] = view.name
        return view.name

    def put_job(self, body: Mapping[str, Any]) -> str | None:
        """Take over a Job; return the key of its task, if it is known."""
        view = JobView.of(body)
        with self._lock:
            if self._is_news(self._jobs.get(view.name), view):
                self._jobs[view.name] = view
            return self._key_of(body)

    def put_pod(self, body: Mapping[str, Any]) -> str | None:
        """Take over a pod; return the key of its task, if it is known."""
        view = PodView.of(body)
        with self._lock:
            task_id = self._id_of(body)
            if task_id is not None:
                pods = self._pods.setdefault(task_id, {})
                if self._is_news(pods.get(view.name), view):
                    pods[view.name] = view
            return self._key_of(body)

    def remove_task(self, body: Mapping[str, Any]) -> str:
        """Forget a deleted task; return its key."""
        with self._lock:
            name = str(body["metadata"]["name"])
            self._forget(self._tasks, name, str(body["metadata"]["uid"]))
            return name

    def remove_job(self, body: Mapping[str, Any]) -> str | None:
        """Forget a deleted Job; return the key of its task, if it is known."""
        with self._lock:
            self._forget(self._jobs, str(body["metadata"]["name"]), str(body["metadata"]["uid"]))
            return self._key_of(body)

    def remove_pod(self, body: Mapping[str, Any]) -> str | None:
        """Forget a deleted pod; return the key of its task, if it is known."""
        with self._lock:
            task_id = self._id_of(body) or ""
            self._forget(self._pods.get(task_id, {}), str(body["metadata"]["name"]), str(body["metadata"]["uid"]))
            if not self._pods.get(task_id):
                self._pods.pop(task_id, None)
            return self._key_of(body)

    def hear(self, body: Mapping[str, Any]) -> None:
        """Note that the watch itself told of this version of an object."""
        with self._lock:
            uid = str(body["metadata"]["uid"])
            self._heard[uid] = _version(body)
            self._heard_at = time.monotonic()
            self._unheard.pop(uid, None)

    def watch_lag_seconds(self) -> float:
        """How long the oldest change is known that only a list has told, no watch."""
        with self._lock:
            now = time.monotonic()
            return now - min(self._unheard.values(), default=now)

    def watch_age_seconds(self) -> float:
        """How long ago the watch told anything at all. In a quiet namespace that may be long."""
        with self._lock:
            return time.monotonic() - self._heard_at

    def resync_tasks(self, fetch: Callable[[], Iterable[Mapping[str, Any]]]) -> set[str]:
        """Make the tasks those that ``fetch`` lists; return the keys of those that changed."""
        return self._resync(fetch, lambda: list(self._tasks.values()), self.put_task, self.remove_task)

    def resync_jobs(self, fetch: Callable[[], Iterable[Mapping[str, Any]]]) -> set[str]:
        """Make the Jobs those that ``fetch`` lists; return the keys of the tasks whose Job changed."""
        return self._resync(fetch, lambda: list(self._jobs.values()), self.put_job, self.remove_job)

    def resync_pods(self, fetch: Callable[[], Iterable[Mapping[str, Any]]]) -> set[str]:
        """Make the pods those that ``fetch`` lists; return the keys of the tasks whose pods changed."""

        def held() -> list[PodView]:
            return [pod for pods in self._pods.values() for pod in pods.values()]

        return self._resync(fetch, held, self.put_pod, self.remove_pod)

    def _resync(
        self,
        fetch: Callable[[], Iterable[Mapping[str, Any]]],
        held: Callable[[], list[Held]],
        put: Callable[[Mapping[str, Any]], str | None],
        remove: Callable[[Mapping[str, Any]], str | None],
    ) -> set[str]:
        # What was known before the list was taken and is not in it is gone; what came meanwhile is not touched.
        with self._lock:
            before = {str(view.body["metadata"]["uid"]): view for view in held()}
        changed: set[str | None] = set()
        listed: set[str] = set()
        for body in fetch():
            uid = str(body["metadata"]["uid"])
            listed.add(uid)
            known = before.get(uid)
            if known is None or _version(known.body) != _version(body):
                changed.add(put(body))
                with self._lock:
                    # The watch may have told it while the list was on its way.
                    if self._heard.get(uid, -1) < _version(body):
                        self._unheard.setdefault(uid, time.monotonic())
        for uid, view in before.items():
            if uid not in listed:
                changed.add(remove(view.body))
        return {key for key in changed if key is not None}

    def _is_news(self, known: Held | None, view: Held) -> bool:
        uid = str(view.body["metadata"]["uid"])
        if uid in self._deleted:
            return False
        if known is None or str(known.body["metadata"]["uid"]) != uid:
            return True
        return _version(view.body) >= _version(known.body)

    def _forget(self, held: dict[str, Held], name: str, uid: str) -> None:
        self._unheard.pop(uid, None)
        self._heard.pop(uid, None)
        self._deleted[uid] = None
        while len(self._deleted) > _REMEMBERED_DELETIONS:
            self._deleted.popitem(last=False)
        known = held.get(name)
        if known is None or str(known.body["metadata"]["uid"]) != uid:
            return
        del held[name]
        if isinstance(known, ObjectView) and self._names.get(known.task_id) == name:
            del self._names[known.task_id]

    def _key_of(self, body: Mapping[str, Any]) -> str | None:
        return self._names.get(self._id_of(body) or "")

    def _id_of(self, body: Mapping[str, Any]) -> str | None:
        found = (body["metadata"].get("labels") or {}).get(self._id_label)
        return None if found is None else str(found)


class Mirror(ObjectMirror[TaskView]):
    """LabelTasks."""

    def __init__(self) -> None:
        super().__init__(LABEL_TASK, TaskView.of, job_name)


class DumpMirror(ObjectMirror[DumpView]):
    """LabelDumps."""

    def __init__(self) -> None:
        super().__init__(LABEL_DUMP, DumpView.of, dump_job_name)


def _version(body: Mapping[str, Any]) -> int:
    # Comparable as numbers: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
    text = str(body["metadata"].get("resourceVersion", "0"))
    return int(text) if text.isdigit() else 0
