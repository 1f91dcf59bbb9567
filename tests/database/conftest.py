"""One MariaDB server for all database tests; each test has schemas of its own."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from database.worker_runs import Stage
from labeltask_testing.mariadb import Server, running_server

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The shared server. Tests that change global settings set them back."""
    with running_server() as running:
        yield running


@pytest.fixture(scope="module")
def shared_stage(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """Schemas that a module's tests share: their tasks differ by number, as tasks on one platform do."""
    number = next(_numbers)
    made = Stage(server, tmp_path_factory.mktemp("stage"), f"in_{number}", f"out_{number}")
    made.create()
    yield made
    made.drop()


@pytest.fixture
def stage(server: Server, tmp_path: Path) -> Iterator[Stage]:
    """Fresh input and output schemas, dropped afterwards."""
    number = next(_numbers)
    made = Stage(server, tmp_path, f"in_{number}", f"out_{number}")
    made.create()
    yield made
    made.drop()
