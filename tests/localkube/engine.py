"""Which container engine runs the nodes and builds the images: Docker where it answers, else podman as root on Debian.

The rest of the package asks an `Engine` for a command and an environment and does not know which one it has.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from localkube.cache import cache_directory
from localkube.machine import Machine, observe_machine
from localkube.podman_settings import render_containers_conf, render_storage_conf
from localkube.reporting import ComponentError


class EngineName(StrEnum):
    """The engines that kind can use here."""

    DOCKER = "docker"
    PODMAN = "podman"


@dataclass(frozen=True)
class Engine:
    """An engine ready to be called: `command` is its program, `environment` what it and kind need to find it."""

    name: EngineName
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def command(self) -> str:
        """The program to call; both take the same words for all that is asked of them here."""
        return self.name.value

    @property
    def builds_its_own_images(self) -> bool:
        """True where no image registry is asked: node, base and database images are then made from Debian packages."""
        return self.name is EngineName.PODMAN


def choose_engine(machine: Machine) -> EngineName:
    """Prefer Docker, the way most people have; podman needs root and Debian's packages."""
    if machine.docker_answers:
        return EngineName.DOCKER
    if machine.is_root and machine.has_apt:
        return EngineName.PODMAN
    raise ComponentError(
        "container engine",
        "`docker info` gets no answer, and the way without Docker needs root on Debian; start Docker or use sudo",
    )


def current_engine() -> Engine:
    """Return this machine's engine, with podman's settings written to the cache."""
    machine = observe_machine()
    name = choose_engine(machine)
    if name is EngineName.DOCKER:
        return Engine(name)
    folder = cache_directory() / "podman"
    folder.mkdir(parents=True, exist_ok=True)
    containers_conf = _write(folder / "containers.conf", render_containers_conf(machine))
    storage_conf = _write(folder / "storage.conf", render_storage_conf(folder / "storage"))
    return Engine(
        name,
        {
            "CONTAINERS_CONF": str(containers_conf),
            "CONTAINERS_STORAGE_CONF": str(storage_conf),
            "KIND_EXPERIMENTAL_PROVIDER": "podman",
        },
    )


def _write(path: Path, content: str) -> Path:
    if not path.exists() or path.read_text() != content:
        path.write_text(content)
    return path
