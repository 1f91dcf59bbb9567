"""What the gateway does with tasks: create, find, list, sample, abort, suspend, resume, delete.

HTTP is before it, Kubernetes and MySQL are behind it. Stateless; every method may run in many threads and replicas at
once.
"""

import hmac
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog

from labeltask_contract.connection import load_connection
from labeltask_contract.errors import LabelTaskError
from labeltask_contract.names import CONNECTION_FILE, is_task_id, secret_name
from labeltask_gateway.accounts import Accounts
from labeltask_gateway.cluster import Cluster
from labeltask_gateway.errors import AlreadyThere, KeyReused, NoSuchTask, TaskEnded
from labeltask_gateway.idempotency import FINGERPRINT_ANNOTATION, is_same_password
from labeltask_gateway.manifests import build_label_task, build_secret
from labeltask_gateway.observed_task import ObservedTask, read_label_task
from labeltask_gateway.recent import Place, Wanted, facts_of
from labeltask_gateway.requests import CreateRequest
from labeltask_gateway.responses import Created, TaskView
from labeltask_gateway.samples import Tables
from labeltask_gateway.store import History
from labeltask_gateway.views import created, view_of_label_task, view_of_state_row
from labeltask_store.result_tables import ResultRow

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True)
class Once:
    """What an Idempotency-Key makes of a request: the id of its one task, and what equal requests share."""

    task_id: str
    fingerprint: str


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

    def create_once(self, request: CreateRequest, once: Once) -> tuple[Created, bool]:
        """Have the one task of an Idempotency-Key; return the answer to create and whether it was there before.

        Whoever creates the LabelTask first has made it; everybody else compares. Nothing is taken back when a step
        fails: another request with this key may already have been told of the task, and the next one completes it.

        :raises KeyReused: when the key stands for another request, or for a task that is gone from the cluster.
        """
        known = self._cluster.find_label_task(once.task_id)
        if known is None and self._history.find(once.task_id) is not None:
            # An equal request made it between the two looks, and the operator has accepted it; or it is gone, and its
            # row in `state` would pass for the new task's, however different that is.
            known = self._cluster.find_label_task(once.task_id)
            if known is None:
                raise KeyReused(f"belongs to task {once.task_id}, which is gone from the cluster")
        repeated = known is not None
        if known is not None:
            uid = _uid_of_equal(known, once)
        else:
            manifest = build_label_task(once.task_id, request, {FINGERPRINT_ANNOTATION: once.fingerprint})
            try:
                uid = self._cluster.create_label_task(manifest)
            except AlreadyThere:
                repeated = True
                uid = _uid_of_equal(self._cluster.find_label_task(once.task_id), once)
        self._ensure_secret(once.task_id, uid, request)
        if not repeated:
            _log.info("task_created", task_id=once.task_id, queue=request.spec.queue, once=True)
        return created(once.task_id, request), repeated

    def _ensure_secret(self, task_id: str, uid: str, request: CreateRequest) -> None:
        try:
            self._cluster.create_secret(build_secret(task_id, uid, request))
        except AlreadyThere:
            if request.connection is None:
                return
            stored = load_connection(self._cluster.read_secret_key(secret_name(task_id), CONNECTION_FILE))
            if not is_same_password(stored, request.connection):
                raise KeyReused("belongs to a request with another SITE_CONFIG") from None

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
            if request.connection is not None:
                account = self._accounts.pinned(request.connection)
            else:
                account = self._accounts.of_site(request.site)
            rows = self._tables.estimate(account, request.spec)
        except LabelTaskError as error:
            return None, f"no estimate: {error}"
        return rows, "the optimizer's guess by EXPLAIN, from the index over post_time; no row was read"

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
        if not task.spec.abort and not self._cluster.patch_spec(task.name, {"abort": True}):
            raise NoSuchTask(task_id)
        _log.info("abort_requested", task_id=task_id)
        return f"successfully send break status to task {task_id} in state"

    def suspend(self, task_id: str, *, suspend: bool) -> str:
        """Have ``spec.suspend`` stored; the operator stops the pods or starts them again. Repeating changes nothing.

        :raises NoSuchTask: when no task in the cluster has this id.
        :raises TaskEnded: when it is over already.
        """
        task = self._observe(task_id)
        if task is None:
            raise NoSuchTask(task_id)
        if task.is_final or task.spec.abort:
            raise TaskEnded(task_id, "BREAK" if task.spec.abort else task.stat)
        if task.spec.suspend != suspend and not self._cluster.patch_spec(task.name, {"suspend": suspend}):
            raise NoSuchTask(task_id)
        _log.info("suspend_requested" if suspend else "resume_requested", task_id=task_id)
        return f"task {task_id} is being {'suspended' if suspend else 'resumed'}"

    def delete(self, task_id: str) -> str:
        """Have the LabelTask gone, its Job, pods and Secret with it; rows in the database stay.

        :raises NoSuchTask: when no task in the cluster has this id.
        """
        task = self._observe(task_id)
        if task is None:
            raise NoSuchTask(task_id)
        self._cluster.delete_label_task(task.name)
        _log.info("delete_requested", task_id=task_id)
        return f"task {task_id} is being deleted from the cluster; its rows in the database stay"

    def _observe(self, task_id: str) -> ObservedTask | None:
        # Anything else can't be a task's id, nor safely part of an URL or selector.
        manifest = self._cluster.find_label_task(task_id) if is_task_id(task_id) else None
        return None if manifest is None else read_label_task(manifest)


def _uid_of_equal(manifest: Mapping[str, Any] | None, once: Once) -> str:
    if manifest is None:
        # Deleted between the two looks.
        raise AlreadyThere
    stored = (manifest["metadata"].get("annotations") or {}).get(FINGERPRINT_ANNOTATION, "")
    if not hmac.compare_digest(stored, once.fingerprint):
        raise KeyReused("belongs to another request")
    return str(manifest["metadata"]["uid"])


def _shown(task_id: str) -> str:
    return task_id if is_task_id(task_id) else "of this id; an id is 32 hexadecimal digits, 0-9 and a-f"
