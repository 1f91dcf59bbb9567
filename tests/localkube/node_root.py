"""Turn a minimal Debian into the root of a kind node, as kind's own image build does with its own base.

kind's entrypoint, systemd units and settings are taken unchanged from kind's Go module, where `go.sum` vouches for
them; what differs (Debian's containerd, the pod network) is in node_files/.
"""

import shutil
from pathlib import Path

from localkube.commands import run
from localkube.control_plane_images import POD_NETWORK_IMAGE
from localkube.go_modules import KIND, KUBERNETES
from localkube.go_programs import Programs, module_source

NODE_FILES = Path(__file__).parent / "node_files"
KIND_FILES = "images/base/files"
# What kind's Dockerfile switches off: a node is no machine, it has no disks, consoles or devices of its own.
UNITS_OFF = (
    "lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service",
    "lib/systemd/system/multi-user.target.wants/*",
    "etc/systemd/system/*.wants/*",
    "lib/systemd/system/local-fs.target.wants/*",
    "lib/systemd/system/sockets.target.wants/*udev*",
    "lib/systemd/system/sockets.target.wants/*initctl*",
    "lib/systemd/system/basic.target.wants/*",
)


def assemble_node_root(root: Path, programs: Programs, pause_image: str) -> None:
    """Afterwards the root holds all of a node but its preloaded images."""
    _copy_kind_files(module_source(KIND) / KIND_FILES, root)
    _install_programs(root, programs)
    _write_settings(root, pause_image)
    _choose_units(root)


def _copy_kind_files(source: Path, root: Path) -> None:
    for file in sorted(source.rglob("*")):
        relative = file.relative_to(source)
        # The rootless snapshotter is not installed; containerd's settings are this project's own.
        if file.is_dir() or file.name == "containerd-fuse-overlayfs.service" or relative.parts[1] == "containerd":
            continue
        target = root / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
        target.chmod(0o755 if "bin" in relative.parts else 0o644)
    unit = root / "etc/systemd/system/containerd.service"
    unit.write_text(unit.read_text().replace("/usr/local/bin/containerd", "/usr/bin/containerd"))


def _install_programs(root: Path, programs: Programs) -> None:
    # Where kind's units and kind's own image have them.
    for target in ("usr/bin/kubeadm", "usr/bin/kubelet", "usr/bin/kubectl", "usr/local/bin/crictl"):
        shutil.copyfile(programs[Path(target).name], root / target)
        (root / target).chmod(0o755)
    shutil.copytree(root / "usr/lib/cni", root / "opt/cni/bin", dirs_exist_ok=True)


def _write_settings(root: Path, pause_image: str) -> None:
    for folder in ("etc/kubernetes/manifests", "etc/containerd", "kind/manifests"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    networks = root / "etc/cni/net.d"
    shutil.rmtree(networks, ignore_errors=True)
    networks.mkdir(parents=True)
    (root / "kind/version").write_text(KUBERNETES.version)
    containerd = (NODE_FILES / "containerd.toml").read_text().replace("@PAUSE_IMAGE@", pause_image)
    (root / "etc/containerd/config.toml").write_text(containerd)
    network = (NODE_FILES / "default-cni.yaml").read_text().replace("@POD_NETWORK_IMAGE@", POD_NETWORK_IMAGE)
    (root / "kind/manifests/default-cni.yaml").write_text(network)
    shutil.copyfile(NODE_FILES / "default-storage.yaml", root / "kind/manifests/default-storage.yaml")
    with (root / "etc/systemd/journald.conf").open("a") as journald:
        journald.write("ReadKMsg=no\n")


def _choose_units(root: Path) -> None:
    for pattern in UNITS_OFF:
        for unit in root.glob(pattern):
            unit.unlink()
    enabled = ["kubelet.service", "containerd.service", "undo-mount-hacks.service"]
    run("node units", ["chroot", root, "systemctl", "enable", *enabled])
    run("node units", ["chroot", root, "systemctl", "mask", "systemd-binfmt.service"])
