"""The project's images in the cluster: built if their inputs changed, loaded into the nodes that lack them.

Other programs ask `load_references` for the exact names to run; a name's tag is the hash of what the image is made of.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from localkube.cache import scratch_directory
from localkube.cluster import node_names, run_on_node
from localkube.commands import run
from localkube.engine import Engine
from localkube.image_build import ensure_base_image, ensure_image, has_image
from localkube.image_inputs import CONTROL, MARIADB, WORKER
from localkube.kind_config import CLUSTER_NAME
from localkube.reporting import ComponentError, say, step
from localkube.toolset import cluster_directory, command_environment

PUBLIC_DATABASE_IMAGE = "docker.io/library/mysql:8.4"


@dataclass(frozen=True)
class ImageReferences:
    """The images to run: `control` holds gateway and operator, `mariadb` is MySQL 8.4 where Docker could pull it."""

    worker: str
    control: str
    mariadb: str


def references_path() -> Path:
    """Return the file that tells other programs which images were built last."""
    return cluster_directory() / "images.json"


def load_references() -> ImageReferences:
    """Return the images that the last `python -m localkube images` built and loaded."""
    if not references_path().exists():
        raise ComponentError("images", "none were built yet; run `python -m localkube images` first")
    return ImageReferences(**json.loads(references_path().read_text()))


def ensure_images(engine: Engine) -> ImageReferences:
    """Afterwards the images are built from the tree as it is and every node has them."""
    base = ensure_base_image(engine)
    references = ImageReferences(
        worker=ensure_image(engine, WORKER, base),
        control=ensure_image(engine, CONTROL, base),
        mariadb=_ensure_database_image(engine, base),
    )
    load_images(engine, [references.worker, references.control, references.mariadb])
    fresh = references_path().with_suffix(".new")
    fresh.write_text(json.dumps(asdict(references), indent=2) + "\n")
    fresh.replace(references_path())
    return references


def load_images(engine: Engine, references: Sequence[str]) -> None:
    """Afterwards every node has the images; those that are there already are not sent again."""
    nodes = node_names(engine)
    if not nodes:
        raise ComponentError("images", "there is no cluster to load them into; run `python -m localkube up` first")
    held = [_images_on_node(engine, node) for node in nodes]
    missing = [reference for reference in references if not all(reference in images for images in held)]
    if not missing:
        say(f"  ✓ all images are on all {len(nodes)} node(s) already")
        return
    with (
        step(f"load {len(missing)} image(s) into {len(nodes)} node(s)", expected="10 s"),
        scratch_directory("load") as scratch,
    ):
        archive = scratch / "images.tar"
        # One archive for all: what the images have in common is in it once.
        options = ["--multi-image-archive"] if engine.builds_its_own_images else []
        run(
            "save images",
            [engine.command, "save", *options, "--output", archive, *missing],
            environment=engine.environment,
        )
        load_archives(engine, [archive])


def load_archives(engine: Engine, archives: Sequence[Path]) -> None:
    """Load images from docker-archive files into every node."""
    for archive in archives:
        run(
            "kind load image-archive",
            ["kind", "load", "image-archive", archive, "--name", CLUSTER_NAME],
            environment=command_environment(engine),
            timeout_seconds=600,
        )


def _ensure_database_image(engine: Engine, base: str) -> str:
    if engine.builds_its_own_images:
        return ensure_image(engine, MARIADB, base)
    if not has_image(engine, PUBLIC_DATABASE_IMAGE):
        with step(f"pull {PUBLIC_DATABASE_IMAGE}", expected="1 minute once"):
            run("pull database", [engine.command, "pull", PUBLIC_DATABASE_IMAGE], environment=engine.environment)
    return PUBLIC_DATABASE_IMAGE


def _images_on_node(engine: Engine, node: str) -> set[str]:
    listing = json.loads(run_on_node(engine, node, "crictl", "images", "--output", "json"))
    return {tag for image in listing["images"] for tag in image["repoTags"]}
