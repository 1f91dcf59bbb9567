"""What a log line of gateway and operator is made of."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from labeltask_logs.json_lines import configure_logging, text_of
from labeltask_operator.cluster import ApiFailure
from labeltask_testing.log_lines import log_lines, restored_logging

CANARY = "hunter2-canary"


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    with restored_logging():
        yield


def broken() -> None:
    secrets: dict[str, str] = {}
    try:
        secrets[CANARY]
    except KeyError as error:
        raise ValueError(f"in {CANARY}") from error


@pytest.mark.parametrize("own", [True, False], ids=["a line of our own", "a library's line"])
def test_an_error_is_logged_by_class_and_place_and_never_by_its_text(
    own: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("INFO")
    logger = structlog.stdlib.get_logger("labeltask") if own else logging.getLogger("library")
    try:
        broken()
    except ValueError:
        logger.warning("it failed", exc_info=True)
    (line,) = log_lines(capsys)
    assert (line["event"], line["level"]) == ("it failed", "warning")
    assert [found["error"] for found in line["exception"]] == ["ValueError", "KeyError"]
    assert all("test_json_lines.py" in place for found in line["exception"] for place in found["at"])
    assert CANARY not in json.dumps(line)


def test_a_task_that_is_worked_on_stands_in_each_line(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("INFO")
    with structlog.contextvars.bound_contextvars(task_id="a" * 32):
        structlog.get_logger("labeltask").info("acting", step="create the Job")
        logging.getLogger("library").warning("slow")
    assert [(line["event"], line["task_id"]) for line in log_lines(capsys)] == [
        ("acting", "a" * 32),
        ("slow", "a" * 32),
    ]


def test_talkative_libraries_are_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("DEBUG", errors_only=["kopf.objects"])
    logging.getLogger("kubernetes.client.rest").debug("a whole Secret")
    logging.getLogger("kopf.objects").warning("each event")
    logging.getLogger("kopf.objects").error("a fault")
    assert [line["event"] for line in log_lines(capsys)] == ["a fault"]


def test_only_our_own_errors_are_logged_in_words() -> None:
    assert text_of(ApiFailure(409, "it exists")) == "it exists"
    assert text_of(ValueError(CANARY)) == "ValueError"
