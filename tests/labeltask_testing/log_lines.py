"""What a program under test logs in this process: its lines, and the process's logging as it was before."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import structlog


@contextmanager
def restored_logging() -> Iterator[None]:
    """Afterwards logging is set up as it was."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    structlog.reset_defaults()


def log_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return what was written to standard output since the last call, an object a line."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]
