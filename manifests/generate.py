"""Writes what is derived: CRDs from the contract's models, the chart's table of values, and renderings of the chart.

    python manifests/generate.py

Input: labeltask_contract, charts/labeltask. Output: manifests/crd.yaml (both kinds), charts/labeltask/files/crds/,
the table in charts/labeltask/README.md, manifests/install.yaml (for people without Helm) and, for each set of values in
tests/cluster/renders, what the chart makes of it. Renderings need helm: $LABELTASK_HELM, or on PATH.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
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
CHART_README = CHART / "README.md"
VALUE_SETS = sorted((ROOT / "tests" / "cluster" / "renders").glob("*.values.yaml"))
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


def render(helm: str, *more: str) -> str:
    """Return the chart as YAML, without CRDs and without what only ``helm test`` makes unless ``more`` says so."""
    command = [
        *(helm, "template", "labeltask", str(CHART)),
        *("--namespace", NAMESPACE, "--set", "crds.install=false", "--kube-version", KUBE_VERSION, *more),
    ]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout


def install_text(helm: str) -> str:
    """Return the rendered chart for people without Helm."""
    return _INSTALL_HEAD + render(helm, "--no-hooks")


def golden_file(values: Path) -> Path:
    """Return the file that holds what the chart makes of a set of values."""
    return values.with_name(values.name.replace(".values.", "."))


def values_table() -> str:
    """Return the values of the chart as a Markdown table: a row for each commented value of values.yaml."""
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    defaults = yaml.safe_load(text)
    rows = ["| value | meaning | default |", "| --- | --- | --- |"]
    for path, comment in _commented(text):
        value = defaults
        for key in path:
            value = value[key]
        shown = json.dumps(value, ensure_ascii=False)
        rows.append(f"| `{'.'.join(path)}` | {comment} | `{shown}` |")
    return "\n".join(rows) + "\n"


def _commented(text: str) -> Iterator[tuple[list[str], str]]:
    """Yield path and comment of the innermost keys that have a comment; an example in a comment is left out."""
    found: list[tuple[list[str], str]] = []
    path: list[str] = []
    comment: list[str] = []
    for line in text.splitlines():
        if note := re.fullmatch(r" *#(?: (?P<text>\S.*)|\s.*)?", line):
            comment += [note["text"]] if note["text"] else []
        elif key := re.match(r"(?P<indent> *)(?P<name>\w+):", line):
            path = [*path[: len(key["indent"]) // 2], key["name"]]
            if comment:
                found.append((path, " ".join(comment).rstrip(":")))
            comment = []
        else:
            comment = []
    paths = [path for path, _ in found]
    for path, words in found:
        if not any(other[: len(path)] == path and other != path for other in paths):
            yield path, words.replace("|", "\\|")


def chart_readme_text() -> str:
    """Return the chart's README with today's table."""
    head, _, rest = CHART_README.read_text(encoding="utf-8").partition("<!-- values -->\n")
    return f"{head}<!-- values -->\n{values_table()}<!-- end -->\n{rest.partition('<!-- end -->' + chr(10))[2]}"


def main() -> int:
    """Write all files; return the exit code."""
    for file in CRD_FILES:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(crd_text(file), encoding="utf-8")
    CHART_README.write_text(chart_readme_text(), encoding="utf-8")
    helm = find_helm()
    if helm is None:
        sys.stderr.write("helm is not on PATH and LABELTASK_HELM is not set: the chart was not rendered\n")
        return 1
    INSTALL_FILE.write_text(install_text(helm), encoding="utf-8")
    for values in VALUE_SETS:
        golden_file(values).write_text(render(helm, "--values", str(values)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
