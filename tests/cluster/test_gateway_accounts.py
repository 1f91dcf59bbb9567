"""Mode kubernetes on the real API server: tokens of real service accounts, with the rights that their roles give."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from labeltask_testing.cluster_commands import Manifest, apply, kubectl
from labeltask_testing.installation import Installation, wait_until
from labeltask_testing.requests import gender_request
from labeltask_testing.second_gateway import port_forward, second_gateway

RELEASE = "accounts"
AUDIENCE = "labeltask-test"
VERBS = {"reader": ["get", "list"], "runner": ["get", "list", "create", "patch", "delete"], "stranger": []}


@pytest.fixture(scope="module")
def url(installation: Installation) -> Iterator[str]:
    apply(*(part for name, verbs in VERBS.items() for part in account(installation.namespace, name, verbs)))
    auth = {"auth": {"mode": "kubernetes", "audiences": [AUDIENCE]}}
    with (
        second_gateway(installation, RELEASE, auth) as name,
        port_forward(installation.namespace, f"service/{name}", 80) as found,
    ):
        yield found


def account(namespace: str, name: str, verbs: list[str]) -> list[Manifest]:
    metadata = {"name": name, "namespace": namespace}
    rbac = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": ["labelapi.io"], "resources": ["labeltasks"], "verbs": verbs}] if verbs else []
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", **metadata}],
        },
    ]


def call(installation: Installation, url: str, name: str, method: str, path: str, body: Any = None) -> int:
    token = kubectl("create", "token", name, "--namespace", installation.namespace, "--audience", AUDIENCE).strip()
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.request(method, f"{url}{path}", json=body, headers=headers, timeout=30).status_code


def test_an_account_may_do_over_rest_what_it_may_do_with_kubectl(installation: Installation, url: str) -> None:
    wait_until(lambda: httpx.get(f"{url}/readyz").status_code, lambda code: code == 200, seconds=30, what="readiness")
    wrong = gender_request(installation, COUNTDOWN="none")
    unknown = "0" * 32
    found = {
        name: (
            call(installation, url, name, "GET", "/tasks"),
            call(installation, url, name, "GET", f"/tasks/{unknown}"),
            # A 400 tells that the caller was let in, without making a task.
            call(installation, url, name, "POST", "/tasks", wrong),
            call(installation, url, name, "POST", "/tasks/abort", {"TASK_ID": unknown}),
            call(installation, url, name, "DELETE", f"/tasks/{unknown}"),
        )
        for name in VERBS
    }
    assert found == {
        "reader": (200, 404, 403, 403, 403),
        "runner": (200, 404, 400, 404, 404),
        "stranger": (403, 403, 403, 403, 403),
    }


def test_no_token_and_one_for_somebody_else_are_401(installation: Installation, url: str) -> None:
    assert httpx.get(f"{url}/tasks").status_code == 401
    other = kubectl("create", "token", "runner", "--namespace", installation.namespace).strip()
    assert httpx.get(f"{url}/tasks", headers={"Authorization": f"Bearer {other}"}).status_code == 401
