"""Which files make which image of the control plane, for a node whose images are in it before it first starts.

Names and tags are those that kubeadm of this Kubernetes asks for. etcd, coredns and pause carry those names with the
nearest version that is at hand: etcd and coredns of go.mod, and Debian's catatonit for pause.
"""

import subprocess
from pathlib import Path

from localkube.commands import read
from localkube.go_modules import KUBERNETES
from localkube.go_programs import Programs
from localkube.image_archive import StaticImage
from localkube.reporting import ComponentError

POD_NETWORK_IMAGE = "localhost/labeltask-pod-network:1"
IPTABLES_PROGRAM = "usr/sbin/xtables-nft-multi"
IPTABLES_COMMANDS = tuple(
    f"{family}{suffix}" for family in ("iptables", "ip6tables") for suffix in ("", "-save", "-restore")
)
SHELL_COMMANDS = ("sh", "cat", "mv", "sleep", "ip")


def required_image_names(kubeadm: Path) -> dict[str, str]:
    """Return the full name of each image that kubeadm asks for, by its short name (etcd, pause, kube-proxy …)."""
    listing = read(
        "kubeadm config images list",
        [kubeadm, "config", "images", "list", "--kubernetes-version", KUBERNETES.version],
    )
    return {line.rsplit("/", 1)[-1].rsplit(":", 1)[0]: line for line in listing.split()}


def control_plane_images(root: Path, programs: Programs, names: dict[str, str], pod_network: Path) -> list[StaticImage]:
    """Return the images; files that are no Go programs come from the node's own root folder."""

    def single(name: str, target: str, source: Path, *arguments: str) -> StaticImage:
        return StaticImage(names[name], {target: source}, (f"/{target}", *arguments))

    iptables = iptables_files(root)
    iptables_links = tuple((f"usr/sbin/{name}", Path(IPTABLES_PROGRAM).name) for name in IPTABLES_COMMANDS)
    busybox_links = tuple((f"bin/{name}", "busybox") for name in SHELL_COMMANDS)
    kube_servers = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")
    return [
        *(single(name, f"usr/local/bin/{name}", programs[name]) for name in kube_servers),
        single("coredns", "coredns", programs["coredns"]),
        single("pause", "pause", root / "usr/bin/catatonit", "-P"),
        StaticImage(
            names["kube-proxy"],
            {**iptables, "usr/local/bin/kube-proxy": programs["kube-proxy"]},
            ("/usr/local/bin/kube-proxy",),
            iptables_links,
        ),
        StaticImage(
            POD_NETWORK_IMAGE,
            {
                **iptables,
                "bin/busybox": root / "bin/busybox",
                "usr/local/bin/kubectl": programs["kubectl"],
                "pod-network.sh": pod_network,
            },
            ("/bin/sh", "/pod-network.sh"),
            (*iptables_links, *busybox_links),
        ),
    ]


def iptables_files(root: Path) -> dict[str, Path]:
    """Return Debian's iptables as files of an image: the program, its extensions and the libraries of both."""
    extensions = sorted(root.glob("usr/lib/*/xtables/*.so"))
    inside = [f"/{IPTABLES_PROGRAM}", *(f"/{path.relative_to(root)}" for path in extensions)]
    libraries = sorted({word for word in _in_root(root, "ldd", *inside).split() if word.startswith("/lib")})
    real_paths = _in_root(root, "readlink", "-f", *inside, *libraries).split()
    return {
        target.lstrip("/"): root / real.lstrip("/")
        for target, real in zip([*inside, *libraries], real_paths, strict=True)
    }


def _in_root(root: Path, *command: str) -> str:
    """Run a program inside the root: its links and libraries are to be resolved there, not on the host."""
    done = subprocess.run(["chroot", root, *command], capture_output=True, text=True, check=False)
    if not done.stdout:
        raise ComponentError("node image", f"`{command[0]}` in the node's root printed nothing", done.stderr)
    return done.stdout
