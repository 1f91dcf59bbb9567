"""kopf's side of the operator, and the only module with its decorators: unpack, pass on. No decision is made here.

Input: watch events of LabelTasks, Jobs and pods. Output: changes of the mirror, and keys in the work queue. Only
``on.event`` is used: kopf's create, update and delete handlers would put annotations and finalizers on the objects.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import kopf
import structlog

from labeltask_contract.names import GROUP, PLURAL, TASK_ID_LABEL, VERSION
from labeltask_operator.cluster import connect_cluster
from labeltask_operator.controller import Controller
from labeltask_operator.engine import Engine
from labeltask_operator.settings import Settings
from labeltask_operator.state_store import MySqlStateStore

_log = structlog.get_logger(__name__)
Event = Mapping[str, Any]


def configure_kopf(settings: kopf.OperatorSettings) -> None:
    """Let kopf watch and nothing else."""
    settings.scanning.disabled = True  # it would need rights in the whole cluster
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.watching.connect_timeout = 5
    settings.watching.server_timeout = 300
    settings.watching.label_selectors["batch", "v1", "jobs"] = TASK_ID_LABEL
    settings.watching.label_selectors["", "v1", "pods"] = TASK_ID_LABEL


@kopf.on.startup(errors=kopf.ErrorsMode.PERMANENT)
async def start(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    """Read what is there, then begin to serve: nothing new starts before it is known what runs."""
    configure_kopf(settings)
    own: Settings = memo.settings
    cluster = await asyncio.to_thread(
        connect_cluster, own.namespace, own.api_timeout_seconds, own.reconcile_threads + 2
    )
    executor = ThreadPoolExecutor(own.reconcile_threads, thread_name_prefix="reconcile")
    memo.engine = Engine(own, lambda enqueue: Controller(own, cluster, MySqlStateStore(), enqueue), executor)
    await memo.engine.start()


@kopf.on.cleanup()
async def stop(memo: kopf.Memo, **_: Any) -> None:
    """Stop serving; what is under way is finished by the next start."""
    with contextlib.suppress(AttributeError):  # the start itself may have failed
        await memo.engine.stop()


@kopf.on.event(GROUP, VERSION, PLURAL)
async def task_event(event: Event, memo: kopf.Memo, **_: Any) -> None:
    """A LabelTask changed."""
    mirror = memo.engine.controller.mirror
    _pass_on(event, memo, mirror.put_task, mirror.remove_task)


@kopf.on.event("batch", "v1", "jobs", labels={TASK_ID_LABEL: kopf.PRESENT})
async def job_event(event: Event, memo: kopf.Memo, **_: Any) -> None:
    """A worker Job changed."""
    mirror = memo.engine.controller.mirror
    _pass_on(event, memo, mirror.put_job, mirror.remove_job)


@kopf.on.event("", "v1", "pods", labels={TASK_ID_LABEL: kopf.PRESENT})
async def pod_event(event: Event, memo: kopf.Memo, **_: Any) -> None:
    """A worker pod changed."""
    mirror = memo.engine.controller.mirror
    _pass_on(event, memo, mirror.put_pod, mirror.remove_pod)


@kopf.on.probe(id="engine")
async def probe(memo: kopf.Memo, **_: Any) -> str:
    """Fail, and so have the pod restarted, when work or watching stands still."""
    trouble: str = memo.engine.trouble()
    if trouble:
        raise kopf.PermanentError(trouble)
    return "ok"


def _pass_on(
    event: Event,
    memo: kopf.Memo,
    put: Callable[[Mapping[str, Any]], str | None],
    remove: Callable[[Mapping[str, Any]], str | None],
) -> None:
    body = event["object"]
    engine: Engine = memo.engine
    engine.controller.mirror.confirm(str(body["metadata"]["uid"]))
    key = remove(body) if event["type"] == "DELETED" else put(body)
    if key is not None:
        engine.queue.add(key)
