"""keyword_model: which labels' keywords occur in a text, and how often each label counts.

labelling.md, "Rules": one for any `partially` keyword, plus one for every `absolutely`, `start` and `end` keyword that
matches. A keyword that must stand at the start or end is searched for with the sentinel that stands there. Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from labeltask_contract.pattern import MatchType, Pattern
from labeltask_worker.matching.automaton import Automaton, Search
from labeltask_worker.matching.joined import BEGIN, END, encoded, has_sentinel


class Entry(NamedTuple):
    """A keyword, lower-cased, the one place where it must stand, and whose it is."""

    keyword: str
    match: MatchType
    label: int
    position: int


class KeywordModel:
    """Finds the labels of many texts at a time."""

    def __init__(self, pattern: Pattern) -> None:
        self.entries = [
            Entry(rule.keyword.lower(), match, label, position)
            for label, rules in enumerate(pattern)
            for position, rule in enumerate(rules.keywords or ())
            for match in rule.match
        ]
        # Many labels may share a keyword: the automaton holds each spelling once. A keyword with a sentinel inside
        # occurs only in texts that have one too, and those are matched literally.
        owners: dict[str, list[int]] = defaultdict(list)
        for number, entry in enumerate(self.entries):
            if not has_sentinel(entry.keyword):
                owners[_spelling(entry)].append(number)
        self._owners = [tuple(numbers) for numbers in owners.values()]
        self._first_labels = [min(self.entries[number].label for number in numbers) for numbers in self._owners]
        self._automaton = Automaton(list(owners))

    def first_labels(self, texts: Sequence[bytes]) -> list[tuple[int, int]]:
        """Return (number of the text, first label in the pattern's order that matches) of each text with a match."""
        search = self._automaton.search(texts)
        firsts = self._first_labels
        found: dict[int, int] = {}
        for text, spelling in search.hits:
            label = firsts[spelling]
            if label < found.get(text, label + 1):
                found[text] = label
        if not search.aside:
            return list(found.items())
        for text, entries in self._literal_matches(search):
            found[text] = min(self.entries[number].label for number in entries)
        return sorted(found.items())

    def matched_entries(self, texts: Sequence[bytes]) -> list[tuple[int, set[int]]]:
        """Return (number of the text, numbers of all entries that match it) of each text with a match, in order."""
        search = self._automaton.search(texts)
        found = [
            (text, {number for _, spelling in hits for number in self._owners[spelling]})
            for text, hits in groupby(search.hits, itemgetter(0))
        ]
        if search.aside:
            found = sorted([*found, *self._literal_matches(search)])
        return found

    def count_all(self, texts: Sequence[bytes]) -> list[tuple[int, dict[int, int]]]:
        """Return (number of the text, match count of every label that matches it) of each text with a match."""
        return [(text, self.count(entries)) for text, entries in self.matched_entries(texts)]

    def counts(self, text: str) -> dict[int, int]:
        """Return the match count of every label that matches one text."""
        found = self.count_all([encoded(text)])
        return found[0][1] if found else {}

    def count(self, matched: Iterable[int]) -> dict[int, int]:
        """Return the match counts by label that matching entries amount to."""
        partial: set[int] = set()
        counts: dict[int, int] = defaultdict(int)
        for number in matched:
            _, match, label, _ = self.entries[number]
            if match is MatchType.PARTIALLY:
                partial.add(label)
            else:
                counts[label] += 1
        for label in partial:
            counts[label] += 1
        return dict(counts)

    def rules_of(self, matched: Iterable[int]) -> set[tuple[int, int]]:
        """Return the rules, by index of the label and position, whose entries match: a rule may have several."""
        return {(entry.label, entry.position) for entry in map(self.entries.__getitem__, matched)}

    def _literal_matches(self, search: Search) -> Iterator[tuple[int, set[int]]]:
        for number, text in search.aside.items():
            matched = {entry for entry, rule in enumerate(self.entries) if _matches(rule, text)}
            if matched:
                yield number, matched


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
