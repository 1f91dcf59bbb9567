"""What the chart makes of four sets of values, whole: as committed, and accepted by a real API server."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from labeltask_testing.cluster_commands import ROOT, kubectl, run
from labeltask_testing.installation import Installation

RENDERS = ROOT / "tests" / "cluster" / "renders"
VALUE_SETS = sorted(RENDERS.glob("*.values.yaml"))
_RENDER = f"""
import importlib.util, pathlib, sys
spec = importlib.util.spec_from_file_location("g", {str(ROOT / "manifests" / "generate.py")!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
sys.stdout.write(module.render(module.find_helm(), "--values", sys.argv[1]))
"""


def golden(values: Path) -> str:
    return values.with_name(values.name.replace(".values.", ".")).read_text(encoding="utf-8")


def named(values: Path) -> str:
    return values.name.split(".")[0]


@pytest.mark.parametrize("values", VALUE_SETS, ids=named)
def test_a_set_of_values_renders_as_committed(values: Path) -> None:
    rendered = run(sys.executable, "-c", _RENDER, str(values))
    assert rendered == golden(values), f"{values.name}: run make manifests and look at what changed"


def namespaced(found: Any, namespace: str) -> Any:
    if "namespace" in found["metadata"]:
        found["metadata"]["namespace"] = namespace
    return found


@pytest.mark.parametrize(
    "file",
    [ROOT / "manifests" / "install.yaml", *(values.with_name(f"{named(values)}.yaml") for values in VALUE_SETS)],
    ids=named,
)
def test_an_api_server_accepts_every_object(file: Path, installation: Installation) -> None:
    """All but the Prometheus operator's kinds, whose definitions this cluster has not."""
    objects = [found for found in yaml.safe_load_all(file.read_text(encoding="utf-8")) if found]
    known = [
        namespaced(found, installation.namespace)
        for found in objects
        if not found["apiVersion"].startswith("monitoring.coreos.com/") and found["kind"] != "Namespace"
    ]
    listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": known})
    answer = kubectl("apply", "--dry-run=server", "--filename", "-", stdin=listed)
    assert len(answer.splitlines()) == len(known)
