"""The programs built from Go modules: what is built, at which version, with which flags.

Each folder below `go/` is a module without code: its go.mod names the tools and pins the version, its go.sum pins every
byte they are built of. They are apart because Kubernetes, etcd and the rest ask for different versions of the same
libraries. Versions are read from go.mod, so no second place can disagree.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from localkube.cache import content_key

GO_DIRECTORY = Path(__file__).parent / "go"


@dataclass(frozen=True)
class GoModule:
    """One folder below `go/`; `programs` maps a program's file name to the package that it is built from."""

    folder: str
    path: str
    programs: dict[str, str]
    stamped_packages: tuple[str, ...] = ()

    @property
    def directory(self) -> Path:
        """The folder that holds go.mod and go.sum."""
        return GO_DIRECTORY / self.folder

    @property
    def version(self) -> str:
        """The pinned version, such as v1.34.4."""
        return required_version((self.directory / "go.mod").read_text(), self.path)

    @property
    def linker_flags(self) -> str:
        """Strip the binary and stamp its version: `go build` alone leaves nodes reporting v0.0.0."""
        major, minor, _ = self.version.removeprefix("v").split(".", 2)
        values = {"gitVersion": self.version, "gitMajor": major, "gitMinor": minor}
        stamps = [f"-X {package}.{name}={value}" for package in self.stamped_packages for name, value in values.items()]
        return " ".join(["-s -w", *stamps])

    @property
    def key(self) -> str:
        """Changes whenever anything changes that the binaries are made of, the Go toolchain left aside."""
        files = [(name, (self.directory / name).read_bytes()) for name in ("go.mod", "go.sum")]
        return content_key([*files, ("flags", self.linker_flags.encode())])


def required_version(go_mod: str, module: str) -> str:
    """Return the version at which a go.mod requires a module."""
    found = re.search(rf"^(?:require)?\s*{re.escape(module)} (v\S+)", go_mod, re.MULTILINE)
    if not found:
        raise ValueError(f"go.mod does not require {module}")
    return found[1]


_KUBERNETES_PROGRAMS = (
    "kubectl",
    "kubeadm",
    "kubelet",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kube-proxy",
)
KUBERNETES = GoModule(
    "kubernetes",
    "k8s.io/kubernetes",
    {name: f"k8s.io/kubernetes/cmd/{name}" for name in _KUBERNETES_PROGRAMS},
    stamped_packages=("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"),
)
KIND = GoModule("kind", "sigs.k8s.io/kind", {"kind": "sigs.k8s.io/kind"})
HELM = GoModule("helm", "helm.sh/helm/v3", {"helm": "helm.sh/helm/v3/cmd/helm"})
ETCD = GoModule("etcd", "go.etcd.io/etcd/server/v3", {"etcd": "go.etcd.io/etcd/server/v3"})
COREDNS = GoModule("coredns", "github.com/coredns/coredns", {"coredns": "github.com/coredns/coredns"})
KUBECONFORM = GoModule(
    "kubeconform", "github.com/yannh/kubeconform", {"kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform"}
)
PROMETHEUS = GoModule(
    "prometheus", "github.com/prometheus/prometheus", {"promtool": "github.com/prometheus/prometheus/cmd/promtool"}
)
PROMETHEUS_OPERATOR = GoModule("prometheus-operator", "github.com/prometheus-operator/prometheus-operator", {})
"""Not built: its definitions of ServiceMonitor and PrometheusRule are read."""
KUEUE = GoModule("kueue", "sigs.k8s.io/kueue", {"kueue": "sigs.k8s.io/kueue/cmd/kueue"})
"""Its chart comes with the module."""
CRI_TOOLS = GoModule("cri-tools", "sigs.k8s.io/cri-tools", {"crictl": "sigs.k8s.io/cri-tools/cmd/crictl"})
