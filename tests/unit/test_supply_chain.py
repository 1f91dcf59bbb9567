"""What the images are made of: packages locked by hash, told in a bill, looked up among known vulnerabilities."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = {"labeltask": "control", "labeltask-worker": "worker"}
DOCKERFILES = ["Dockerfile", "Dockerfile.worker"]


def locked(name: str) -> dict[tuple[str, str], set[str]]:
    """Name and version of each package of a lock file -> its hashes."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8").replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        package = re.match(r"([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+)", line)
        assert package is not None, f"requirements/{name}.txt: no pinned package: {line}"
        found[package.group(1), package.group(2)] = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
    return found


def make(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    # Without what an outer make hands down: `make test` runs this.
    kept = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    done = subprocess.run(["make", "-s", *arguments], cwd=ROOT, env=kept, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("name", ["build", "control", "dev", "worker"])
def test_every_locked_package_has_its_hashes(name: str) -> None:
    packages = locked(name)
    assert packages
    assert [package for package, hashes in packages.items() if not hashes] == []


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_image_installs_nothing_but_what_is_locked_by_hash_and_the_projects_own_wheel(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    installs = re.findall(r"pip [^&\n]*install[^&\n]*", text)
    assert len(installs) == 3
    for install in installs:
        own = "--no-index" in install and "--no-deps" in install and install.strip().endswith("/build/wheel/*.whl")
        assert own or "--require-hashes -r /build/requirements.txt" in install, install
    copied = dict(re.findall(r"COPY requirements/(\w+)\.txt (\S+)", text))
    assert copied == {"build": "/build/requirements.txt", LOCKS[image_of(name)]: "/build/requirements.txt"}


def image_of(dockerfile: str) -> str:
    return "labeltask-worker" if dockerfile.endswith(".worker") else "labeltask"


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_image_runs_as_nobody_starts_no_shell_and_has_no_pip(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert re.findall(r"^USER (.*)$", text, re.MULTILINE) == ["65532:65532"]
    started = re.findall(r"^(?:CMD|ENTRYPOINT) (.*)$", text, re.MULTILINE)
    assert [isinstance(json.loads(command), list) for command in started] == [True]
    assert set(re.findall(r"-m venv (\S+)", text)) == {"--without-pip"}


@pytest.fixture(scope="module")
def bills(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """``make sbom``: image -> its bill."""
    folder = tmp_path_factory.mktemp("sbom")
    make("sbom", f"SBOM_DIR={folder}")
    return {file.name.removesuffix(".cdx.json"): json.loads(file.read_text("utf-8")) for file in folder.iterdir()}


def test_there_is_a_bill_for_each_image(bills: dict[str, Any]) -> None:
    assert set(bills) == set(LOCKS)
    assert {bill["bomFormat"] for bill in bills.values()} == {"CycloneDX"}
    assert {bill["metadata"]["component"]["name"] for bill in bills.values()} == {"labeltask"}


@pytest.mark.parametrize("image", LOCKS)
def test_a_bill_lists_every_locked_package_with_version_and_hashes_and_no_other(
    image: str, bills: dict[str, Any]
) -> None:
    told = {
        (component["name"], component["version"]): {
            digest["content"]
            for reference in component["externalReferences"]
            for digest in reference["hashes"]
            if digest["alg"] == "SHA-256"
        }
        for component in bills[image]["components"]
    }
    assert told == locked(LOCKS[image])
    assert all(
        component["purl"] == f"pkg:pypi/{component['name']}@{component['version']}"
        for component in bills[image]["components"]
    )


def audit(tmp_path: Path, exceptions: str) -> subprocess.CompletedProcess[str]:
    """``make audit`` with these exceptions, and a pip-audit that only says how it was called."""
    file = tmp_path / "exceptions.txt"
    file.write_text(exceptions, encoding="utf-8")
    return make("audit", "PIP_AUDIT=echo called", f"AUDIT_EXCEPTIONS={file}", check=False)


def test_an_exception_counts_until_its_day(tmp_path: Path) -> None:
    done = audit(tmp_path, "# why\n\nGHSA-1 9999-12-31 never called\nPYSEC-2 9999-12-31 test only\n")
    options = "--disable-pip --require-hashes --strict --ignore-vuln GHSA-1 --ignore-vuln PYSEC-2"
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        [f"called --requirement requirements/{lock}.txt {options}" for lock in ("control", "worker")],
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("GHSA-1 2020-01-01 never called", "over: GHSA-1 2020-01-01 never called"),
        ("GHSA-1 never called", "not ID YYYY-MM-DD why: GHSA-1 never called"),
        ("GHSA-1 9999-12-31", "not ID YYYY-MM-DD why: GHSA-1 9999-12-31"),
    ],
)
def test_an_exception_whose_day_is_over_or_that_has_none_fails_the_audit(
    line: str, message: str, tmp_path: Path
) -> None:
    done = audit(tmp_path, f"{line}\n")
    assert (done.returncode != 0, done.stdout) == (True, "")
    assert message in done.stderr


def test_the_exceptions_of_today_have_their_days() -> None:
    assert make("audit", "PIP_AUDIT=true").returncode == 0
