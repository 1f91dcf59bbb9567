"""Every manifest of the repository against what the cluster's own API server publishes of its kinds, by kubeconform.

Stricter than the API server, which takes a misspelt field of a known kind and drops it.
"""

import json
from pathlib import Path

import pytest
import yaml

from labeltask_testing.cluster_commands import ROOT, CommandError, kubectl, run
from labeltask_testing.installation import Installation
from labeltask_testing.kube_schemas import LOCATION, write_crd_schemas, write_openapi_schemas
from localkube.cache import exclusive_lock
from localkube.go_modules import KUBECONFORM, PROMETHEUS_OPERATOR
from localkube.go_programs import ensure_programs, module_source

MANIFESTS = sorted(
    file
    for folder in (ROOT / "manifests", ROOT / "tests" / "cluster" / "renders")
    for file in folder.rglob("*.yaml")
    if not file.name.endswith(".values.yaml")
)
GOOD = """
apiVersion: labelapi.io/v1
kind: LabelDump
metadata: {name: a}
spec: {group: GENDER, taskIds: [aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa], previousSchema: p, output: {schema: s}}
"""


@pytest.fixture(scope="module")
def kubeconform(installation: Installation, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """The command, with the schemas of the installation's cluster and of the Prometheus operator's two kinds."""
    assert installation
    with exclusive_lock():
        program = ensure_programs(KUBECONFORM)["kubeconform"]
        definitions = module_source(PROMETHEUS_OPERATOR) / "example" / "prometheus-operator-crd"
    schemas = tmp_path_factory.mktemp("schemas")
    write_openapi_schemas(schemas, json.loads(kubectl("get", "--raw", "/openapi/v2")))
    for plural in ("servicemonitors", "prometheusrules"):
        text = (definitions / f"monitoring.coreos.com_{plural}.yaml").read_text(encoding="utf-8")
        write_crd_schemas(schemas, yaml.safe_load(text))
    return (str(program), "-strict", "-output", "json", "-summary", "-schema-location", f"{schemas}/{LOCATION}")


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_object_is_as_its_kind_wants_it(file: Path, kubeconform: tuple[str, ...]) -> None:
    objects = [found for found in yaml.safe_load_all(file.read_text(encoding="utf-8")) if found]
    summary = json.loads(run(*kubeconform, str(file)))["summary"]
    assert summary == {"valid": len(objects), "invalid": 0, "errors": 0, "skipped": 0}


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("taskIds", "taskids", "taskids"),
        ("a" * 32, "nope", "taskIds"),
        ("output: {schema: s}", "outputs: {}", "output"),
        ("metadata: {name: a}", "metadata: {name: a, label: {}}", "label"),
    ],
    ids=["a misspelt field", "a value of another form", "a field that lacks", "a misspelt field of the metadata"],
)
def test_a_mistake_is_found(before: str, after: str, told: str, kubeconform: tuple[str, ...]) -> None:
    assert json.loads(run(*kubeconform, "-", stdin=GOOD))["summary"]["valid"] == 1
    assert before in GOOD
    with pytest.raises(CommandError, match=told):
        run(*kubeconform, "-", stdin=GOOD.replace(before, after))
