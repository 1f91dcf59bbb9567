"""All keywords of a task in one Aho-Corasick automaton, with exact semantics for all four match types.

A text is searched between two sentinel characters, and a keyword that must stand at the start or end carries the
sentinel, so one pass finds everything. Texts and keywords that hold a sentinel themselves go a slow, literal way.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from ahocorasick_rs import AhoCorasick, Implementation, MatchKind

from labeltask_contract.pattern import MatchType

BEGIN = "\x02"
END = "\x03"


class Entry(NamedTuple):
    """A keyword, lower-cased, and the one place where it must stand."""

    keyword: str
    match: MatchType


class Automaton:
    """Finds which entries match a lower-cased text."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        self._entries = list(entries)
        self._slow = [number for number, entry in enumerate(entries) if _has_sentinel(entry.keyword)]
        slow = set(self._slow)
        # Many labels may share a keyword: the automaton holds each spelling once.
        found: dict[str, list[int]] = defaultdict(list)
        for number, entry in enumerate(entries):
            if number not in slow:
                found[_spelling(entry)].append(number)
        self._numbers = [tuple(numbers) for numbers in found.values()]
        self._machine = (
            AhoCorasick(
                list(found),
                matchkind=MatchKind.Standard,
                store_patterns=False,
                implementation=Implementation.ContiguousNFA,
            )
            if found
            else None
        )

    def matches(self, text: str) -> set[int]:
        """Return the numbers of all entries that match ``text``."""
        if _has_sentinel(text):
            return {number for number, entry in enumerate(self._entries) if _matches(entry, text)}
        matched = {number for number in self._slow if _matches(self._entries[number], text)} if self._slow else set()
        if self._machine is not None:
            hits = self._machine.find_matches_as_indexes(f"{BEGIN}{text}{END}", overlapping=True)
            for spelling in {hit[0] for hit in hits} if hits else ():
                matched.update(self._numbers[spelling])
        return matched


def _has_sentinel(text: str) -> bool:
    return BEGIN in text or END in text


def _spelling(entry: Entry) -> str:
    begin = BEGIN if entry.match in (MatchType.START, MatchType.ABSOLUTELY) else ""
    end = END if entry.match in (MatchType.END, MatchType.ABSOLUTELY) else ""
    return begin + entry.keyword + end


def _matches(entry: Entry, text: str) -> bool:
    match entry.match:
        case MatchType.PARTIALLY:
            return entry.keyword in text
        case MatchType.ABSOLUTELY:
            return entry.keyword == text
        case MatchType.START:
            return text.startswith(entry.keyword)
        case MatchType.END:
            return text.endswith(entry.keyword)
