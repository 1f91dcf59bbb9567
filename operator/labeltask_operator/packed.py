"""A mapping kept as JSON text: a fraction of the memory, decoded anew whenever it is read. For what is seldom read."""

import json
import sys
from collections.abc import Iterator, Mapping
from typing import Any


class Packed(Mapping[str, Any]):
    """Equal to the mapping that it was made of; changing what it returns changes nothing.

    The words that stand under the keys ``at_hand`` are read without decoding the rest.
    """

    __slots__ = ("_at_hand", "_text")

    def __init__(self, content: Mapping[str, Any], at_hand: tuple[str, ...] = ()) -> None:
        self._text = json.dumps(dict(content), ensure_ascii=False, separators=(",", ":")).encode()
        # ... stands for no such key; None is what a status has in place of what nobody could read.
        words = ((key, content.get(key, ...)) for key in at_hand)
        self._at_hand = tuple((key, sys.intern(word) if isinstance(word, str) else word) for key, word in words)

    def __getitem__(self, key: str) -> Any:
        for known, word in self._at_hand:
            if known == key:
                if word is ...:
                    raise KeyError(key)
                return word
        return self._content()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content())

    def __len__(self) -> int:
        return len(self._content())

    def _content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self._text)
        return content
