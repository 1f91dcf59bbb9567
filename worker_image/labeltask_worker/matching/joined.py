"""Many texts as one: lower-cased in one step, with a sentinel before and behind each, ready for one search.

A sentinel is neither cased nor ignored by the rules of case, so ``lower()`` of the joined text is the joined
``lower()`` of each (a final Σ looks at its neighbours, and meets a sentinel where its text ends). Lengths change (İ),
so a text is found again by counting sentinels. A text that holds one itself stands aside and is matched literally.
"""

from collections.abc import Sequence
from functools import cached_property

BEGIN = "\x02"
END = "\x03"
BEGIN_BYTE = BEGIN.encode()
END_BYTE = END.encode()


class JoinedTexts:
    """Texts in UTF-8, as stored. ``aside`` holds, lower-cased and by number, those that hold a sentinel."""

    def __init__(self, texts: Sequence[bytes]) -> None:
        self.count = len(texts)
        self.aside: dict[int, str] = {}
        joined = BEGIN_BYTE + (END_BYTE + BEGIN_BYTE).join(texts) + END_BYTE
        if joined.count(BEGIN_BYTE) != self.count or joined.count(END_BYTE) != self.count:
            plain = list(texts)
            for number, text in enumerate(texts):
                if BEGIN_BYTE in text or END_BYTE in text:
                    self.aside[number] = _decoded(text).lower()
                    plain[number] = b""
            joined = BEGIN_BYTE + (END_BYTE + BEGIN_BYTE).join(plain) + END_BYTE
        self._lowered = _decoded(joined).lower()
        self.lowered = encoded(self._lowered)
        """The lower-cased whole in UTF-8; texts that stand aside are empty in it."""

    @cached_property
    def texts(self) -> list[str]:
        """Each text, lower-cased."""
        texts = self._lowered[1:-1].split(END + BEGIN)
        for number, text in self.aside.items():
            texts[number] = text
        return texts


def has_sentinel(text: str) -> bool:
    """Tell whether ``text`` can't be searched for, or in, between sentinels."""
    return BEGIN in text or END in text


def encoded(text: str) -> bytes:
    """Return ``text`` in UTF-8; half a surrogate pair, which only a hand-made text can hold, stays what it is."""
    return text.encode("utf-8", "surrogatepass")


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "surrogatepass")
