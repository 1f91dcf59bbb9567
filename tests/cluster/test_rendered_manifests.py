"""The rendered chart: manifests/install.yaml is not stale, a mistake in values fails, values reach the pods."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from labeltask_testing.cluster_commands import CommandError, run

ROOT = Path(__file__).parents[2]
CHART = str(ROOT / "charts" / "labeltask")
KUBE_VERSION = "1.34.0"


def render(values: dict[str, Any]) -> dict[tuple[str, str], Any]:
    text = run(
        "helm",
        *("template", "try", CHART, "--namespace", "labels", "--kube-version", KUBE_VERSION, "--values", "-"),
        stdin=json.dumps(values),
    )
    return {(found["kind"], found["metadata"]["name"]): found for found in yaml.safe_load_all(text) if found}


def container(rendered: dict[tuple[str, str], Any], component: str) -> Any:
    return rendered["Deployment", f"try-labeltask-{component}"]["spec"]["template"]["spec"]["containers"][0]


def environment(rendered: dict[tuple[str, str], Any], component: str) -> dict[str, str]:
    return {variable["name"]: variable["value"] for variable in container(rendered, component)["env"]}


def test_install_yaml_is_the_chart_with_its_default_values() -> None:
    rendered = run(sys.executable, "-c", _RENDER)
    stale = "manifests/install.yaml is stale: run python manifests/generate.py"
    assert (ROOT / "manifests" / "install.yaml").read_text(encoding="utf-8") == rendered, stale


_RENDER = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("g", {str(ROOT / "manifests" / "generate.py")!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
sys.stdout.write(module.install_text(module.find_helm()))
"""


def test_the_chart_passes_lint() -> None:
    run("helm", "lint", "--strict", "--kube-version", KUBE_VERSION, CHART)


@pytest.mark.parametrize(
    "values",
    [
        {"gatway": {}},
        {"gateway": {"service": {"tpye": "NodePort"}}},
        {"operator": {"pollSeconds": "two"}},
        {"connections": {"main": {"secret": "db"}}},
        {"defaultConnection": "none-of-them"},
        {"watchNamespaces": ["team-a"]},
        {"kueue": {"enabled": True}, "queues": {"nightly": 2}},
        {"worker": {"podLabels": {"labelapi.io/task-id": "mine"}}},
    ],
    ids=[
        "a misspelt part",
        "a misspelt key",
        "a word for a number",
        "a connection without Secret",
        "no such connection",
        "a gateway in a namespace that nobody serves",
        "limits beside Kueue's",
        "a label that is the operator's",
    ],
)
def test_a_mistake_in_values_fails(values: dict[str, Any]) -> None:
    with pytest.raises(CommandError):
        render(values)


def test_values_reach_the_programs() -> None:
    rendered = render(
        {
            "image": {"repository": "registry/labeltask", "digest": "sha256:" + "0" * 64},
            "imagePullSecrets": ["pull"],
            "worker": {"image": {"tag": "t1"}},
            "connections": {"main": {"existingSecret": "db"}},
            "defaultConnection": "main",
            "queues": {"nightly": 2},
            "labelling": {"sliceRows": 1000000, "rules": {"source_tables": {"X": "x"}}},
            "historySchemas": ["audience"],
            "gateway": {
                "defaultRules": '{"keyword_model": {}}',
                "service": {"type": "NodePort", "nodePort": 30080},
            },
            "operator": {"statusSeconds": 0.5, "extraEnv": [{"name": "LABELTASK_RECONCILE_THREADS", "value": "4"}]},
        }
    )
    assert container(rendered, "gateway")["image"] == "registry/labeltask@sha256:" + "0" * 64
    operator = environment(rendered, "operator")
    assert operator["LABELTASK_NAMESPACES"] == '["labels"]'
    assert operator["LABELTASK_WORKER_IMAGE"] == "localhost/labeltask-worker:t1"
    assert json.loads(operator["LABELTASK_CONNECTIONS"]) == {"main": {"secretName": "db", "key": "connection.json"}}
    assert operator["LABELTASK_DEFAULT_CONNECTION"] == "main"
    assert json.loads(operator["LABELTASK_QUEUES"]) == {"nightly": 2}
    assert operator["LABELTASK_SLICE_ROWS"] == "1000000"
    assert operator["LABELTASK_STATUS_SECONDS"] == "0.5"
    assert operator["LABELTASK_RECONCILE_THREADS"] == "4"
    assert operator["LABELTASK_WORKER_SERVICE_ACCOUNT"] == "try-labeltask-worker"
    gateway = environment(rendered, "gateway")
    assert gateway["LABELTASK_NAMESPACE"] == "labels"
    assert json.loads(gateway["LABELTASK_HISTORY_SCHEMAS"]) == ["audience"]
    assert json.loads(operator["LABELTASK_HISTORY_SCHEMAS"]) == ["audience"]
    rules = rendered["ConfigMap", "try-labeltask-default-rules"]["data"]["default-rules.json"]
    assert json.loads(rules) == {"keyword_model": {}}
    port = rendered["Service", "try-labeltask-gateway"]["spec"]["ports"][0]
    assert port["nodePort"] == 30080
