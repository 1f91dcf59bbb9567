"""The error tree.

LabelTaskError                what, where, what to do; never a credential
├── InvalidTask               the caller's input is wrong: a list of problems, each with its place
└── TaskFailure               a task can't go on: one reason of the closed list
"""

from collections.abc import Sequence
from dataclasses import dataclass

from labeltask_contract.reasons import FACTS, Reason


class LabelTaskError(Exception):
    """Base of every error that LabelTask raises on purpose. ``str()`` is fit to be shown to a caller."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with an input.

    ``pointer`` is a JSON pointer (RFC 6901) into what the caller sent, e.g. ``/PATTERN/男性/3/0``; ``message`` says
    what is wrong and what to write instead, and never repeats a credential.
    """

    pointer: str
    message: str

    def __str__(self) -> str:
        return f"{self.pointer}: {self.message}" if self.pointer else self.message


class InvalidTask(LabelTaskError):
    """The input describes no task that can run. Nothing was created."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        if not problems:
            raise ValueError("InvalidTask needs at least one problem")
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))


class TaskFailure(LabelTaskError):
    """A task can't go on. ``message`` is what callers read in ``error_message``."""

    def __init__(self, reason: Reason, message: str) -> None:
        self.reason = reason
        self.message = message
        super().__init__(message)

    @property
    def exit_code(self) -> int:
        """The worker's exit code for this failure."""
        code = FACTS[self.reason].exit_code
        if code is None:
            raise ValueError(f"{self.reason} is seen by the cluster, the worker never exits with it")
        return code


def pointer(*parts: str | int) -> str:
    """Join ``parts`` to a JSON pointer, escaped as RFC 6901 asks."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
