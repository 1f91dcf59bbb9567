"""What no linter sees: names that break Python, and files that must stay as they are."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("operator", "api", "worker_image")


@pytest.mark.parametrize("folder", PARTS)
def test_a_folder_that_only_holds_packages_is_none_itself(folder: str) -> None:
    assert not (ROOT / folder / "__init__.py").exists(), f"{folder}/__init__.py would shadow or hide modules"


def test_no_test_folder_shadows_the_module_operator() -> None:
    assert list((ROOT / "tests").rglob("operator/__init__.py")) == []


def test_python_started_in_the_root_finds_its_own_operator() -> None:
    code = "import operator, collections, enum; print(operator.__file__)"
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not shown.stdout.startswith(str(ROOT / "operator"))


def test_the_top_level_is_the_one_that_was_agreed() -> None:
    agreed = {"operator", "api", "worker_image", "manifests", "charts", "tests", "pyproject.toml", "Dockerfile.worker"}
    assert agreed <= {path.name for path in ROOT.iterdir()}
