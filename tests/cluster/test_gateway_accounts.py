"""Who is let in on the real API server: service accounts with the rights of their roles, tokens of a mounted Secret."""

import base64
import secrets
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from labeltask_contract.names import COMPONENT_LABEL
from labeltask_testing.cluster_commands import CommandError, Manifest, apply, kubectl, kubectl_json
from labeltask_testing.installation import Installation, wait_until
from labeltask_testing.requests import gender_request
from labeltask_testing.second_gateway import port_forward, second_gateway

RELEASE = "accounts"
AUDIENCE = "labeltask-test"
VERBS = {"reader": ["get", "list"], "runner": ["get", "list", "create", "patch", "delete"], "stranger": []}
OWNERS = {"owner": ["create"], "neighbour": ["create"]}
TOKENS = "gateway-tokens"


@pytest.fixture(scope="module")
def url(installation: Installation) -> Iterator[str]:
    apply(
        *(part for name, verbs in {**VERBS, **OWNERS}.items() for part in account(installation.namespace, name, verbs))
    )
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


def test_a_task_is_ended_by_whoever_created_it_and_by_no_neighbour(installation: Installation, url: str) -> None:
    token = kubectl("create", "token", "owner", "--namespace", installation.namespace, "--audience", AUDIENCE).strip()
    headers = {"Authorization": f"Bearer {token}"}
    # It waits before phase two, so that it is there to be ended however long the calls before take.
    lasting = gender_request(installation, COUNTDOWN=3600)
    made = httpx.post(f"{url}/tasks", json=lasting, headers=headers, timeout=30)
    task_id = made.json()["error_message"]["task_id"]
    created_by = installation.label_task(task_id)["metadata"]["annotations"]["labelapi.io/created-by"]
    assert created_by == f"system:serviceaccount:{installation.namespace}:owner"
    calls: list[tuple[str, str, Any]] = [
        ("POST", "/tasks/abort", {"TASK_ID": task_id}),
        ("POST", f"/tasks/{task_id}/suspend", None),
        ("DELETE", f"/tasks/{task_id}", None),
    ]
    assert [call(installation, url, "neighbour", *each) for each in calls] == [403, 403, 403]
    # kubectl asks for the right itself, over everybody's tasks, which the owner has not.
    patch = ("auth", "can-i", "patch", "labeltasks", "--namespace", installation.namespace)
    account = f"--as=system:serviceaccount:{installation.namespace}:owner"
    with pytest.raises(CommandError, match="status 1\nno"):
        kubectl(*patch, account)
    assert [call(installation, url, "owner", *calls[index]) for index in (0, 2)] == [200, 200]


def put_tokens(installation: Installation, **tokens: str) -> None:
    metadata = {"name": TOKENS, "namespace": installation.namespace}
    data = {name: base64.b64encode(token.encode()).decode() for name, token in tokens.items()}
    apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})


def test_tokens_of_a_secret_are_rotated_without_a_restart(installation: Installation) -> None:
    old, new = secrets.token_hex(), secrets.token_hex()
    put_tokens(installation, first=old)
    auth = {"auth": {"mode": "token", "tokensSecret": TOKENS}}
    with (
        second_gateway(installation, "tokens", auth) as name,
        port_forward(installation.namespace, f"service/{name}", 80) as url,
    ):

        def codes() -> list[int]:
            shown = (None, "nobody's-token-of-some-length", old, new)
            headers = [{"Authorization": f"Bearer {token}"} if token else {} for token in shown]
            return [httpx.get(f"{url}/tasks", headers=each, timeout=30).status_code for each in headers]

        def pods() -> list[tuple[str, int]]:
            label = f"app.kubernetes.io/instance=tokens,{COMPONENT_LABEL}=gateway"
            found = kubectl_json("get", "pods", "--namespace", installation.namespace, "--selector", label)["items"]
            return [(pod["metadata"]["uid"], pod["status"]["containerStatuses"][0]["restartCount"]) for pod in found]

        assert (codes(), before := pods()) == ([401, 401, 200, 401], before)
        for tokens, expected in (
            ({"first": old, "second": new}, [401, 401, 200, 200]),
            ({"second": new}, [401, 401, 401, 200]),
        ):
            put_tokens(installation, **tokens)
            # The kubelet looks at a pod's Secrets once a minute, and whenever the pod is changed.
            kubectl(
                *("annotate", "pods", "--namespace", installation.namespace, "--overwrite"),
                *("--selector", "app.kubernetes.io/instance=tokens", f"looked-at={len(tokens)}-{expected[2]}"),
            )
            wait_until(codes, lambda seen, wanted=expected: seen == wanted, seconds=180, what="the changed Secret")  # type: ignore[misc]
        assert pods() == before
        log = kubectl("logs", f"deployment/{name}", "--namespace", installation.namespace)
        assert (old in log, new in log) == (False, False)
