"""kopf's side of the operator, and the only module with its decorators: unpack, pass on. No decision is made here.

Input: watch events of LabelTasks, LabelDumps, Jobs and pods. Output: changes of the mirrors, keys in the work queues.
Only ``on.event`` is used: kopf's create, update and delete handlers would put annotations and finalizers on objects.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import kopf
import structlog
from prometheus_client import start_http_server

from labeltask_contract.names import (
    GROUP,
    LABEL_DUMP,
    LABEL_TASK,
    MANAGED_BY_LABEL,
    MANAGER,
    VERSION,
    ResourceKind,
)
from labeltask_operator.cluster import connect_cluster
from labeltask_operator.controller import Controller
from labeltask_operator.dump_controller import DumpController
from labeltask_operator.engine import Engine
from labeltask_operator.metrics import Metrics
from labeltask_operator.settings import Settings
from labeltask_operator.state_store import MySqlStateStore

_log = structlog.get_logger(__name__)
Event = Mapping[str, Any]
_DUMP_THREADS = 2


def configure_kopf(settings: kopf.OperatorSettings) -> None:
    """Let kopf watch and nothing else."""
    settings.scanning.disabled = True  # it would need rights in the whole cluster
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.watching.connect_timeout = 5
    # Beside many objects the start's list makes a worker each, which holds the whole object until it has been idle so
    # long.
    settings.queueing.idle_timeout = 0.5
    settings.watching.server_timeout = 300
    # The API server sends a bookmark each minute: a stream silent for longer is dead and is opened again.
    # https://kubernetes.io/docs/reference/using-api/api-concepts/#watch-bookmarks
    settings.watching.inactivity_timeout = 150
    ours = f"{MANAGED_BY_LABEL}={MANAGER}"
    settings.watching.label_selectors["batch", "v1", "jobs"] = ours
    settings.watching.label_selectors["", "v1", "pods"] = ours


@kopf.on.startup(errors=kopf.ErrorsMode.PERMANENT)
async def start(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    """Read what is there, then begin to serve: nothing new starts before it is known what runs."""
    configure_kopf(settings)
    own: Settings = memo.settings
    cluster = await asyncio.to_thread(
        connect_cluster, own.namespace, own.api_timeout_seconds, own.reconcile_threads + 2
    )
    metrics = Metrics()
    dumps = cluster.of_kind(LABEL_DUMP)
    memo.engine = Engine(
        LABEL_TASK,
        own,
        lambda enqueue: Controller(own, cluster, MySqlStateStore(), enqueue, metrics=metrics),
        ThreadPoolExecutor(own.reconcile_threads, thread_name_prefix="reconcile"),
        metrics,
    )
    memo.dumps = Engine(
        LABEL_DUMP,
        own,
        lambda enqueue: DumpController(own, dumps, enqueue, metrics=metrics),
        ThreadPoolExecutor(_DUMP_THREADS, thread_name_prefix="reconcile-dump"),
        metrics,
    )
    metrics.watch(lambda: (memo.engine.held(), memo.dumps.held()))
    memo.metrics_server = start_http_server(own.metrics_port, registry=metrics.registry)[0]
    await memo.engine.start()
    # Not waited for: where LabelDump's CRD is not installed (yet), tasks are served all the same.
    memo.dumps_start = asyncio.create_task(memo.dumps.start(), name="start-dumps")


@kopf.on.cleanup()
async def stop(memo: kopf.Memo, **_: Any) -> None:
    """Stop serving; what is under way is finished by the next start."""
    with contextlib.suppress(AttributeError):  # the start itself may have failed
        await memo.engine.stop()
        memo.dumps_start.cancel()
        await memo.dumps.stop()
        memo.metrics_server.shutdown()


def serve(kind: ResourceKind, engine_of: Callable[[kopf.Memo], Engine[Any]]) -> None:
    """Pass on what happens to the objects of one kind, to their Jobs and to their pods."""
    ours = {kind.id_label: kopf.PRESENT}

    @kopf.on.event(GROUP, VERSION, kind.plural, id=kind.singular)
    async def object_event(event: Event, memo: kopf.Memo, **_: Any) -> None:
        engine = engine_of(memo)
        mirror = engine.controller.mirror
        _pass_on(event, engine, mirror.put_task, mirror.remove_task)

    @kopf.on.event("batch", "v1", "jobs", labels=ours, id=f"{kind.singular}-job")
    async def job_event(event: Event, memo: kopf.Memo, **_: Any) -> None:
        engine = engine_of(memo)
        mirror = engine.controller.mirror
        _pass_on(event, engine, mirror.put_job, mirror.remove_job)

    @kopf.on.event("", "v1", "pods", labels=ours, id=f"{kind.singular}-pod")
    async def pod_event(event: Event, memo: kopf.Memo, **_: Any) -> None:
        engine = engine_of(memo)
        mirror = engine.controller.mirror
        _pass_on(event, engine, mirror.put_pod, mirror.remove_pod)


serve(LABEL_TASK, lambda memo: memo.engine)
serve(LABEL_DUMP, lambda memo: memo.dumps)


@kopf.on.probe(id="engine")
async def probe(memo: kopf.Memo, **_: Any) -> str:
    """Fail, and so have the pod restarted, when work or watching stands still."""
    trouble: str = memo.engine.trouble() or memo.dumps.trouble()
    if trouble:
        raise kopf.PermanentError(trouble)
    return "ok"


def _pass_on(
    event: Event,
    engine: Engine[Any],
    put: Callable[[Mapping[str, Any]], str | None],
    remove: Callable[[Mapping[str, Any]], str | None],
) -> None:
    body = event["object"]
    engine.controller.mirror.hear(body)
    key = remove(body) if event["type"] == "DELETED" else put(body)
    if key is not None:
        engine.queue.add(key)
