"""What the person in front of the terminal sees: one line a step with its seconds, and errors that name a component.

Everything goes to standard error, because standard output belongs to results that other programs read.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

LOG_LINES_SHOWN = 20


class ComponentError(Exception):
    """One named part of the local cluster did not do its work; the end of its log is the reason."""

    def __init__(self, component: str, problem: str, log: str = "") -> None:
        """Keep the component's name apart, and only the end of its log."""
        tail = "\n".join(f"    {line}" for line in log.strip().splitlines()[-LOG_LINES_SHOWN:])
        super().__init__(f"{component}: {problem}" + (f"\n  the end of its log:\n{tail}" if tail else ""))
        self.component = component


def say(message: str) -> None:
    """Tell the person one line, at once even when the output is a pipe."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()


@contextmanager
def step(description: str, *, expected: str = "") -> Iterator[None]:
    """Name a step when it begins, and its seconds when it has ended well."""
    say(f"  … {description}" + (f" (usually {expected})" if expected else ""))
    begin = time.monotonic()
    yield
    say(f"  ✓ {description}: {time.monotonic() - begin:.1f} s")
