"""Write container images to a docker-archive without any engine: one layer an image, holding a few plain files.

The control plane's programs are static binaries; a file, a name and an entrypoint are all that an image of one needs.
Layout: https://github.com/moby/docker-image-spec (manifest.json, one config and one layer an image).
"""

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

# A fixed moment: the same files give the same image, byte for byte.
CREATED = "2026-01-01T00:00:00Z"
SEARCH_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class StaticImage:
    """An image: `files` maps a path in it to a file here, `links` a path in it to what the link says."""

    name: str
    files: dict[str, Path]
    entrypoint: tuple[str, ...]
    links: tuple[tuple[str, str], ...] = ()


def write_archive(archive: Path, images: Iterable[StaticImage], architecture: str) -> None:
    """Afterwards the archive holds the images under their names, ready for `ctr images import`."""
    manifest = []
    layer = archive.with_suffix(".layer")
    try:
        with tarfile.open(archive, "w") as output:
            for image in images:
                digest = _write_layer(layer, image)
                config = _image_config(image, digest, architecture)
                config_name = f"{hashlib.sha256(config).hexdigest()}.json"
                output.add(layer, f"{digest}.tar")
                _add_bytes(output, config_name, config)
                manifest.append({"Config": config_name, "RepoTags": [image.name], "Layers": [f"{digest}.tar"]})
            _add_bytes(output, "manifest.json", json.dumps(manifest).encode())
    finally:
        layer.unlink(missing_ok=True)


def _write_layer(path: Path, image: StaticImage) -> str:
    """Write the layer and return its digest: parents before children, owned by root, without times."""
    with tarfile.open(path, "w") as layer:
        known: set[PurePosixPath] = set()
        for target, source in sorted(image.files.items()):
            _add_parents(layer, target, known)
            layer.add(source.resolve(), target, recursive=False, filter=_owned_by_root)
        for target, points_to in sorted(image.links):
            _add_parents(layer, target, known)
            link = tarfile.TarInfo(target)
            link.type, link.linkname = tarfile.SYMTYPE, points_to
            layer.addfile(link)
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _add_parents(layer: tarfile.TarFile, target: str, known: set[PurePosixPath]) -> None:
    for parent in reversed(PurePosixPath(target).parents):
        if parent != PurePosixPath() and parent not in known:
            known.add(parent)
            folder = tarfile.TarInfo(str(parent))
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            layer.addfile(folder)


def _owned_by_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = "root"
    return entry


def _image_config(image: StaticImage, layer_digest: str, architecture: str) -> bytes:
    config = {
        "architecture": architecture,
        "os": "linux",
        "created": CREATED,
        "config": {"Entrypoint": list(image.entrypoint), "Env": [SEARCH_PATH]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
        "history": [{"created": CREATED}],
    }
    return json.dumps(config, sort_keys=True).encode()


def _add_bytes(output: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    output.addfile(entry, io.BytesIO(content))
