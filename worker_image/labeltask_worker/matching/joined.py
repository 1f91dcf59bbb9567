"""Many texts as one, with a sentinel before and behind each, so that one search serves them all. Pure.

A text is found again by counting sentinels; one that holds a sentinel itself stands aside and is matched literally.
"""

from collections.abc import Sequence

BEGIN = "\x02"
END = "\x03"
BEGIN_BYTE = BEGIN.encode()
END_BYTE = END.encode()


def join(texts: Sequence[bytes]) -> tuple[bytes, list[int]]:
    """Return texts in UTF-8 as one, and the numbers of those that hold a sentinel, which are empty in it."""
    joined = _joined(texts)
    if joined.count(BEGIN_BYTE) == joined.count(END_BYTE) == len(texts):
        return joined, []
    aside = [number for number, text in enumerate(texts) if BEGIN_BYTE in text or END_BYTE in text]
    plain = list(texts)
    for number in aside:
        plain[number] = b""
    return _joined(plain), aside


def _joined(texts: Sequence[bytes]) -> bytes:
    return BEGIN_BYTE + (END_BYTE + BEGIN_BYTE).join(texts) + END_BYTE


def has_sentinel(text: str) -> bool:
    """Tell whether ``text`` can't be searched for, or in, between sentinels."""
    return BEGIN in text or END in text


def encoded(text: str) -> bytes:
    """Return ``text`` in UTF-8; half a surrogate pair, which only a hand-made text can hold, stays what it is."""
    return text.encode("utf-8", "surrogatepass")


def lowered(text: bytes) -> str:
    """Return ``text``, given in UTF-8, as ``str.lower`` makes it."""
    return text.decode("utf-8", "surrogatepass").lower()
