"""The docker-archive writer: names, digests that hold, and the same bytes for the same files."""

import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from localkube.image_archive import StaticImage, write_archive


def image(folder: Path, name: str = "localhost/server:1") -> StaticImage:
    """Return an image of one program with a link to it."""
    program = folder / "server"
    program.write_bytes(b"program")
    program.chmod(0o755)
    return StaticImage(name, {"usr/local/bin/server": program}, ("/usr/local/bin/server",), (("bin/sh", "busybox"),))


def read_members(path: Path) -> tuple[dict[str, bytes], list[dict[str, Any]]]:
    """Return members and manifest of an archive."""
    with tarfile.open(path) as archive:
        members: dict[str, bytes] = {}
        for entry in archive.getmembers():
            content = archive.extractfile(entry)
            assert content is not None
            members[entry.name] = content.read()
    return members, json.loads(members["manifest.json"])


def test_every_image_is_listed_with_a_config_and_a_layer_whose_digests_hold(tmp_path: Path) -> None:
    archive = tmp_path / "images.tar"
    write_archive(archive, [image(tmp_path), image(tmp_path, "localhost/other:2")], "amd64")
    members, manifest = read_members(archive)
    assert [entry["RepoTags"] for entry in manifest] == [["localhost/server:1"], ["localhost/other:2"]]
    for entry in manifest:
        config = json.loads(members[entry["Config"]])
        (layer,) = entry["Layers"]
        assert entry["Config"] == hashlib.sha256(members[entry["Config"]]).hexdigest() + ".json"
        assert config["rootfs"]["diff_ids"] == ["sha256:" + hashlib.sha256(members[layer]).hexdigest()]
        assert config["config"]["Entrypoint"] == ["/usr/local/bin/server"]
        assert config["architecture"] == "amd64"


def test_a_layer_holds_parents_first_and_belongs_to_root(tmp_path: Path) -> None:
    archive = tmp_path / "images.tar"
    write_archive(archive, [image(tmp_path)], "amd64")
    members, manifest = read_members(archive)
    with tarfile.open(fileobj=io.BytesIO(members[manifest[0]["Layers"][0]])) as layer:
        entries = layer.getmembers()
    assert [entry.name for entry in entries] == [
        "usr",
        "usr/local",
        "usr/local/bin",
        "usr/local/bin/server",
        "bin",
        "bin/sh",
    ]
    assert {(entry.uid, entry.gid, entry.mtime) for entry in entries} == {(0, 0, 0)}
    assert entries[3].mode & 0o111
    assert entries[5].issym()
    assert entries[5].linkname == "busybox"


def test_the_same_files_give_the_same_image(tmp_path: Path) -> None:
    for name in ("first.tar", "second.tar"):
        write_archive(tmp_path / name, [image(tmp_path)], "amd64")
    assert read_members(tmp_path / "first.tar") == read_members(tmp_path / "second.tar")
    assert not list(tmp_path.glob("*.layer"))
