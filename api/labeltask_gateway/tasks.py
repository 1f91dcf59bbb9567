"""What the gateway does with tasks: create, find, list, abort. HTTP is before it, Kubernetes and MySQL are behind it.

Stateless; every method may run in many threads and replicas at once.
"""

import uuid

import structlog

from labeltask_contract.errors import LabelTaskError
from labeltask_contract.names import is_task_id
from labeltask_gateway.cluster import Cluster
from labeltask_gateway.errors import NoSuchTask, TaskEnded
from labeltask_gateway.manifests import build_label_task, build_secret
from labeltask_gateway.observed_task import ObservedTask, read_label_task
from labeltask_gateway.requests import CreateRequest
from labeltask_gateway.responses import Created, TaskView, created, view_of_label_task, view_of_state_row
from labeltask_gateway.store import History

_log = structlog.stdlib.get_logger(__name__)


class Tasks:
    """The tasks of one namespace."""

    def __init__(self, cluster: Cluster, history: History) -> None:
        self._cluster = cluster
        self._history = history

    def create(self, request: CreateRequest) -> Created:
        """Have a LabelTask with its Secret, or neither.

        The LabelTask comes first, because the Secret's owner reference needs its uid; the operator waits for the
        Secret. A gateway that dies between the two leaves a task that fails by itself and no credential.
        """
        task_id = uuid.uuid4().hex
        try:
            uid = self._cluster.create_label_task(build_label_task(task_id, request))
            self._cluster.create_secret(build_secret(task_id, uid, request))
        except LabelTaskError:
            # Also after a failed create_label_task: a call that timed out may have succeeded.
            self._take_back(task_id)
            raise
        _log.info("task_created", task_id=task_id, queue=request.spec.queue, model_type=request.spec.model_type)
        return created(task_id, request)

    def _take_back(self, task_id: str) -> None:
        try:
            self._cluster.delete_label_task(task_id)
        except LabelTaskError:
            # The operator ends a task without its Secret after a minute.
            _log.warning("half_created_task_left", task_id=task_id)

    def find(self, task_id: str) -> TaskView:
        """Return what is known of the task, from the cluster or, when it is gone there, from the history.

        :raises NoSuchTask: when neither knows it.
        """
        task = self._observe(task_id)
        if task is not None:
            return view_of_label_task(task)
        row = self._history.find(task_id) if is_task_id(task_id) else None
        if row is None:
            raise NoSuchTask(_shown(task_id))
        return view_of_state_row(row)

    def recent(self, limit: int) -> tuple[TaskView, ...]:
        """Return the ``limit`` youngest tasks in the cluster, youngest first."""
        found = self._cluster.recent_label_tasks(limit)
        return tuple(view_of_label_task(read_label_task(manifest)) for manifest in found)

    def abort(self, task_id: str) -> str:
        """Have the task's ``spec.abort`` stored; the operator stops the pods. Aborting twice is aborting once.

        :raises NoSuchTask: when nobody knows the task.
        :raises TaskEnded: when it is over already.
        """
        task = self._observe(task_id)
        if task is None:
            row = self._history.find(task_id) if is_task_id(task_id) else None
            if row is not None and row.is_final:
                raise TaskEnded(task_id, str(row.stat))
            raise NoSuchTask(_shown(task_id))
        if task.is_final:
            raise TaskEnded(task_id, task.stat)
        if not task.spec.abort and not self._cluster.request_abort(task.name):
            raise NoSuchTask(task_id)
        _log.info("abort_requested", task_id=task_id)
        return f"successfully send break status to task {task_id} in state"

    def _observe(self, task_id: str) -> ObservedTask | None:
        # Anything else can't be a task's id, nor safely part of an URL or selector.
        manifest = self._cluster.find_label_task(task_id) if is_task_id(task_id) else None
        return None if manifest is None else read_label_task(manifest)


def _shown(task_id: str) -> str:
    return task_id if is_task_id(task_id) else "of this id; an id is 32 hexadecimal digits, 0-9 and a-f"
