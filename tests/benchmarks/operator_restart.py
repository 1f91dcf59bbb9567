"""The operator's start beside many finished tasks: ``python -m benchmarks.operator_restart --finished 10000``.

LabelTasks are created while no operator runs, and get the status of a finished task by hand. Then the operator is
started. It must be ready within 30 s and create no Job; a new task, which waits behind all the others' first look,
shows when that is over. Reported besides: the operator's memory, now and at its peak.

Needs no database; its namespace is its own and is deleted at the end.
"""

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from kubernetes import client

from benchmarks.operator_figures import WRITERS, connect, create_tasks, following, operator_memory, stats
from demo.setting import ensure_cluster_with_images
from labeltask_contract.names import GROUP, PLURAL, VERSION, job_name
from labeltask_testing.builders import ago, make_labeltask
from labeltask_testing.cluster_commands import (
    Manifest,
    ensure_namespace,
    helm_install,
    image_split,
    kubectl,
    kubectl_json,
)
from labeltask_testing.installation import wait_until

NAMESPACE = "labeltask-restart"
OPERATOR = ("deployment/labeltask-operator", "--namespace", NAMESPACE)
CONDITIONS = {
    "Accepted": ("True", "Valid"),
    "Queued": ("False", "Finished"),
    "Running": ("False", "Finished"),
    "Stalled": ("False", "Finished"),
    "Produced": ("True", "TablesWritten"),
    "Complete": ("True", "Succeeded"),
}


def task(name: str) -> Manifest:
    """A LabelTask of the benchmark's namespace."""
    return make_labeltask(name, uid="").with_metadata(namespace=NAMESPACE, resourceVersion="").manifest


def finished_status(name: str) -> Manifest:
    """What the operator leaves of a successful task."""
    conditions = [
        {"type": kind, "status": status, "reason": reason, "message": "", "lastTransitionTime": ago(60)}
        for kind, (status, reason) in CONDITIONS.items()
    ]
    table = {"productionRows": 1234, "uniqSourceAuthors": 5678, "rateOfLabel": "21.73"}
    return {
        "observedGeneration": 1,
        "taskId": name,
        "stat": "SUCCESS",
        "prodStat": "finish",
        "progress": {"rowsRead": 13_000, "rowsLabelled": 4_000, "rowsEstimated": 13_000, "percent": 100},
        "resultTables": [{"name": table_name, **table} for table_name in ("Ptt", "fbfans", "forum", "news", "other")],
        "pattern": {"sha256": "0" * 64, "labels": ["男性", "女性"], "rules": 2},
        "jobName": job_name(name),
        "attempts": 1,
        "peakMemoryMiB": 80.0,
        "runTimeMinutes": 0.1,
        "startTime": ago(100),
        "completionTime": ago(60),
        "conditions": conditions,
    }


def finish(api: client.ApiClient, names: list[str]) -> None:
    """Write the status of a finished task to each."""
    tasks = client.CustomObjectsApi(api)

    def write(name: str) -> None:
        body = {"status": finished_status(name)}
        tasks.patch_namespaced_custom_object_status(GROUP, VERSION, NAMESPACE, PLURAL, name, body)

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, names))


def stop_operator() -> None:
    """Afterwards no operator runs."""
    kubectl("scale", *OPERATOR, "--replicas", "0")
    selector = ("--selector", "app.kubernetes.io/component=operator", "--namespace", NAMESPACE)
    kubectl("wait", "pod", *selector, "--for", "delete", "--timeout", "60s")


def prepare(count: int) -> client.ApiClient:
    """Afterwards the chart is installed, its operator is stopped, and ``count`` finished tasks are there."""
    images = ensure_cluster_with_images()
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout", "600s", timeout_seconds=630)
    ensure_namespace(NAMESPACE)
    values = {"image": image_split(images.control), "worker": {"image": image_split(images.worker)}}
    helm_install("labeltask", NAMESPACE, values)
    stop_operator()
    api = connect()
    names = [f"{index:032x}" for index in range(count)]
    took = create_tasks(api, [task(name) for name in names])
    print(f"created {count:,} LabelTasks in {took:.0f} s", flush=True)
    finish(api, names)
    return api


def main() -> int:
    """Measure; return 1 when a bound does not hold."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--finished", type=int, default=1_000)
    asked.add_argument("--starts", type=int, default=2)
    chosen = asked.parse_args()
    api = prepare(chosen.finished)
    wrong = []
    for start in range(chosen.starts):
        with following(api, NAMESPACE) as jobs:
            began = time.monotonic()
            kubectl("scale", *OPERATOR, "--replicas", "1")
            kubectl("rollout", "status", *OPERATOR, "--timeout", "180s", timeout_seconds=200)
            ready = time.monotonic() - began
            # Names no connection and there is no default one, so it fails as soon as it is looked at.
            last = f"new-{start}"
            create_tasks(api, [task(last)])
            wait_until(
                lambda: kubectl_json("get", "labeltask", last, "--namespace", NAMESPACE).get("status", {}),  # noqa: B023
                lambda status: status.get("stat") == "FAILURE",
                seconds=300,
                what="a new task to be looked at",
            )
            looked = time.monotonic() - began
        now, peak = operator_memory(NAMESPACE)
        print(
            f"start {start + 1} beside {chosen.finished:,} finished tasks: ready after {ready:.1f} s, a new task looked"
            f" at after {looked:.1f} s; {now} MiB, peak {peak} MiB; Jobs created: {len(jobs.uids)}",
            flush=True,
        )
        if jobs.uids:
            wrong.append(f"{len(jobs.uids)} Jobs were created")
        if ready >= 30:
            wrong.append(f"ready only after {ready:.1f} s")
        stop_operator()
    if (told := stats(NAMESPACE)["SUCCESS", "finish"]) != chosen.finished:
        wrong.append(f"{told} tasks still say SUCCESS")
    for problem in wrong:
        print(f"WRONG: {problem}")
    kubectl("delete", "namespace", NAMESPACE, "--timeout", "900s", timeout_seconds=930)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
