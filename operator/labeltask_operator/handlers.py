"""kopf's side of the operator, and the only module with its decorators: unpack, pass on. No decision is made here.

Input: watch events of LabelTasks, LabelDumps, Jobs and pods. Output: changes of the mirrors, keys in the work queues.
Only ``on.event`` is used: kopf's create, update and delete handlers would put annotations and finalizers on objects.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import kopf
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
from labeltask_operator.cluster import connect_clusters
from labeltask_operator.engine import Engine
from labeltask_operator.metrics import Metrics
from labeltask_operator.namespaces import Namespaces
from labeltask_operator.settings import Settings
from labeltask_operator.state_store import MySqlStateStore

Event = Mapping[str, Any]


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
    clusters = await asyncio.to_thread(
        connect_clusters, own.namespaces, own.api_timeout_seconds, own.reconcile_threads + 2
    )
    dump_clusters = [cluster.of_kind(LABEL_DUMP) for cluster in clusters]
    metrics = Metrics()
    memo.namespaces = Namespaces(own, clusters, dump_clusters, MySqlStateStore(), metrics)
    memo.metrics_server = start_http_server(own.metrics_port, registry=metrics.registry)[0]
    await memo.namespaces.start()


@kopf.on.cleanup()
async def stop(memo: kopf.Memo, **_: Any) -> None:
    """Stop serving; what is under way is finished by the next start."""
    with contextlib.suppress(AttributeError):  # the start itself may have failed
        await memo.namespaces.stop()
        memo.metrics_server.shutdown()


def serve(kind: ResourceKind, engines_of: Callable[[Namespaces], Mapping[str, Engine[Any]]]) -> None:
    """Pass on what happens to the objects of one kind, to their Jobs and to their pods."""
    ours = {kind.id_label: kopf.PRESENT}

    def engine_for(event: Event, memo: kopf.Memo) -> Engine[Any]:
        return engines_of(memo.namespaces)[event["object"]["metadata"]["namespace"]]

    @kopf.on.event(GROUP, VERSION, kind.plural, id=kind.singular)
    async def object_event(event: Event, memo: kopf.Memo, **_: Any) -> None:
        engine = engine_for(event, memo)
        mirror = engine.controller.mirror
        _pass_on(event, engine, mirror.put_task, mirror.remove_task)

    @kopf.on.event("batch", "v1", "jobs", labels=ours, id=f"{kind.singular}-job")
    async def job_event(event: Event, memo: kopf.Memo, **_: Any) -> None:
        engine = engine_for(event, memo)
        mirror = engine.controller.mirror
        _pass_on(event, engine, mirror.put_job, mirror.remove_job)

    @kopf.on.event("", "v1", "pods", labels=ours, id=f"{kind.singular}-pod")
    async def pod_event(event: Event, memo: kopf.Memo, **_: Any) -> None:
        engine = engine_for(event, memo)
        mirror = engine.controller.mirror
        _pass_on(event, engine, mirror.put_pod, mirror.remove_pod)


serve(LABEL_TASK, lambda namespaces: namespaces.tasks)
serve(LABEL_DUMP, lambda namespaces: namespaces.dumps)


@kopf.on.probe(id="engine")
async def probe(memo: kopf.Memo, **_: Any) -> str:
    """Fail, and so have the pod restarted, when work or watching stands still."""
    trouble: str = memo.namespaces.trouble()
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
