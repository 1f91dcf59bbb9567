"""The environment of every command on the cluster: which kubeconfig, which programs, which engine.

`python -m localkube env` prints it for a shell; tests pass it to subprocesses.
"""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from localkube.cache import cache_directory
from localkube.engine import Engine, current_engine
from localkube.go_programs import host_bin_directory
from localkube.kind_config import CLUSTER_NAME


def cluster_directory() -> Path:
    """Return the folder of what is known about this cluster alone."""
    return cache_directory() / "clusters" / CLUSTER_NAME


def kubeconfig_path() -> Path:
    """Return the project's own kubeconfig; the user's is never read or written."""
    return cluster_directory() / "kubeconfig"


def command_environment(engine: Engine | None = None, base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the variables to add to the environment of kind, kubectl and helm."""
    return {
        "KUBECONFIG": str(kubeconfig_path()),
        "PATH": f"{host_bin_directory()}:{base.get('PATH', '')}",
        **(engine or current_engine()).environment,
    }


def shell_exports(engine: Engine | None = None) -> str:
    """Return `export` lines for a POSIX shell, to be used with eval; PATH is put in front of the shell's own."""
    variables = command_environment(engine)
    variables.pop("PATH")
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    return "\n".join([*lines, f'export PATH={shlex.quote(str(host_bin_directory()))}:"$PATH"'])
