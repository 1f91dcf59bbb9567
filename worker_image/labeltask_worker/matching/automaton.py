"""Many strings searched for in many texts in one pass: Aho-Corasick over the joined texts.

Input: spellings, which may begin or end with a sentinel to stand only at the start or end of a text, and texts as
stored. Output: which spelling occurs in which lower-cased text; only hits cost time in Python.

``str.lower`` costs more than the search. So the bytes are lower-cased as ASCII, and the automaton also looks for every
other letter that has a lower case; a text with such a letter is searched again, lower-cased as a whole by itself
(İ becomes two characters, a final Σ depends on its neighbours).
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

from labeltask_worker.matching.joined import BEGIN_BYTE, encoded, join, lowered

DFA_BYTES = 8 * 1024
"""Spellings up to this many bytes together get a DFA: half as fast again on long texts, but many times the memory."""

Hit = tuple[int, int]
"""Number of a text, and number of a spelling that occurs in it."""


@dataclass
class Search:
    """What was found: hits in the order of the texts, and the texts, lower-cased, that had to stand aside."""

    hits: list[Hit]
    aside: dict[int, str] = field(default_factory=dict)


class Automaton:
    """Finds spellings. They are lower-cased and hold no sentinel inside."""

    def __init__(self, spellings: Sequence[str]) -> None:
        patterns = [encoded(spelling) for spelling in spellings]
        self._count = len(patterns)
        small = sum(map(len, patterns)) <= DFA_BYTES
        self._machine = BytesAhoCorasick(
            [*patterns, *_upper_case()],
            matchkind=MatchKind.Standard,
            implementation=Implementation.DFA if small else Implementation.ContiguousNFA,
        )

    def search(self, texts: Sequence[bytes]) -> Search:
        """Search texts in UTF-8; a spelling that occurs twice in a text is found twice."""
        joined, aside = join(texts)
        hits, upper = self._hits(joined.lower())
        if upper:
            numbers = sorted(upper)
            again, _ = self._hits(join([encoded(lowered(texts[number])) for number in numbers])[0])
            hits = [hit for hit in hits if hit[0] not in upper]
            hits += [(numbers[place], spelling) for place, spelling in again]
            hits.sort()
        return Search(hits, {number: lowered(texts[number]) for number in aside})

    def _hits(self, joined: bytes) -> tuple[list[Hit], set[int]]:
        """Return hits, and the numbers of the texts that hold an upper-case letter."""
        begins, count = joined.count, self._count
        hits: list[Hit] = []
        upper: set[int] = set()
        text, seen = -1, 0
        # Overlapping hits come in the order of their ends.
        for spelling, _, end in self._machine.find_matches_as_indexes(joined, overlapping=True):
            text += begins(BEGIN_BYTE, seen, end)
            seen = end
            if spelling < count:
                hits.append((text, spelling))
            else:
                upper.add(text)
        return hits, upper


@cache
def _upper_case() -> tuple[bytes, ...]:
    """Every character beyond ASCII that ``str.lower`` changes, in UTF-8."""
    characters = map(chr, range(0x80, sys.maxunicode + 1))
    return tuple(encoded(character) for character in characters if character.lower() != character)
