"""What each of the project's images is made of; an image's tag is the hash of it, so a stale image can't be run."""

from dataclasses import dataclass
from pathlib import Path

from localkube.cache import content_key, file_contents

REPOSITORY = Path(__file__).parents[2]
_PROJECT_FILES = ("pyproject.toml", "README.md", "LICENSE", "requirements/build.txt")
_PACKAGES = (
    "api/labeltask_contract",
    "api/labeltask_gateway",
    "api/labeltask_logs",
    "operator/labeltask_operator",
    "worker_image/labeltask_store",
    "worker_image/labeltask_worker",
)


@dataclass(frozen=True)
class ImageInputs:
    """One image: its name without tag, its Dockerfile, the folder sent to the engine and what the build reads of it."""

    name: str
    dockerfile: Path
    context: Path
    sources: tuple[str, ...]

    def reference(self, base_image: str) -> str:
        """Return name and tag; the tag changes with the base image, the Dockerfile and any source."""
        sources = [self.dockerfile, *(self.context / source for source in self.sources)]
        contents = file_contents(sources, self.context)
        return f"{self.name}:{content_key([('base', base_image.encode()), *contents])}"


WORKER = ImageInputs(
    "localhost/labeltask-worker",
    REPOSITORY / "Dockerfile.worker",
    REPOSITORY,
    (*_PROJECT_FILES, "requirements/worker.txt", *_PACKAGES),
)
CONTROL = ImageInputs(
    "localhost/labeltask",
    REPOSITORY / "Dockerfile",
    REPOSITORY,
    (*_PROJECT_FILES, "requirements/control.txt", *_PACKAGES),
)
_MARIADB_DIRECTORY = Path(__file__).parent / "mariadb"
MARIADB = ImageInputs(
    "localhost/labeltask-mariadb",
    _MARIADB_DIRECTORY / "Dockerfile",
    _MARIADB_DIRECTORY,
    ("entrypoint.sh", "server.cnf"),
)
