"""How fast the gateway answers 50 callers with 1,000 and with 10,000 tasks in the cluster, and what memory it takes.

    make cluster; eval "$(PYTHONPATH=tests .venv/bin/python -m localkube env)"
    PYTHONPATH=tests .venv/bin/python tests/benchmarks/gateway.py

The gateway runs on this machine, alone in its process, against the real API server, in a namespace of its own without
an operator, so that nothing but the gateway works on the tasks. The baseline in the same run is /healthz, which asks
nobody: what is above it is what Kubernetes and the gateway's own work take. Every figure is the least of three rounds.
"""

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
from kubernetes import client, config

from labeltask_contract.names import GROUP, LABEL_TASK, VERSION
from labeltask_testing.cluster_commands import command_env, kubectl
from labeltask_testing.gateway_fakes import create_body, label_task_from_kubectl, site_config

NAMESPACE = "labeltask-bench"
CALLERS = 50
SECONDS = 3.0
ROUNDS = 3
SIZES = (1_000, 10_000)


def main() -> None:
    """Fill the namespace step by step and print a table a step; remove all of it at the end."""
    kubectl("create", "namespace", NAMESPACE)
    try:
        api = _api()
        names: list[str] = []
        for size in SIZES:
            names += _fill(api, len(names), size)
            with _Program() as program:
                _report(program, names, size)
    finally:
        kubectl("delete", "namespace", NAMESPACE, "--timeout", "600s", timeout_seconds=660)


def _api() -> client.CustomObjectsApi:
    config.load_kube_config(command_env()["KUBECONFIG"])  # type: ignore[no-untyped-call]
    made = client.ApiClient()
    made.rest_client.pool_manager.connection_pool_kw["maxsize"] = CALLERS
    return client.CustomObjectsApi(made)


def _fill(api: client.CustomObjectsApi, first: int, size: int) -> list[str]:
    names = [f"{number:032x}" for number in range(first, size)]

    def create(name: str) -> None:
        manifest = label_task_from_kubectl(name)
        api.create_namespaced_custom_object(GROUP, VERSION, NAMESPACE, LABEL_TASK.plural, manifest)

    started = time.perf_counter()
    with ThreadPoolExecutor(CALLERS) as threads:
        list(threads.map(create, names))
    rate = len(names) / (time.perf_counter() - started)
    print(f"\n{CALLERS} callers straight at the API server: {rate:.0f} LabelTasks/s, without Secrets")
    return names


class _Program:
    """The gateway as its own process."""

    def __enter__(self) -> "_Program":
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        settings = {
            "LABELTASK_NAMESPACE": NAMESPACE,
            "LABELTASK_LISTEN_HOST": "127.0.0.1",
            "LABELTASK_LISTEN_PORT": str(port),
            "LABELTASK_LOG_LEVEL": "WARNING",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "labeltask_gateway"], env={**command_env(), **settings}, stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                if httpx.get(f"{self.url}/readyz", timeout=30).status_code == 200:
                    return self
            except httpx.TransportError:
                pass
            if time.monotonic() > deadline:
                raise TimeoutError("the gateway did not become ready")
            time.sleep(0.1)

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(60)

    @property
    def mebibytes(self) -> int:
        """Resident memory of the process."""
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) // 1024


def _report(program: _Program, names: list[str], size: int) -> None:
    # An address: a name that no resolver answers would be waited for.
    body = json.dumps(create_body(SITE_CONFIG=site_config(host="10.1.2.3"))).encode()
    headers = {"Content-Type": "application/json"}
    calls: dict[str, Callable[[httpx.Client, int], httpx.Response]] = {
        "/healthz (baseline)": lambda http, _: http.get("/healthz"),
        "check_status": lambda http, number: http.get(f"/tasks/{names[number * 7919 % len(names)]}"),
        "list of 50": lambda http, _: http.get("/tasks/?limit=50"),
        "create": lambda http, _: http.post("/tasks/", content=body, headers=headers),
    }
    httpx.get(f"{program.url}/tasks/", timeout=60).raise_for_status()
    print(f"\n{size:,} tasks, {CALLERS} callers, {os.cpu_count()} processors, RSS {program.mebibytes} MiB before")
    print(f"{'call':22} {'p50 ms':>8} {'p99 ms':>8} {'calls/s':>8}  against the baseline's p50")
    least: dict[str, tuple[float, float, float]] = {}
    for name, call in calls.items():
        rounds = [_round(program.url, call) for _ in range(ROUNDS)]
        least[name] = (min(r[0] for r in rounds), min(r[1] for r in rounds), max(r[2] for r in rounds))
        p50, p99, rate = least[name]
        print(f"{name:22} {p50:8.1f} {p99:8.1f} {rate:8.0f}  {p50 / least['/healthz (baseline)'][0]:.1f} x")
    print(f"RSS {program.mebibytes} MiB after")


def _round(url: str, call: Callable[[httpx.Client, int], httpx.Response]) -> tuple[float, float, float]:
    """Return p50 and p99 in milliseconds, and calls a second, of SECONDS with all callers."""
    found: list[float] = []
    begin = threading.Barrier(CALLERS)

    def caller(number: int) -> None:
        with httpx.Client(base_url=url, timeout=60) as http:
            begin.wait()
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                number += CALLERS
                started = time.perf_counter()
                call(http, number).raise_for_status()
                found.append(time.perf_counter() - started)

    with ThreadPoolExecutor(CALLERS) as threads:
        list(threads.map(caller, range(CALLERS)))
    cuts = statistics.quantiles(found, n=100)
    return cuts[49] * 1000, cuts[98] * 1000, len(found) / SECONDS


if __name__ == "__main__":
    main()
