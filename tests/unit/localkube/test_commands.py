"""A failure names its component and shows the end of its log."""

from pathlib import Path

import pytest

from localkube.commands import read, run, succeeds
from localkube.reporting import LOG_LINES_SHOWN, ComponentError


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LABELTASK_CACHE", str(tmp_path))


def test_a_failure_names_the_component_and_shows_only_the_end_of_its_log(tmp_path: Path) -> None:
    with pytest.raises(ComponentError) as raised:
        run("some server", ["sh", "-c", "seq 1000; exit 3"])
    message = str(raised.value)
    assert message.startswith("some server: `sh` ended with status 3")
    assert str(tmp_path / "logs" / "some-server.log") in message
    assert message.splitlines()[-LOG_LINES_SHOWN:] == [f"    {number}" for number in range(981, 1001)]


def test_a_program_that_does_not_end_is_stopped_and_named() -> None:
    with pytest.raises(ComponentError, match=r"slow: `sleep` had not ended after 0 s"):
        run("slow", ["sleep", "20"], timeout_seconds=0.2)


def test_a_program_that_is_not_there_is_named() -> None:
    with pytest.raises(ComponentError, match="absent: `no-such-program` could not be started"):
        run("absent", ["no-such-program"])


def test_read_returns_the_output_and_fails_with_the_error_output() -> None:
    assert read("words", ["echo", "hello"]) == "hello\n"
    with pytest.raises(ComponentError, match="because"):
        read("words", ["sh", "-c", "echo because >&2; exit 1"])


def test_a_question_is_answered_without_an_error() -> None:
    assert succeeds(["true"])
    assert not succeeds(["false"])
    assert not succeeds(["no-such-program"])
