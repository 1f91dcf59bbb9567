"""Build the Go programs once and keep them: minutes the first time, nothing afterwards.

`host_programs` are what a person and the tests call (kind, kubectl, helm); `node_programs` are what a node image built
here is made of, and are never built where Docker brings the public node image. What only some tests need (kubeconform,
promtool, Kueue) is built by them.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from localkube.cache import cache_directory, scratch_directory
from localkube.commands import read, run, succeeds
from localkube.go_modules import COREDNS, CRI_TOOLS, ETCD, HELM, KIND, KUBERNETES, GoModule
from localkube.reporting import ComponentError, step

Programs = dict[str, Path]


def program_path(module: GoModule, name: str) -> Path:
    """Return where a program is, or will be once built."""
    return cache_directory() / "programs" / f"{module.folder}-{module.version}-{module.key}" / name


def host_bin_directory() -> Path:
    """Return the folder to put on PATH: links to kind, kubectl and helm, and nothing else."""
    return cache_directory() / "bin"


def ensure_host_programs() -> None:
    """Afterwards kind, kubectl and helm can be called from the host's bin folder."""
    programs = {**ensure_programs(KIND), **ensure_programs(KUBERNETES, ["kubectl"]), **ensure_programs(HELM)}
    folder = host_bin_directory()
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in programs.items():
        link = folder / name
        if not link.is_symlink() or link.readlink() != path:
            fresh = folder / f".{name}.new"
            fresh.unlink(missing_ok=True)
            fresh.symlink_to(path)
            fresh.replace(link)


def ensure_node_programs() -> Programs:
    """Return the programs of a node: Kubernetes, etcd, coredns and crictl."""
    return {
        name: path
        for module in (KUBERNETES, ETCD, CRI_TOOLS, COREDNS)
        for name, path in ensure_programs(module).items()
    }


def ensure_programs(module: GoModule, names: Iterable[str] = ()) -> Programs:
    """Return the module's programs (all, or those named), built if any is missing."""
    wanted = {name: program_path(module, name) for name in (names or module.programs)}
    missing = [name for name, path in wanted.items() if not path.exists()]
    if missing:
        with step(f"build {', '.join(missing)} {module.version} from Go modules", expected="1-7 minutes once"):
            _build(module, missing)
    return wanted


def _build(module: GoModule, names: list[str]) -> None:
    _require_go()
    with scratch_directory("go-build") as scratch:
        for name in names:
            # One by one: what is finished stays, whenever the build is stopped.
            options = ["-mod=readonly", "-buildvcs=false", "-trimpath", "-ldflags", module.linker_flags]
            run(
                f"go build {name}",
                ["go", "build", *options, "-o", scratch / name, module.programs[name]],
                # Static: the same file runs on the host, in the node and alone in an image.
                environment={"CGO_ENABLED": "0", "GOWORK": "off"},
                directory=module.directory,
            )
            target = program_path(module, name)
            target.parent.mkdir(parents=True, exist_ok=True)
            (scratch / name).replace(target)


def module_source(module: GoModule) -> Path:
    """Return the folder of a module's own files, fetched and checked against go.sum."""
    _require_go()
    answer = read(
        f"go mod download {module.path}",
        ["go", "mod", "download", "-json", module.path],
        environment={"GOWORK": "off"},
        directory=module.directory,
        timeout_seconds=600,
    )
    return Path(json.loads(answer)["Dir"])


def _require_go() -> None:
    if not succeeds(["go", "version"]):
        raise ComponentError("go", f"not found on PATH ({os.environ.get('PATH', '')}); install Go 1.26 or later")
