"""Half an hour of tasks that come and go: memory and sockets of gateway, operator and worker stay flat.

LABELTASK_SOAK_MINUTES sets another length. The first fifth is warm-up and not judged.
"""

import os
import statistics
import time
from collections.abc import Iterator

import pytest

from labeltask_testing.cluster_commands import container_process, kubectl, kubectl_json
from labeltask_testing.gated_tasks import GatedTasks, gated_tasks
from labeltask_testing.installation import Installation
from labeltask_testing.node_faults import on_node
from labeltask_testing.operator_process import operator_pods
from labeltask_testing.requests import gender_request
from labeltask_testing.running_tasks import change, wait_running_pod

MINUTES = float(os.environ.get("LABELTASK_SOAK_MINUTES", "30"))
GROWTH = 1.10
SHORT_LIFE = {"succeeded": 20, "failed": 20}


def looks(minutes: float) -> Iterator[int]:
    """Count upwards until the time is over."""
    end, number = time.monotonic() + 60 * minutes, 0
    while time.monotonic() < end:
        yield number
        number += 1


def come_and_go(tasks: GatedTasks, number: int) -> None:
    """One task by kubectl that ends, one that is aborted, one by REST that is looked at, sampled and deleted."""
    installation = tasks.installation
    tasks.create(f"ends-{number}", ttlSecondsAfterFinished=SHORT_LIFE)
    tasks.create(f"is-aborted-{number}", ttlSecondsAfterFinished=SHORT_LIFE, countdownSeconds=3600)
    changes = {"INPUT_TABLE": "gated_posts", "OUTPUT_SCHEMA": tasks.schema, "COUNTDOWN": 0, "QUEUE": f"rest-{number}"}
    task_id = installation.create(gender_request(installation, **changes))
    tasks.wait_stat(f"ends-{number}", "SUCCESS")
    change(installation, f"is-aborted-{number}", abort=True)
    assert installation.wait_final(task_id)["stat"] == "SUCCESS"
    for path in (f"/api/tasks/{task_id}", f"/api/tasks/{task_id}/sample/", "/api/tasks/?limit=100"):
        assert installation.get(path).status_code == 200
    tasks.wait_stat(f"is-aborted-{number}", "BREAK")
    kubectl_json("get", "labeltasks", "--namespace", installation.namespace)
    assert installation.delete(f"/api/tasks/{task_id}").status_code == 200


def measure(process: int, pod: str, namespace: str) -> tuple[float, int]:
    """Resident memory in MiB, and open sockets; where the process is gone, its pod's story as an error."""
    if not on_node("sh", "-c", f"test ! -e /proc/{process} || echo there"):
        where = ("--namespace", namespace)
        told = kubectl("logs", pod, *where, "--tail", "30", "--all-containers")
        raise AssertionError(f"{pod} has ended or was started anew\n{kubectl('describe', 'pod', pod, *where)}\n{told}")
    (line,) = [line for line in on_node("cat", f"/proc/{process}/status").splitlines() if line.startswith("VmRSS:")]
    sockets = on_node("sh", "-c", f"ls -l /proc/{process}/fd | grep -c socket || true")
    return int(line.split()[1]) / 1024, int(sockets)


@pytest.mark.timeout(60 * MINUTES + 600)
def test_memory_and_sockets_stay_flat(installation: Installation, connection_secret: str) -> None:
    going = gated_tasks(installation, connection_secret, "long_run")
    going.open()
    held = gated_tasks(installation, connection_secret, "long_worker")
    table = {"schema": installation.database.source_schema, "table": "ts_page_content"}
    worker = wait_running_pod(installation, held.start("long-worker", input=table)["long-worker"])
    # Its 20,000 rows, 529 of them for Ptt, then last for hours.
    held.close(seconds=20)
    (operator,) = operator_pods(installation)
    chosen = ("--namespace", installation.namespace, "--selector", "app.kubernetes.io/component=gateway")
    (gateway,) = kubectl_json("get", "pods", *chosen)["items"]
    containers = {
        "operator": (operator["metadata"]["name"], "operator"),
        "gateway": (gateway["metadata"]["name"], "gateway"),
        "worker": (worker, "worker"),
    }
    processes = {
        part: container_process(pod, installation.namespace, name)[1] for part, (pod, name) in containers.items()
    }
    taken: dict[str, list[tuple[float, int]]] = {part: [] for part in containers}
    for number in looks(MINUTES):
        come_and_go(going, number)
        for part, process in processes.items():
            taken[part].append(measure(process, containers[part][0], installation.namespace))
    told = []
    for part, values in taken.items():
        judged = values[len(values) // 5 :]
        third = max(1, len(judged) // 3)
        first, last = (
            [statistics.mean(column) for column in zip(*some, strict=True)]
            for some in (judged[:third], judged[-third:])
        )
        told.append((part, first, last))
        print(
            f"{part}: {first[0]:.1f} -> {last[0]:.1f} MiB, {first[1]:.1f} -> {last[1]:.1f} sockets, {len(values)} looks"
        )
    for part, (memory, sockets), (memory_after, sockets_after) in told:
        assert memory_after <= memory * GROWTH, part
        assert sockets_after <= sockets + 2, part
