"""Debian packages that the host needs for the way without Docker: found missing, then installed once."""

import os

from localkube.commands import read, run
from localkube.reporting import step

# containerd and the CNI plugins are not among them: those run inside the nodes, and a host service is not wanted.
HOST_PACKAGES = ("podman", "netavark", "aardvark-dns", "runc", "iptables", "debootstrap")


def missing_packages(dpkg_listing: str, wanted: tuple[str, ...] = HOST_PACKAGES) -> list[str]:
    """Return the wanted packages that a `Package Status` listing does not show as installed."""
    installed = {line.split()[0] for line in dpkg_listing.splitlines() if line.endswith(" installed")}
    return [package for package in wanted if package not in installed]


def ensure_host_packages() -> None:
    """Afterwards the packages are installed; the package lists are fetched only when one is missing."""
    missing = missing_packages(read("dpkg", ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\\n"]))
    if not missing:
        return
    with step(f"install Debian packages: {' '.join(missing)}", expected="20 s"):
        environment = {"DEBIAN_FRONTEND": "noninteractive", "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
        run("apt-get update", ["apt-get", "update"], environment=environment, timeout_seconds=600)
        run(
            "apt-get install",
            ["apt-get", "-o", "DPkg::Lock::Timeout=600", "install", "--yes", "--no-install-recommends", *missing],
            environment=environment,
            timeout_seconds=900,
        )
