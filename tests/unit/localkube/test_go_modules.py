"""Versions, flags and keys of what is built from Go modules."""

import pytest

from localkube.go_modules import (
    COREDNS,
    CRI_TOOLS,
    ETCD,
    HELM,
    KIND,
    KUBECONFORM,
    KUBERNETES,
    KUEUE,
    PROMETHEUS,
    PROMETHEUS_OPERATOR,
    GoModule,
    required_version,
)

MODULES = [KUBERNETES, KIND, HELM, ETCD, COREDNS, CRI_TOOLS, KUBECONFORM, PROMETHEUS, PROMETHEUS_OPERATOR, KUEUE]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.folder)
def test_every_program_is_a_tool_of_a_pinned_module(module: GoModule) -> None:
    go_mod = (module.directory / "go.mod").read_text()
    assert f"{module.path} {module.version} h1:" in (module.directory / "go.sum").read_text()
    assert all(f"\t{package}\n" in go_mod or f"tool {package}\n" in go_mod for package in module.programs.values())


def test_the_kubernetes_version_is_stamped_into_its_programs() -> None:
    assert KUBERNETES.version == "v1.34.4"
    flags = KUBERNETES.linker_flags
    assert "-X k8s.io/component-base/version.gitVersion=v1.34.4" in flags
    assert "-X k8s.io/component-base/version.gitMinor=34" in flags
    assert HELM.linker_flags == "-s -w"


def test_staging_modules_have_the_version_of_kubernetes() -> None:
    lines = (KUBERNETES.directory / "go.mod").read_text().splitlines()
    staging = [line.split()[-1] for line in lines if "=>" in line]
    assert len(staging) == 31
    assert set(staging) == {KUBERNETES.version.replace("v1.", "v0.")}


def test_a_version_is_read_from_a_block_or_a_line_and_must_be_there() -> None:
    assert required_version("require example.org/a v1.2.3\n", "example.org/a") == "v1.2.3"
    assert (
        required_version("require (\n\texample.org/ab v9.9.9\n\texample.org/a v1.2.3 // indirect\n)", "example.org/a")
        == "v1.2.3"
    )
    with pytest.raises(ValueError, match="does not require"):
        required_version("module x\n", "example.org/a")
