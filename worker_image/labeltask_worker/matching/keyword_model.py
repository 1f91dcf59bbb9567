"""keyword_model: which labels' keywords occur in a text, and how often each label counts.

labelling.md, "Rules": one for any `partially` keyword, plus one for every `absolutely`, `start` and `end` keyword that
matches. Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from labeltask_contract.pattern import MatchType, Pattern
from labeltask_worker.matching.automaton import Automaton, Entry


class KeywordModel:
    """Counts by label index for one text at a time."""

    def __init__(self, pattern: Pattern) -> None:
        entries: list[Entry] = []
        self._labels: list[int] = []
        self._is_partial: list[bool] = []
        for index, rules in enumerate(pattern):
            for rule in rules.keywords or ():
                for match in rule.match:
                    entries.append(Entry(rule.keyword.lower(), match))
                    self._labels.append(index)
                    self._is_partial.append(match is MatchType.PARTIALLY)
        self._automaton = Automaton(entries)

    def counts(self, text: str) -> dict[int, int]:
        """Return the match count of every label that matches ``text`` (as stored; it is lower-cased here)."""
        return self._count(self._automaton.matches(text.lower()))

    def count_all(self, texts: Sequence[str]) -> list[dict[int, int]]:
        """Return :meth:`counts` of each text."""
        return [self._count(hits) if hits else {} for hits in map(self._automaton.matches, map(str.lower, texts))]

    def _count(self, hits: Iterable[int]) -> dict[int, int]:
        partial: set[int] = set()
        counts: dict[int, int] = defaultdict(int)
        for entry in hits:
            label = self._labels[entry]
            if self._is_partial[entry]:
                partial.add(label)
            else:
                counts[label] += 1
        for label in partial:
            counts[label] += 1
        return dict(counts)
