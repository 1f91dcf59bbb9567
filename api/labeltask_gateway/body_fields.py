"""The keys of one JSON body, checked one by one; every wrong key is collected, so that a caller sees all at once.

A wrong key yields None; whoever reads the fields raises before using any. Messages say what to write instead and never
repeat what was sent: it might be a password in the wrong place.
"""

import re
from collections.abc import Collection
from enum import StrEnum
from typing import TypeVar

from labeltask_contract.errors import InvalidTask, Problem, pointer
from labeltask_contract.schemas import schema_problem
from labeltask_contract.spec import IDENTIFIER_HELP, IDENTIFIER_PATTERN
from labeltask_contract.strict_json import shown
from labeltask_contract.times import parse_time

Choice = TypeVar("Choice", bound=StrEnum)

_SHOWN_KEY_CHARACTERS = 64


class BodyFields:
    """One body and what is wrong with it so far.

    >>> fields = BodyFields({"COUNTDOWN": "5"})
    >>> fields.whole_number("COUNTDOWN", 0, 60)
    >>> str(fields.problems[0])
    '/COUNTDOWN: must be a whole number from 0 to 60'
    """

    def __init__(self, body: dict[str, object], schemas: Collection[str] = ()) -> None:
        self._schemas = schemas
        # null is what some clients send for a key that they leave out.
        self._body = {key: value for key, value in body.items() if value is not None}
        self.problems: list[Problem] = []

    def __contains__(self, key: str) -> bool:
        return key in self._body

    def get(self, key: str) -> object:
        """Return the value as sent, None when left out."""
        return self._body.get(key)

    def refuse(self, key: str, message: str, *inside: str | int) -> None:
        """Record that the value of ``key``, or the part ``inside`` it, is wrong."""
        self.problems.append(Problem(shown(pointer(key, *inside)), message))

    def raise_if_wrong(self) -> None:
        """End the check.

        :raises InvalidTask: with every problem found.
        """
        if self.problems:
            raise InvalidTask(self.problems)

    def check_keys(self, known: Collection[str]) -> None:
        """Refuse each key that is not ``known``."""
        for key in self._body:
            if key not in known:
                self.refuse(key[:_SHOWN_KEY_CHARACTERS], f"is no known key; known are {', '.join(known)}")

    def choice(self, key: str, kind: type[Choice], default: Choice | None = None) -> Choice | None:
        """Read one of a closed set of words."""
        value = self._value(key, f"write one of {', '.join(kind)}", required=default is None)
        if value is None:
            return default
        if isinstance(value, str) and value in list(kind):
            return kind(value)
        self.refuse(key, f"must be one of {', '.join(kind)}")
        return None

    def member(self, key: str, known: Collection[str]) -> str | None:
        """Read one of the words that the deployment knows."""
        words = ", ".join(sorted(known)) or "none"
        value = self._value(key, f"write one of {words}", required=True)
        if value is None or (isinstance(value, str) and value in known):
            return value
        self.refuse(key, f"must be one of {words}")
        return None

    def whole_number(self, key: str, lowest: int, highest: int) -> int | None:
        """Read an optional integer; true and false are none, nor is "5"."""
        value = self._body.get(key)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest:
            return value
        self.refuse(key, f"must be a whole number from {lowest} to {highest}")
        return None

    def flag(self, key: str) -> bool | None:
        """Read an optional true or false."""
        value = self._body.get(key)
        if value is None or isinstance(value, bool):
            return value
        self.refuse(key, "must be true or false")
        return None

    def identifier(self, key: str, default: str | None = None) -> str | None:
        """Read the name of a schema or table."""
        value = self._value(key, IDENTIFIER_HELP, required=default is None)
        if value is None:
            return default
        if isinstance(value, str) and re.fullmatch(IDENTIFIER_PATTERN, value):
            return value
        self.refuse(key, f"must be a name: {IDENTIFIER_HELP}")
        return None

    def schema(self, key: str) -> str | None:
        """Read the name of a schema that may be used."""
        name = self.identifier(key)
        problem = None if name is None else schema_problem(name, self._schemas)
        if problem is not None:
            self.refuse(key, problem)
            return None
        return name

    def word(self, key: str, regex: str, help_text: str) -> str | None:
        """Read an optional string that ``regex`` matches as a whole."""
        value = self._body.get(key)
        if value is None:
            return None
        if isinstance(value, str) and re.fullmatch(regex, value):
            return value
        self.refuse(key, help_text)
        return None

    def time(self, key: str) -> str | None:
        """Read a date or a date with time, as it was written."""
        help_text = "write YYYY-MM-DD or YYYY-MM-DD HH:MM:SS"
        value = self._value(key, help_text, required=True)
        if value is None:
            return None
        if not isinstance(value, str):
            self.refuse(key, f"must be a string: {help_text}")
            return None
        try:
            parse_time(value)
        except ValueError as error:
            self.refuse(key, str(error))
            return None
        return value

    def _value(self, key: str, help_text: str, *, required: bool) -> object:
        if required and key not in self._body:
            self.refuse(key, f"is missing; {help_text}")
        return self._body.get(key)
