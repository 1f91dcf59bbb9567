"""What the gateway does with dumps: create, find, abort. As ``tasks.py`` is for tasks; stateless too."""

import uuid

import structlog

from labeltask_contract.dump_status import DumpPhase
from labeltask_contract.errors import Problem, pointer
from labeltask_contract.names import LABEL_DUMP
from labeltask_gateway.accounts import Accounts
from labeltask_gateway.auth import Caller
from labeltask_gateway.cluster import Cluster
from labeltask_gateway.creation import Creation
from labeltask_gateway.dump_requests import DumpRequest
from labeltask_gateway.dump_responses import CreatedDump, DumpView
from labeltask_gateway.dump_views import ObservedDump, read_label_dump, view_of_created_dump, view_of_label_dump
from labeltask_gateway.errors import DumpEnded, NoSuchDump, TasksNotFinished
from labeltask_gateway.idempotency import Once
from labeltask_gateway.manifests import order_dump
from labeltask_gateway.samples import Tables
from labeltask_store.finished_tasks import unfinished_tasks

_FINAL = (DumpPhase.SUCCEEDED, DumpPhase.FAILED)

_log = structlog.stdlib.get_logger(__name__)


class Dumps:
    """The dumps of one namespace, by the name of their LabelDump."""

    def __init__(self, cluster: Cluster, accounts: Accounts, tables: Tables) -> None:
        self._cluster = cluster
        self._accounts = accounts
        self._tables = tables
        self._creation = Creation(cluster)

    def create(self, request: DumpRequest, caller: Caller, once: Once | None = None) -> CreatedDump:
        """Have a LabelDump of tasks that are finished; the worker checks them again.

        :raises TasksNotFinished: naming each task that is not. Nothing was created.
        :raises KeyReused: when the Idempotency-Key stands for another request.
        """
        self._check_finished(request)
        dump_id = once.name if once is not None else uuid.uuid4().hex
        order = order_dump(dump_id, request, caller.name)
        if once is not None:
            self._creation.create_once(order, once.fingerprint)
        else:
            self._creation.create(order)
        return view_of_created_dump(dump_id, request)

    def find(self, dump_id: str) -> DumpView:
        """Return what the LabelDump says.

        :raises NoSuchDump: when there is none.
        """
        dump = self._look(dump_id)
        if dump is None:
            raise NoSuchDump(dump_id)
        return view_of_label_dump(dump)

    def abort(self, dump_id: str, caller: Caller) -> str:
        """Have ``spec.abort`` stored; the operator stops the pod. Aborting twice is aborting once.

        :raises Forbidden: when the caller may not; whether there is one stays untold then.
        :raises NoSuchDump: when there is none.
        :raises DumpEnded: when it is over already.
        """
        dump = self._look(dump_id)
        caller.require_over("" if dump is None else dump.created_by, "patch", LABEL_DUMP)
        if dump is None:
            raise NoSuchDump(dump_id)
        if dump.status.phase in _FINAL:
            raise DumpEnded(dump_id, dump.status.phase)
        if not dump.abort and not self._cluster.patch_spec(LABEL_DUMP, dump_id, {"abort": True}):
            raise NoSuchDump(dump_id)
        _log.info("dump_abort_requested", dump_id=dump_id)
        return f"dump {dump_id} is being aborted; dump tables that were swapped in by now stay"

    def _look(self, dump_id: str) -> ObservedDump | None:
        manifest = self._cluster.find(LABEL_DUMP, dump_id)
        return None if manifest is None else read_label_dump(manifest)

    def _check_finished(self, request: DumpRequest) -> None:
        account = self._accounts.of_request(request.connection, request.site)
        spec = request.spec
        rows = self._tables.states(account, spec.output.schema_, spec.task_ids)
        unfinished = unfinished_tasks(spec.task_ids, rows)
        if unfinished:
            place = f"{spec.output.schema_}.state"
            raise TasksNotFinished(
                [
                    Problem(
                        pointer("TASK_IDS", spec.task_ids.index(task_id)),
                        f"task {task_id} has no prod_stat finish in {place} ({known}); wait for it or leave it out",
                    )
                    for task_id, known in unfinished.items()
                ]
            )
