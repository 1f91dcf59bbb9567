"""What the gateway does with tasks: create, find, list, sample, abort, suspend, resume, delete.

HTTP is before it, Kubernetes and MySQL are behind it. Stateless; every method may run in many threads and replicas at
once.
"""

import uuid
from dataclasses import replace

import structlog

from labeltask_contract.errors import LabelTaskError
from labeltask_contract.names import LABEL_TASK, is_task_id
from labeltask_gateway.accounts import Accounts
from labeltask_gateway.auth import Caller, Verb
from labeltask_gateway.cluster import Cluster
from labeltask_gateway.creation import Creation
from labeltask_gateway.errors import NoAccount, NoSuchTask, TaskEnded
from labeltask_gateway.idempotency import Once
from labeltask_gateway.manifests import order_task
from labeltask_gateway.observed_task import ObservedTask, read_label_task
from labeltask_gateway.recent import Place, Wanted, facts_of
from labeltask_gateway.requests import CreateRequest
from labeltask_gateway.responses import Created, TaskView
from labeltask_gateway.samples import Tables
from labeltask_gateway.store import History
from labeltask_gateway.views import created, view_of_label_task, view_of_state_row
from labeltask_store.result_tables import ResultRow

_log = structlog.stdlib.get_logger(__name__)


class Tasks:
    """The tasks of one namespace. ``history_schemas`` are where a task that is gone from the cluster is sampled."""

    def __init__(
        self,
        cluster: Cluster,
        history: History,
        accounts: Accounts,
        tables: Tables,
        history_schemas: tuple[str, ...] = (),
    ) -> None:
        self._cluster = cluster
        self._history = history
        self._accounts = accounts
        self._tables = tables
        self._history_schemas = history_schemas
        self._creation = Creation(cluster, lambda task_id: history.find(task_id) is not None)

    def create(self, request: CreateRequest, caller: Caller, once: Once | None = None) -> tuple[Created, bool]:
        """Have a LabelTask; return the answer to create, and whether an equal request with its key made it before.

        :raises KeyReused: when the key stands for another request, or for a task that is gone from the cluster.
        """
        task_id = once.name if once is not None else uuid.uuid4().hex
        order = order_task(task_id, request, caller.name)
        repeated = False
        if once is not None:
            repeated = self._creation.create_once(order, once.fingerprint)
        else:
            self._creation.create(order)
        return created(task_id, request), repeated

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

    def recent(self, wanted: Wanted) -> tuple[tuple[TaskView, ...], Place | None]:
        """Return a page of the tasks in the cluster, youngest first, and the place it ends at when more follow."""
        # One more than asked for tells whether there is a next page.
        found = self._cluster.recent_label_tasks(replace(wanted, limit=wanted.limit + 1))
        shown = found[: wanted.limit]
        views = tuple(view_of_label_task(read_label_task(manifest)) for manifest in shown)
        return views, facts_of(shown[-1]).place if len(found) > wanted.limit else None

    def sample(self, task_id: str, size: int) -> list[ResultRow]:
        """Return at most ``size`` random rows of each result table of the task; none when it wrote none yet.

        :raises NoSuchTask: when nobody knows the task.
        """
        task = self._observe(task_id)
        if task is not None:
            if task.spec is None:
                raise NoAccount("the task's settings are malformed, so it has no rows; check_status says what is wrong")
            account = self._accounts.of(task.spec.connection_from)
            return self._tables.sample(account, (task.spec.output.schema_,), task_id, size) or []
        if not self._history_schemas:
            raise NoSuchTask(task_id)
        found = self._tables.sample(self._accounts.of(None), self._history_schemas, task_id, size)
        if found is None:
            raise NoSuchTask(task_id)
        return found

    def estimate(self, request: CreateRequest) -> tuple[int | None, str]:
        """Return the database's guess of how many rows a request would read, and in words where it comes from."""
        try:
            account = self._accounts.of_request(request.connection, request.site)
            rows = self._tables.estimate(account, request.spec)
        except LabelTaskError as error:
            return None, f"no estimate: {error}"
        return rows, "the optimizer's guess by EXPLAIN, from the index over post_time; no row was read"

    def abort(self, task_id: str, caller: Caller) -> str:
        """Have the task's ``spec.abort`` stored; the operator stops the pods. Aborting twice is aborting once.

        :raises Forbidden: when the caller may not; whether there is such a task stays untold then.
        :raises NoSuchTask: when nobody knows the task.
        :raises TaskEnded: when it is over already.
        """
        task = self._observe_for(caller, "patch", task_id)
        if task is None:
            row = self._history.find(task_id) if is_task_id(task_id) else None
            if row is not None and row.is_final:
                raise TaskEnded(task_id, str(row.stat))
            raise NoSuchTask(_shown(task_id))
        if task.is_final:
            raise TaskEnded(task_id, task.stat)
        if not task.abort and not self._cluster.patch_spec(LABEL_TASK, task.name, {"abort": True}):
            raise NoSuchTask(task_id)
        _log.info("abort_requested", task_id=task_id)
        return f"successfully send break status to task {task_id} in state"

    def suspend(self, task_id: str, caller: Caller, *, suspend: bool) -> str:
        """Have ``spec.suspend`` stored; the operator stops the pods or starts them again. Repeating changes nothing.

        :raises Forbidden: as :meth:`abort`.
        :raises NoSuchTask: when no task in the cluster has this id.
        :raises TaskEnded: when it is over already.
        """
        task = self._observe_for(caller, "patch", task_id)
        if task is None:
            raise NoSuchTask(task_id)
        if task.is_final or task.abort:
            raise TaskEnded(task_id, "BREAK" if task.abort else task.stat)
        if task.suspend != suspend and not self._cluster.patch_spec(LABEL_TASK, task.name, {"suspend": suspend}):
            raise NoSuchTask(task_id)
        _log.info("suspend_requested" if suspend else "resume_requested", task_id=task_id)
        return f"task {task_id} is being {'suspended' if suspend else 'resumed'}"

    def delete(self, task_id: str, caller: Caller) -> str:
        """Have the LabelTask gone, its Job, pods and Secret with it; rows in the database stay.

        :raises Forbidden: as :meth:`abort`.
        :raises NoSuchTask: when no task in the cluster has this id.
        """
        task = self._observe_for(caller, "delete", task_id)
        if task is None:
            raise NoSuchTask(task_id)
        self._cluster.delete(LABEL_TASK, task.name)
        _log.info("delete_requested", task_id=task_id)
        return f"task {task_id} is being deleted from the cluster; its rows in the database stay"

    def _observe_for(self, caller: Caller, verb: Verb, task_id: str) -> ObservedTask | None:
        task = self._observe(task_id)
        caller.require_over("" if task is None else task.created_by, verb)
        return task

    def _observe(self, task_id: str) -> ObservedTask | None:
        # Anything else can't be a task's id, nor safely part of an URL or selector.
        manifest = self._cluster.find_label_task(task_id) if is_task_id(task_id) else None
        return None if manifest is None else read_label_task(manifest)


def _shown(task_id: str) -> str:
    return task_id if is_task_id(task_id) else "of this id; an id is 32 hexadecimal digits, 0-9 and a-f"
