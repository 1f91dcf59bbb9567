"""Root file systems made by debootstrap and kept as tar files: the ground of every image when no registry is asked."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from localkube.cache import cache_directory, content_key, scratch_directory
from localkube.commands import run
from localkube.reporting import step

SUITE = "bookworm"
# Not of use in a container: package indexes, documentation and translations.
LEFT_OUT = (
    "./dev/*",
    "./proc/*",
    "./sys/*",
    "./var/cache/apt/*",
    "./var/lib/apt/lists/*",
    "./usr/share/doc/*",
    "./usr/share/man/*",
    "./usr/share/locale/*",
)


@dataclass(frozen=True)
class DebianRoot:
    """A minimal Debian with these packages added."""

    name: str
    packages: tuple[str, ...]

    @property
    def archive(self) -> Path:
        """The tar file that holds it, once made."""
        key = content_key([(SUITE, ",".join((*self.packages, *LEFT_OUT)).encode())])
        return cache_directory() / "debian" / f"{self.name}-{SUITE}-{key}.tar"


# systemd 252 of bookworm still runs on machines whose cgroups are v1; later ones do not.
NODE_PACKAGES = """
    systemd systemd-sysv libpam-systemd dbus kmod mount util-linux procps bash
    containerd runc libseccomp2 containernetworking-plugins catatonit
    iproute2 iputils-ping iptables nftables conntrack ethtool socat
    openssl curl ca-certificates jq busybox-static
"""
NODE_ROOT = DebianRoot("node", tuple(NODE_PACKAGES.split()))
PYTHON_ROOT = DebianRoot("python", ("python3", "python3-pip", "python3-venv", "ca-certificates"))


def ensure_root(root: DebianRoot) -> Path:
    """Return the root's tar file, made if it is missing."""
    if root.archive.exists():
        return root.archive
    with (
        step(f"debootstrap the {root.name} root ({SUITE})", expected="50-90 s once"),
        scratch_directory(root.name) as scratch,
    ):
        folder = scratch / "root"
        include = f"--include={','.join(root.packages)}"
        try:
            run(f"debootstrap {root.name}", ["debootstrap", "--variant=minbase", include, SUITE, folder])
            pack(folder, scratch / "root.tar")
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        root.archive.parent.mkdir(parents=True, exist_ok=True)
        (scratch / "root.tar").replace(root.archive)
    return root.archive


def pack(folder: Path, archive: Path) -> None:
    """Write a root folder to a tar file without what only a running system has."""
    exclusions = [f"--exclude={pattern}" for pattern in LEFT_OUT]
    run("tar", ["tar", "--directory", folder, "--numeric-owner", *exclusions, "-cf", archive, "."])


def unpack(archive: Path, folder: Path) -> None:
    """Write a root's tar file out as a folder."""
    folder.mkdir(parents=True)
    run("tar", ["tar", "--directory", folder, "--numeric-owner", "--same-owner", "-xpf", archive])
