"""Logs of gateway tests are the program's own JSON lines: structlog's default would draw every fault's variables."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from labeltask_logs.json_lines import configure_logging


@pytest.fixture(autouse=True)
def json_logs() -> Iterator[None]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    configure_logging("WARNING")
    yield
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()
