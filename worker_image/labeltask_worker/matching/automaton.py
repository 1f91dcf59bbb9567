"""Many strings searched for in many texts in one pass: Aho-Corasick over the joined texts.

Input: spellings, which may begin or end with a sentinel to stand only at the start or end of a text. Output: which
spelling occurs in which text; only hits cost time in Python.
"""

from collections.abc import Sequence

from ahocorasick_rs import BytesAhoCorasick, Implementation, MatchKind

from labeltask_worker.matching.joined import BEGIN_BYTE, JoinedTexts, encoded

DFA_BYTES = 8 * 1024
"""Spellings up to this many bytes together get a DFA: half as fast again on long texts, but many times the memory."""


class Automaton:
    """Finds spellings. They are lower-cased and hold no sentinel inside."""

    def __init__(self, spellings: Sequence[str]) -> None:
        patterns = [encoded(spelling) for spelling in spellings]
        small = sum(map(len, patterns)) <= DFA_BYTES
        self._machine = (
            BytesAhoCorasick(
                patterns,
                matchkind=MatchKind.Standard,
                implementation=Implementation.DFA if small else Implementation.ContiguousNFA,
            )
            if patterns
            else None
        )

    def hits(self, joined: JoinedTexts) -> list[tuple[int, int]]:
        """Return (number of the text, number of the spelling) in the order of the texts; repeats in a text repeat.

        Texts that stand aside are not searched.
        """
        if self._machine is None:
            return []
        lowered = joined.lowered
        begins = lowered.count
        found: list[tuple[int, int]] = []
        text, seen = -1, 0
        # Overlapping hits come in the order of their ends.
        for spelling, _, end in self._machine.find_matches_as_indexes(lowered, overlapping=True):
            text += begins(BEGIN_BYTE, seen, end)
            seen = end
            found.append((text, spelling))
        return found
