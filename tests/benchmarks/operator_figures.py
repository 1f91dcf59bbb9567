"""What the operator's benchmarks look at: Jobs change by change, the operator's memory, the API server's requests."""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from kubernetes import client, config, watch

from labeltask_contract.names import GROUP, PLURAL, TASK_ID_LABEL, VERSION
from labeltask_testing.cluster_commands import Manifest, command_env, engine, kubectl, kubectl_json
from localkube.cluster import run_on_node

WRITERS = 16
REQUEST_LINE = re.compile(r"^apiserver_request_total\{(.*)\} (\S+)$", re.MULTILINE)


@dataclass
class JobWatch:
    """What became of the worker Jobs of one namespace, change by change."""

    uids: set[str] = field(default_factory=set)
    unfinished: set[str] = field(default_factory=set)
    most_at_once: int = 0
    failed: set[str] = field(default_factory=set)
    stopped: bool = False

    def see(self, kind: str, job: dict[str, Any]) -> None:
        """Take over one event of the watch."""
        uid = job["metadata"]["uid"]
        conditions = {c["type"] for c in job.get("status", {}).get("conditions") or [] if c["status"] == "True"}
        self.uids.add(uid)
        self.unfinished.add(uid)
        if kind == "DELETED" or conditions & {"Complete", "Failed"}:
            self.unfinished.discard(uid)
        if "Failed" in conditions:
            self.failed.add(job["metadata"]["name"])
        self.most_at_once = max(self.most_at_once, len(self.unfinished))

    def follow(self, api: client.ApiClient, namespace: str) -> None:
        """Watch until told to stop; a broken watch goes on where it was."""
        jobs: Any = client.BatchV1Api(api)
        version: str = jobs.list_namespaced_job(namespace).metadata.resource_version
        while not self.stopped:
            stream: Any = watch.Watch()  # type: ignore[no-untyped-call]
            events = stream.stream(
                jobs.list_namespaced_job,
                namespace,
                label_selector=TASK_ID_LABEL,
                resource_version=version,
                timeout_seconds=10,
            )
            for event in events:
                self.see(event["type"], event["raw_object"])
            version = stream.resource_version or version


@contextmanager
def following(api: client.ApiClient, namespace: str) -> Iterator[JobWatch]:
    """Watch Jobs meanwhile."""
    seen = JobWatch()
    thread = threading.Thread(target=seen.follow, args=(api, namespace), daemon=True)
    thread.start()
    yield seen
    seen.stopped = True
    thread.join(30)


def connect() -> client.ApiClient:
    """Return a client of the cluster's API, for as many threads as write at once."""
    api: client.ApiClient = config.new_client_from_config(command_env()["KUBECONFIG"])  # type: ignore[no-untyped-call]
    api.configuration.connection_pool_maxsize = WRITERS
    return api


def create_tasks(api: client.ApiClient, manifests: Iterable[Manifest]) -> float:
    """Create LabelTasks as fast as the API server takes them; return the seconds it took."""
    tasks = client.CustomObjectsApi(api)
    began = time.monotonic()

    def create(body: Manifest) -> None:
        tasks.create_namespaced_custom_object(GROUP, VERSION, body["metadata"]["namespace"], PLURAL, body)

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(create, manifests))
    return time.monotonic() - began


def operator_memory(namespace: str) -> tuple[int, int]:
    """Return the operator's resident memory now and at its peak, in MiB."""
    selector = ("--namespace", namespace, "--selector", "app.kubernetes.io/component=operator")
    (pod,) = kubectl_json("get", "pods", *selector)["items"]
    (status,) = pod["status"]["containerStatuses"]
    node = pod["spec"]["nodeName"]
    found = run_on_node(engine(), node, "crictl", "inspect", status["containerID"].removeprefix("containerd://"))
    lines = run_on_node(engine(), node, "cat", f"/proc/{json.loads(found)['info']['pid']}/status")
    figures = dict(line.split(":", 1) for line in lines.splitlines() if ":" in line)
    return int(figures["VmRSS"].split()[0]) // 1024, int(figures["VmHWM"].split()[0]) // 1024


def requests_so_far() -> Counter[tuple[str, str]]:
    """Return how many requests of each kind the API server has had, and how many it refused with 429."""
    counted: Counter[tuple[str, str]] = Counter()
    for labels, value in REQUEST_LINE.findall(kubectl("get", "--raw", "/metrics")):
        found = dict(re.findall(r'(\w+)="([^"]*)"', labels))
        resource = "/".join(part for part in (found["resource"], found["subresource"]) if part)
        counted[found["verb"], resource] += int(float(value))
        if found["code"] == "429":
            counted["429", "all"] += int(float(value))
    return counted


def stats(namespace: str) -> Counter[tuple[str | None, str | None]]:
    """Return how many LabelTasks say what."""
    tasks = kubectl_json("get", "labeltasks", "--namespace", namespace)["items"]
    return Counter((t.get("status", {}).get("stat"), t.get("status", {}).get("prodStat")) for t in tasks)
