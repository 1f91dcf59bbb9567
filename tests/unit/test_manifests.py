"""What is derived is not stale, and chart, examples and code agree. What needs helm stands in tests/cluster."""

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from labeltask_contract.names import GROUP, KIND, LABEL_DUMP, PLURAL
from labeltask_contract.spec import LabelTaskSpec
from labeltask_gateway.settings import Settings as GatewaySettings
from labeltask_operator.dump_resolve import DumpResolution, resolve_dump
from labeltask_operator.dump_view import DumpView
from labeltask_operator.resolve import Resolution, resolve_task
from labeltask_operator.settings import Settings as OperatorSettings
from labeltask_testing.operator_fakes import SITE_CONFIG, FakeCluster, make_settings

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "labeltask"
EXAMPLES = sorted((ROOT / "manifests" / "examples").glob("*.yaml"))


def generator() -> ModuleType:
    """manifests/generate.py, which is no package."""
    spec = importlib.util.spec_from_file_location("generate_manifests", ROOT / "manifests" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def objects(text: str) -> list[Any]:
    return [found for found in yaml.safe_load_all(text) if found is not None]


def test_the_written_crds_are_those_of_the_models() -> None:
    module = generator()
    for file in module.CRD_FILES:
        assert file.read_text(encoding="utf-8") == module.crd_text(file), (
            f"{file} is stale: run python manifests/generate.py"
        )


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_examples_are_tasks_and_dumps_that_the_operator_accepts(file: Path) -> None:
    cluster = FakeCluster(secrets={"my-database": {"connection.json": SITE_CONFIG}})
    for manifest in objects(file.read_text(encoding="utf-8")):
        if manifest["kind"] == "ConfigMap":
            cluster.config_maps[manifest["metadata"]["name"]] = manifest
        manifest["metadata"]["uid"] = "11111111-2222-3333-4444-555555555555"
        if manifest["kind"] == LABEL_DUMP.kind:
            resolution = resolve_dump(DumpView.of(manifest), cluster, make_settings())
            assert isinstance(resolution, DumpResolution), resolution
        if manifest["kind"] == KIND:
            found = resolve_task(manifest, cluster, make_settings())
            assert isinstance(found, Resolution), found
            assert found.rules.warnings == ()


def test_the_charts_readme_has_todays_values() -> None:
    module = generator()
    assert module.CHART_README.read_text(encoding="utf-8") == module.chart_readme_text(), "run make manifests"


def leaves(value: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if isinstance(value, dict) and value:
        return [leaf for name, inner in value.items() for leaf in leaves(inner, (*path, name))]
    return [path]


def test_every_value_has_its_row_in_that_table_or_belongs_to_one_that_has() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    rows = {
        tuple(name.split(".")) for name in re.findall(r"^\| `([\w.]+)` \|", generator().values_table(), re.MULTILINE)
    }
    assert [leaf for leaf in leaves(values) if not any(leaf[: len(row)] == row for row in rows)] == []


def test_the_schema_knows_every_value_and_no_other() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))

    def compare(value: Any, node: Any, path: str) -> None:
        if not isinstance(value, dict) or "properties" not in node:
            return
        assert node["additionalProperties"] is False, path
        known = set(node["properties"]) - {"global"}
        assert set(value) <= known, path
        if path != ".worker.resources.limits":
            assert known - set(value) <= {
                "limits",
                "requests",
                "source_tables",
                "label_translations",
                "conflict_groups",
                "initialDelaySeconds",
                "timeoutSeconds",
            }
        for name, inner in value.items():
            compare(inner, node["properties"][name], f"{path}.{name}")

    compare(values, schema, "")


