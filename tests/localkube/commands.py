"""Run other programs: output goes to a log a component, and a failure names the component and shows that log's end."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from localkube.cache import cache_directory
from localkube.reporting import ComponentError

Argument = str | Path


def log_path(component: str) -> Path:
    """Return the file that keeps the latest output of a component."""
    folder = cache_directory() / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{component.replace(' ', '-')}.log"


def run(
    component: str,
    arguments: Sequence[Argument],
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    timeout_seconds: float = 3600,
) -> None:
    """Run a program to its end with its output in the component's log; raise ComponentError unless it ended with 0."""
    log = log_path(component)
    problem = ""
    with log.open("w") as output:
        output.write(f"$ {' '.join(map(str, arguments))}\n")
        output.flush()
        try:
            status = subprocess.run(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                cwd=directory,
                timeout=timeout_seconds,
                check=False,
            ).returncode
            problem = f"ended with status {status}" if status else ""
        except subprocess.TimeoutExpired:
            problem = f"had not ended after {timeout_seconds:.0f} s"
        except OSError as error:
            problem = f"could not be started ({error})"
    if problem:
        raise ComponentError(component, f"`{arguments[0]}` {problem} (log: {log})", log.read_text(errors="replace"))


def read(
    component: str,
    arguments: Sequence[Argument],
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path | None = None,
    timeout_seconds: float = 120,
) -> str:
    """Run a program and return what it printed; raise ComponentError, with its error output, unless it ended with 0."""
    try:
        done = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env={**os.environ, **(environment or {})},
            cwd=directory,
            timeout=timeout_seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ComponentError(component, f"`{arguments[0]}` did not answer ({error})") from error
    if done.returncode:
        raise ComponentError(component, f"`{arguments[0]}` ended with status {done.returncode}", done.stderr)
    return done.stdout


def succeeds(
    arguments: Sequence[Argument],
    *,
    environment: Mapping[str, str] | None = None,
    timeout_seconds: float = 30,
) -> bool:
    """Tell if a program exists, ends in time and says yes; its words are not wanted."""
    try:
        read("question", arguments, environment=environment, timeout_seconds=timeout_seconds)
    except ComponentError:
        return False
    return True
