"""References of the project's images, and what a build is told of this machine."""

import tomllib
from pathlib import Path

import pytest

from localkube.image_build import render_pip_config
from localkube.image_inputs import CONTROL, REPOSITORY, WORKER, ImageInputs
from localkube.images import ImageReferences, load_references, references_path
from localkube.reporting import ComponentError


@pytest.fixture
def inputs(tmp_path: Path) -> ImageInputs:
    """An image made of a Dockerfile, one file and one folder."""
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "code.py").write_text("a = 1\n")
    (tmp_path / "lock.txt").write_text("x==1\n")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    return ImageInputs("localhost/thing", tmp_path / "Dockerfile", tmp_path, ("lock.txt", "package"))


def test_a_reference_is_the_same_for_the_same_inputs(inputs: ImageInputs) -> None:
    assert inputs.reference("base:1") == inputs.reference("base:1")
    assert inputs.reference("base:1").startswith("localhost/thing:")


@pytest.mark.parametrize("changed", ["package/code.py", "lock.txt", "Dockerfile"])
def test_a_reference_changes_with_every_input(inputs: ImageInputs, changed: str) -> None:
    before = inputs.reference("base:1")
    (inputs.context / changed).write_text("other\n")
    assert inputs.reference("base:1") != before


def test_a_reference_changes_with_the_base_image(inputs: ImageInputs) -> None:
    assert inputs.reference("base:1") != inputs.reference("base:2")


@pytest.mark.parametrize("image", [WORKER, CONTROL], ids=lambda image: image.dockerfile.name)
def test_what_a_dockerfile_copies_is_part_of_its_references(image: ImageInputs) -> None:
    copied = [
        source.strip("/")
        for line in image.dockerfile.read_text().splitlines()
        if line.startswith("COPY ") and "--from" not in line
        for source in line.split()[1:-1]
    ]
    for source in copied:
        assert any(known == source or known.startswith(f"{source}/") for known in image.sources), source


@pytest.mark.parametrize("image", [WORKER, CONTROL], ids=lambda image: image.dockerfile.name)
def test_every_package_of_the_wheel_is_part_of_an_images_reference(image: ImageInputs) -> None:
    wheel = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert [package for package in wheel["packages"] if package not in image.sources] == []


def test_pip_in_a_build_gets_this_machines_settings_but_no_folders_of_it() -> None:
    environment = {
        "PIP_DEFAULT_TIMEOUT": "180",
        "PIP_CERT": "/somewhere/ca.pem",
        "PIP_FIND_LINKS": "/folder/of/the/host",
        "HOME": "/root",
    }
    assert render_pip_config(environment) == (
        "[global]\ncert = /etc/ssl/certs/ca-certificates.crt\ndefault-timeout = 180\n"
    )
    assert render_pip_config({}) == "[global]\n"


def test_references_are_read_back_or_their_absence_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LABELTASK_CACHE", str(tmp_path))
    with pytest.raises(ComponentError, match="python -m localkube images"):
        load_references()
    references_path().parent.mkdir(parents=True)
    references_path().write_text('{"worker": "w:1", "control": "c:2", "mariadb": "m:3"}')
    assert load_references() == ImageReferences(worker="w:1", control="c:2", mariadb="m:3")
