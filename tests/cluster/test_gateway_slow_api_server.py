"""A gateway whose API server answers slowly, then not at all: a proxy stands between it and the real one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from labeltask_testing import slow_api_server
from labeltask_testing.cluster_commands import Manifest, apply, kubectl, kubectl_json
from labeltask_testing.installation import Installation, wait_until
from labeltask_testing.requests import gender_request
from labeltask_testing.second_gateway import port_forward, second_gateway

NAME = "slow-api"
UNKNOWN = "0" * 32


def proxy_pod(installation: Installation) -> Manifest:
    container = {
        "name": "proxy",
        "image": installation.images.control,
        "imagePullPolicy": "Never",
        "command": ["python", "/program/slow_api_server.py"],
        "readinessProbe": {"tcpSocket": {"port": slow_api_server.PORT}, "periodSeconds": 1},
        "volumeMounts": [{"name": "program", "mountPath": "/program"}],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    spec = {
        # The gateway's own rights, no more.
        "serviceAccountName": f"{NAME}-labeltask-gateway",
        # By itself the chart's account, which has taken the place of this one by then, gives no token.
        "automountServiceAccountToken": True,
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "volumes": [{"name": "program", "configMap": {"name": NAME}}],
    }
    metadata = {"name": NAME, "namespace": installation.namespace, "labels": {"app": NAME}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def proxy_objects(installation: Installation) -> list[Manifest]:
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "contexts": [{"name": "x", "context": {"cluster": "x", "user": "x"}}],
        "clusters": [{"name": "x", "cluster": {"server": f"http://{NAME}:{slow_api_server.PORT}"}}],
        "users": [{"name": "x", "user": {}}],
    }
    program = Path(slow_api_server.__file__)
    files = {program.name: program.read_text(), "kubeconfig": yaml.safe_dump(kubeconfig)}
    metadata = {"name": NAME, "namespace": installation.namespace}
    service = {"selector": {"app": NAME}, "ports": [{"port": slow_api_server.PORT}]}
    account = {"name": f"{NAME}-labeltask-gateway", "namespace": installation.namespace}
    return [
        # The same as the chart's, which comes a moment later.
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": files},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service},
        proxy_pod(installation),
    ]


GATEWAY = {
    # Empty: the gateway looks for a kubeconfig instead.
    "extraEnv": [
        {"name": "KUBERNETES_SERVICE_HOST", "value": ""},
        {"name": "KUBECONFIG", "value": "/proxy/kubeconfig"},
    ],
    "extraVolumes": [{"name": "proxy", "configMap": {"name": NAME}}],
    "extraVolumeMounts": [{"name": "proxy", "mountPath": "/proxy", "readOnly": True}],
}


@dataclass(frozen=True)
class Slowed:
    """A gateway behind the proxy."""

    installation: Installation
    pod: str
    url: str

    def look(self) -> Manifest:
        found: Manifest = kubectl_json("get", "pod", self.pod, "--namespace", self.installation.namespace)
        return found

    def ready(self) -> tuple[str, str]:
        """Whether Kubernetes sends it requests, and since when."""
        (found,) = [each for each in self.look()["status"]["conditions"] if each["type"] == "Ready"]
        return found["status"], found["lastTransitionTime"]

    def restarts(self) -> int:
        return int(self.look()["status"]["containerStatuses"][0]["restartCount"])

    def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        return httpx.request(method, f"{self.url}{path}", json=body, timeout=120)


@pytest.fixture(scope="module")
def slowed(installation: Installation) -> Iterator[Slowed]:
    namespace = installation.namespace
    apply(*proxy_objects(installation))
    with second_gateway(installation, NAME, GATEWAY) as deployment:
        selector = f"app.kubernetes.io/instance={NAME},app.kubernetes.io/component=gateway"
        (pod,) = kubectl_json("get", "pods", "--namespace", namespace, "--selector", selector)["items"]
        with port_forward(namespace, f"deployment/{deployment}", 8080) as url:
            yield Slowed(installation, pod["metadata"]["name"], url)
    kubectl("delete", "pod,service,configmap", NAME, "--namespace", namespace, "--ignore-not-found")


def test_an_api_server_that_takes_five_seconds_an_answer_makes_nobody_unready_and_no_answer_a_5xx(
    installation: Installation, slowed: Slowed
) -> None:
    before = (slowed.ready(), slowed.restarts())
    request = gender_request(installation, QUEUE="held")
    with port_forward(installation.namespace, f"pod/{NAME}", slow_api_server.PORT) as proxy:
        httpx.put(f"{proxy}/__seconds/5").raise_for_status()
        with ThreadPoolExecutor(20) as threads:
            unknown = [threads.submit(slowed.call, "GET", f"/tasks/{number:032x}") for number in range(10)]
            creates = [threads.submit(slowed.call, "POST", "/tasks", request) for _ in range(3)]
            wrong = threads.submit(slowed.call, "POST", "/tasks", {**request, "MODEL_TYPE": "none"})
            assert slowed.call("GET", "/healthz").status_code == 200
            assert {one.result().status_code for one in unknown} == {404}
            assert wrong.result().status_code == 400
            ids = [one.result().json()["error_message"]["task_id"] for one in creates]
            listed = slowed.call("GET", "/tasks?queue=held").json()["content"]
            assert set(ids) <= {view["task_id"] for view in listed}
            aborts = threads.map(lambda task_id: slowed.call("POST", "/tasks/abort", {"TASK_ID": task_id}), ids)
            assert [answer.status_code for answer in aborts] == [200, 200, 200]
        wait_until(
            lambda: httpx.get(f"{proxy}/__answered").json(), lambda seen: seen >= 4, seconds=180, what="four probes"
        )
        assert (slowed.ready(), slowed.restarts()) == before
        httpx.put(f"{proxy}/__seconds/0").raise_for_status()
    for task_id in ids:
        assert installation.wait_final(task_id)["stat"] == "BREAK"


def test_without_an_api_server_a_gateway_is_alive_and_not_ready_and_comes_back(
    installation: Installation, slowed: Slowed
) -> None:
    namespace, restarts = installation.namespace, slowed.restarts()
    kubectl("delete", "pod", NAME, "--namespace", namespace)
    wait_until(slowed.ready, lambda seen: seen[0] == "False", seconds=120, what="the gateway to be unready")
    assert slowed.call("GET", "/healthz").status_code == 200
    for method, path, body in (
        ("GET", "/readyz", None),
        ("GET", f"/tasks/{UNKNOWN}", None),
        ("POST", "/tasks", gender_request(installation)),
        ("POST", "/tasks/abort", {"TASK_ID": UNKNOWN}),
    ):
        answer = slowed.call(method, path, body)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5"), path
        assert answer.json()["error_message"].startswith("the Kubernetes API server does not answer"), path
    apply(proxy_pod(installation))
    wait_until(slowed.ready, lambda seen: seen[0] == "True", seconds=120, what="the gateway to be ready again")
    assert slowed.call("GET", f"/tasks/{UNKNOWN}").status_code == 404
    assert slowed.restarts() == restarts
