"""The gateway's modes of authentication in the rendered chart: what each mounts, and the rights it adds."""

import json
from typing import Any

import pytest
import yaml

from labeltask_testing.cluster_commands import ROOT, CommandError, run

Objects = dict[tuple[str, str], Any]


def render(auth: dict[str, Any]) -> Objects:
    text = run(
        "helm",
        *("template", "try", str(ROOT / "charts" / "labeltask"), "--namespace", "labels"),
        *("--kube-version", "1.34.0", "--values", "-"),
        stdin=json.dumps({"gateway": {"auth": auth}}),
    )
    return {(found["kind"], found["metadata"]["name"]): found for found in yaml.safe_load_all(text) if found}


def pod(rendered: Objects) -> Any:
    return rendered["Deployment", "try-labeltask-gateway"]["spec"]["template"]["spec"]


def environment(rendered: Objects) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in pod(rendered)["containers"][0]["env"]}


def test_mode_none_adds_nothing() -> None:
    rendered = render({})
    assert environment(rendered)["LABELTASK_AUTH_MODE"] == "none"
    assert not [kind for kind, _ in rendered if kind.startswith("ClusterRole")]


def test_mode_token_mounts_the_secret_and_needs_its_name() -> None:
    rendered = render({"mode": "token", "tokensSecret": "gateway-tokens"})
    assert environment(rendered)["LABELTASK_AUTH_TOKENS_DIR"] == "/etc/labeltask-tokens"
    assert {"name": "tokens", "secret": {"secretName": "gateway-tokens"}} in pod(rendered)["volumes"]
    mount = {"name": "tokens", "mountPath": "/etc/labeltask-tokens", "readOnly": True}
    assert mount in pod(rendered)["containers"][0]["volumeMounts"]
    with pytest.raises(CommandError, match="tokensSecret is needed"):
        render({"mode": "token"})


def test_mode_kubernetes_adds_the_right_to_review_tokens_and_no_other_beyond_the_namespace() -> None:
    rendered = render({"mode": "kubernetes", "audiences": ["labeltask"]})
    assert environment(rendered)["LABELTASK_AUTH_AUDIENCES"] == '["labeltask"]'
    role = rendered["ClusterRole", "labels-try-labeltask-gateway-tokens"]
    assert role["rules"] == [
        {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}
    ]
    assert rendered["ClusterRoleBinding", "labels-try-labeltask-gateway-tokens"]["subjects"] == [
        {"kind": "ServiceAccount", "name": "try-labeltask-gateway", "namespace": "labels"}
    ]
    assert [name for kind, name in rendered if kind == "ClusterRole"] == ["labels-try-labeltask-gateway-tokens"]


def test_an_unknown_mode_fails() -> None:
    with pytest.raises(CommandError):
        render({"mode": "password"})
