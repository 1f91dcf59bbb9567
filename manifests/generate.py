"""Writes what is derived: the CRDs from the contract's models, and the chart's rendering for people without Helm.

    python manifests/generate.py

Input: labeltask_contract, charts/labeltask. Output: manifests/crd.yaml (both kinds), charts/labeltask/files/crds/,
manifests/install.yaml. The last one needs helm: $LABELTASK_HELM, or on PATH.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from labeltask_contract.crd import build_crd
from labeltask_contract.dump_crd import build_dump_crd

ROOT = Path(__file__).parents[1]
CHART = ROOT / "charts" / "labeltask"
CHART_CRDS = CHART / "files" / "crds"
CRD_FILES = {
    ROOT / "manifests" / "crd.yaml": (build_crd, build_dump_crd),
    CHART_CRDS / "labeltasks.yaml": (build_crd,),
    CHART_CRDS / "labeldumps.yaml": (build_dump_crd,),
}
INSTALL_FILE = ROOT / "manifests" / "install.yaml"
NAMESPACE = "labeltask"
KUBE_VERSION = "1.34.0"
"""For the chart's own check: helm without a cluster would guess a version of its own."""

_CRD_HEAD = "# Generated from api/labeltask_contract by manifests/generate.py; edit the models instead.\n"
_INSTALL_HEAD = f"""\
# LabelTask without Helm: apply crd.yaml first, then this. charts/labeltask rendered by manifests/generate.py.
apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
  labels:
    app.kubernetes.io/part-of: labeltask
    pod-security.kubernetes.io/enforce: restricted
"""


def crd_text(file: Path) -> str:
    """Return the CRDs of one file as YAML; in the chart with the word that ``helm uninstall`` keeps them."""
    crds = [build() for build in CRD_FILES[file]]
    if file.is_relative_to(CHART):
        for crd in crds:
            crd["metadata"]["annotations"] = {"helm.sh/resource-policy": "keep"}
    return _CRD_HEAD + yaml.safe_dump_all(crds, sort_keys=False, allow_unicode=True, width=120)


def find_helm() -> str | None:
    """Return the path of helm."""
    return os.environ.get("LABELTASK_HELM") or shutil.which("helm")


def install_text(helm: str) -> str:
    """Return the rendered chart as YAML."""
    command = [
        *(helm, "template", "labeltask", str(CHART)),
        *("--namespace", NAMESPACE, "--set", "crds.install=false", "--kube-version", KUBE_VERSION),
    ]
    rendered = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    return _INSTALL_HEAD + rendered


def main() -> int:
    """Write all files; return the exit code."""
    for file in CRD_FILES:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(crd_text(file), encoding="utf-8")
    helm = find_helm()
    if helm is None:
        sys.stderr.write("helm is not on PATH and LABELTASK_HELM is not set: manifests/install.yaml was not rendered\n")
        return 1
    INSTALL_FILE.write_text(install_text(helm), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
