"""What this machine is: the facts that decide on the engine and its settings, read once and passed on."""

import os
import platform
import resource
import shutil
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from localkube.commands import succeeds

CAP_SYS_RESOURCE = 24


@dataclass(frozen=True)
class Machine:
    """Facts, no wishes."""

    docker_answers: bool
    is_root: bool
    has_apt: bool
    systemd_runs: bool
    may_raise_limits: bool
    open_files_limit: int
    processes_limit: int


@cache
def observe_machine() -> Machine:
    """Look at the machine; asks Docker once a process."""
    # Absent where Docker is the only choice anyway, such as on a Mac.
    process_status = Path("/proc/self/status")
    return Machine(
        docker_answers=succeeds(["docker", "info"], timeout_seconds=15),
        is_root=os.geteuid() == 0,
        has_apt=shutil.which("apt-get") is not None,
        systemd_runs=Path("/run/systemd/system").is_dir(),
        may_raise_limits=process_status.exists() and has_capability(process_status.read_text(), CAP_SYS_RESOURCE),
        open_files_limit=resource.getrlimit(resource.RLIMIT_NOFILE)[1],
        processes_limit=resource.getrlimit(resource.RLIMIT_NPROC)[1],
    )


def has_capability(process_status: str, number: int) -> bool:
    """Tell if the effective capabilities in a /proc/…/status text hold the one of that number."""
    for line in process_status.splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def image_architecture() -> str:
    """Return this machine's architecture in the words of container images."""
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)
