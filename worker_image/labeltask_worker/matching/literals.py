"""What a text must hold so that a regular expression can match it: literals, read from ``re``'s own parse tree.

The answer only ever pre-selects; ``re`` confirms. So a construct that is not understood gives no literal, and an
expression without one is tried on every text. Pure.
"""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as sre_parser  # type: ignore[attr-defined]
from typing import Any

from labeltask_worker.matching.joined import has_sentinel

MAX_ALTERNATIVES = 64
"""Most literals that stand for one expression; more are cut into shorter ones."""

Literals = frozenset[str]


def required_literals(expression: str) -> Literals | None:
    """Return strings of which every text that ``expression`` matches holds at least one; None when there are none."""
    with warnings.catch_warnings():
        # Python's own warnings about odd spellings are no concern of the caller.
        warnings.simplefilter("ignore")
        tree = sre_parser.parse(expression)
    found = _required(tree, bool(tree.state.flags & sre.SRE_FLAG_IGNORECASE))
    if found is None or any(has_sentinel(text) or not _is_whole(text) for text in found):
        return None
    return found


@dataclass
class _Run:
    """What stands side by side so far, as all the strings it can be, and what was found before it."""

    strings: Literals = frozenset({""})
    found: list[Literals] = field(default_factory=list)

    def add(self, strings: Literals | None) -> None:
        """Append an item that is one of ``strings``; None: something that has no short list."""
        if strings is not None and len(self.strings) * len(strings) <= MAX_ALTERNATIVES:
            self.strings = frozenset(before + after for before in self.strings for after in strings)
            return
        self.end()
        if strings is not None:
            self.strings = strings

    def end(self) -> None:
        """End the run: what follows need not touch it."""
        if "" not in self.strings:
            self.found.append(self.strings)
        self.strings = frozenset({""})


def _required(items: Iterable[Any], ignore_case: bool) -> Literals | None:
    run = _Run()
    for code, argument in items:
        strings = _strings(code, argument, ignore_case)
        if strings is not None:
            run.add(strings)
            continue
        run.end()
        inner = _required_inside(code, argument, ignore_case)
        if inner is not None:
            run.found.append(inner)
    run.end()
    return max(run.found, key=lambda strings: (min(map(len, strings)), -len(strings)), default=None)


def _strings(code: Any, argument: Any, ignore_case: bool) -> Literals | None:
    """Return all strings that one item can match, if they are few and known."""
    if code is sre.LITERAL:
        return frozenset({chr(argument)}) if not ignore_case or _is_caseless(chr(argument)) else None
    if code is sre.IN:
        letters = [_strings(kind, value, ignore_case) if kind is sre.LITERAL else None for kind, value in argument]
        if all(letter is not None for letter in letters) and len(letters) <= MAX_ALTERNATIVES:
            return frozenset(text for letter in letters if letter for text in letter)
        return None
    if code is sre.SUBPATTERN:
        _, added, removed, items = argument
        return _all_strings(items, _ignores_case(ignore_case, added, removed))
    if code is sre.BRANCH:
        return _union(_all_strings(items, ignore_case) for items in argument[1])
    return None


def _all_strings(items: Iterable[Any], ignore_case: bool) -> Literals | None:
    whole: Literals = frozenset({""})
    for code, argument in items:
        strings = _strings(code, argument, ignore_case)
        if strings is None or len(whole) * len(strings) > MAX_ALTERNATIVES:
            return None
        whole = frozenset(before + after for before in whole for after in strings)
    return whole


def _required_inside(code: Any, argument: Any, ignore_case: bool) -> Literals | None:
    if code is sre.SUBPATTERN:
        _, added, removed, items = argument
        return _required(items, _ignores_case(ignore_case, added, removed))
    if code is sre.BRANCH:
        return _union(_required(items, ignore_case) for items in argument[1])
    if code in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
        least, _, items = argument
        return _required(items, ignore_case) if least > 0 else None
    if code is sre.ATOMIC_GROUP:
        return _required(argument, ignore_case)
    if code is sre.ASSERT:
        return _required(argument[1], ignore_case)
    return None


def _union(parts: Iterable[Literals | None]) -> Literals | None:
    whole: set[str] = set()
    for part in parts:
        if part is None:
            return None
        whole |= part
    return frozenset(whole) if len(whole) <= MAX_ALTERNATIVES else None


def _ignores_case(ignore_case: bool, added: int, removed: int) -> bool:
    return bool((ignore_case or added & sre.SRE_FLAG_IGNORECASE) and not removed & sre.SRE_FLAG_IGNORECASE)


def _is_caseless(letter: str) -> bool:
    return letter == letter.lower() == letter.upper() == letter.casefold() == letter.title()


def _is_whole(text: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