def rules_of(role: str) -> list[Any]:
    text = (CHART / "templates" / f"{role}-rbac.yaml").read_text(encoding="utf-8")
    found = re.search(r"^rules:\n(.*?)^---", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    rules: list[Any] = yaml.safe_load(re.sub(r"^ *\{\{-.*\}\}\n", "", found.group(1), flags=re.MULTILINE))
    return rules


RIGHTS = {
    "gateway": {
        f"{GROUP}/{PLURAL}": {"create", "get", "list", "watch", "patch", "delete"},
        f"{GROUP}/{LABEL_DUMP.plural}": {"create", "get", "patch", "delete"},
        "/secrets": {"create", "get", "delete"},
    },
    "operator": {
        f"{GROUP}/{PLURAL}": {"get", "list", "watch", "delete"},
        f"{GROUP}/{PLURAL}/status": {"patch"},
        f"{GROUP}/{LABEL_DUMP.plural}": {"get", "list", "watch", "delete"},
        f"{GROUP}/{LABEL_DUMP.plural}/status": {"patch"},
        "batch/jobs": {"create", "get", "list", "watch", "patch", "delete"},
        "/pods": {"get", "list", "watch"},
        "/secrets": {"get"},
        "/configmaps": {"create", "get"},
        "/events": {"create", "list"},
        # With kueue.enabled alone, as the golden renders show.
        "kueue.x-k8s.io/workloads": {"list", "patch"},
    },
}


@pytest.mark.parametrize("role", RIGHTS)
def test_rights_are_these_and_no_more(role: str) -> None:
    found = {
        f"{group}/{resource}": set(rule["verbs"])
        for rule in rules_of(role)
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }
    assert found == RIGHTS[role]


def test_no_right_reaches_beyond_the_namespace_but_that_to_review_tokens_in_its_mode() -> None:
    by_mode = CHART / "templates" / "gateway-auth-rbac.yaml"
    for file in (CHART / "templates").glob("*.yaml"):
        assert file == by_mode or "ClusterRole" not in file.read_text(encoding="utf-8")
    text = by_mode.read_text(encoding="utf-8")
    assert text.startswith('{{- if eq .Values.gateway.auth.mode "kubernetes" }}\n')
    assert text.endswith("{{- end }}\n")
    rules = re.findall(r"resources: \[(.*)\]\n    verbs: \[(.*)\]", text)
    assert rules == [("tokenreviews", "create"), ("localsubjectaccessreviews", "create")]


def golden(name: str) -> list[Any]:
    """What the chart makes of a set of values; tests/cluster/test_chart_renders.py keeps it current."""
    return objects((ROOT / "tests" / "cluster" / "renders" / f"{name}.yaml").read_text(encoding="utf-8"))


def test_network_policies_deny_all_but_what_each_part_needs() -> None:
    policies = {found["metadata"]["name"]: found["spec"] for found in golden("production") if is_policy(found)}
    names = {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
    databases = {
        "ports": [{"port": 3306}, {"port": 4000}],
        "to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}],
    }
    api_server = {"ports": [{"port": 443}, {"port": 6443}]}
    allowed = {name: (spec.get("ingress", []), spec["egress"]) for name, spec in policies.items()}
    assert {name for name, spec in policies.items() if spec["policyTypes"] != ["Ingress", "Egress"]} == set()
    assert allowed["labels-worker"] == ([], [names, databases])
    assert allowed["labels-operator"] == ([{"ports": [{"port": 8082}]}], [names, databases, api_server])
    ingress, egress = allowed["labels-gateway"]
    assert egress == [names, databases, api_server]
    assert [(rule["ports"], len(rule["from"])) for rule in ingress] == [([{"port": 8080}], 2)]
    assert set(policies) == {"labels-gateway", "labels-operator", "labels-worker"}


def is_policy(found: Any) -> bool:
    return bool(found["kind"] == "NetworkPolicy")


PODS = [
    pytest.param(pod, id=f"{name}-{pod['metadata']['name']}")
    for name in ("production", "kubernetes-accounts", "own-rules", "several-namespaces")
    for pod in golden(name)
    if pod["kind"] in ("Deployment", "Pod")
]


@pytest.mark.parametrize("found", PODS)
def test_a_pod_is_restricted_writes_only_to_a_sized_tmp_and_starts_no_shell(found: Any) -> None:
    pod = found["spec"]["template"]["spec"] if found["kind"] == "Deployment" else found["spec"]
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "fsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert all(not volume["emptyDir"] or volume["emptyDir"]["sizeLimit"] for volume in scratch_of(pod))
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        hooks = container.get("lifecycle", {}).values()
        started = [container["command"], *(hook["exec"]["command"] for hook in hooks)]
        assert [command[0] for command in started] == ["python"] * len(started)
        probes = [value for key, value in container.items() if key.endswith("Probe")]
        assert [sorted(set(probe) & {"exec", "httpGet"}) for probe in probes] == [["httpGet"]] * len(probes)


def scratch_of(pod: Any) -> list[Any]:
    return [volume for volume in pod.get("volumes", []) if "emptyDir" in volume]


def test_with_digests_every_image_is_named_by_its_digest() -> None:
    images = set(re.findall(r"registry\.example/\S+", json.dumps(golden("production")).replace('\\"', " ")))
    named = {image.rstrip('",}') for image in images}
    assert named == {
        "registry.example/labeltask@sha256:" + "1" * 64,
        "registry.example/labeltask-worker@sha256:" + "2" * 64,
    }


@pytest.mark.parametrize(("component", "settings"), [("gateway", GatewaySettings), ("operator", OperatorSettings)])
def test_the_chart_sets_only_variables_that_the_program_reads(component: str, settings: Any) -> None:
    helpers = (CHART / "templates" / "_helpers.tpl").read_text(encoding="utf-8")
    template = (CHART / "templates" / f"{component}-deployment.yaml").read_text(encoding="utf-8")
    found = set(re.findall(r"- name: LABELTASK_(\w+)", helpers + template))
    assert {name.lower() for name in found} <= set(settings.model_fields)


def test_examples_show_real_fields() -> None:
    for file in EXAMPLES:
        for manifest in objects(file.read_text(encoding="utf-8")):
            if manifest["kind"] == KIND:
                LabelTaskSpec.model_validate(manifest["spec"])
