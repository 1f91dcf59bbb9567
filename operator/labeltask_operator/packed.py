"""A mapping kept as JSON text: a fraction of the memory, decoded anew whenever it is read. For what is seldom read."""

import json
from collections.abc import Iterator, Mapping
from typing import Any


class Packed(Mapping[str, Any]):
    """Equal to the mapping that it was made of; changing what it returns changes nothing."""

    __slots__ = ("_text",)

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._text = json.dumps(dict(content), ensure_ascii=False, separators=(",", ":")).encode()

    def __getitem__(self, key: str) -> Any:
        return self._content()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._content())

    def __len__(self) -> int:
        return len(self._content())

    def _content(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self._text)
        return content
