"""podman's settings files, written for the machine at hand; the user's own podman keeps its settings and its images."""

from pathlib import Path

from localkube.machine import Machine

# podman lowers its own hard limit to this before it starts a container, so no container can be given more.
PODMAN_PROCESSES_LIMIT = 32768
PODMAN_OPEN_FILES_LIMIT = 1048576
RUN_DIRECTORY = Path("/run/labeltask-podman")


def render_containers_conf(machine: Machine) -> str:
    """Return containers.conf: limits that the machine grants, and no service that it does not run."""
    lines = ["[containers]"]
    if not machine.may_raise_limits:
        # Without CAP_SYS_RESOURCE podman's wish for more fails with "setrlimit: Operation not permitted".
        open_files = _within(machine.open_files_limit, PODMAN_OPEN_FILES_LIMIT)
        processes = _within(machine.processes_limit, PODMAN_PROCESSES_LIMIT)
        lines.append(f'default_ulimits = ["nofile={open_files}:{open_files}", "nproc={processes}:{processes}"]')
    # runc, for Debian's crun refuses machines whose cgroups are v1 and v2 at once.
    lines += ["[engine]", 'runtime = "runc"', f'tmp_dir = "{RUN_DIRECTORY}/libpod"']
    # A node holds nothing worth a tidy end; podman would wait ten seconds for one.
    lines.append("stop_timeout = 1")
    if not machine.systemd_runs:
        lines += ['cgroup_manager = "cgroupfs"', 'events_logger = "file"']
    # netavark, for nodes find each other by name and the older backend has no DNS for that.
    lines += ["[network]", 'network_backend = "netavark"']
    return "\n".join(lines) + "\n"


def render_storage_conf(storage: Path) -> str:
    """Return storage.conf: images live in the cache, what belongs to one boot in /run."""
    return f'[storage]\ndriver = "overlay"\ngraphroot = "{storage}"\nrunroot = "{RUN_DIRECTORY}/containers"\n'


def _within(limit: int, most: int) -> int:
    return most if limit < 0 else min(limit, most)
