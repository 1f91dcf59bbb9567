"""JSON as callers send it, without the silent repairs of :func:`json.loads`.

A key given twice, NaN, or a nesting too deep is a :class:`~labeltask_contract.errors.InvalidTask`; the order of keys
is kept, because the order of labels decides which one a row gets.
"""

import json
from collections import Counter
from typing import NoReturn

from labeltask_contract.errors import InvalidTask, Problem, pointer

MAX_DEPTH = 32


def loads(text: str | bytes, max_parts: int | None = None) -> object:
    """Parse ``text`` to dicts, lists, strings, numbers, booleans and None.

    ``max_parts`` is how many commas and brackets it may have, those inside strings counted too: a list of two million
    empty lists takes 8 MB as text and 300 MB as objects.

    :raises InvalidTask: naming every key that an object holds twice, or the position of a syntax error.
    """
    try:
        # json.loads would guess UTF-16 and UTF-32 too; RFC 8259, 8.1 allows UTF-8 alone.
        decoded = text.decode("utf-8") if isinstance(text, bytes) else text
        if max_parts is not None and sum(map(decoded.count, ",[{")) > max_parts:
            raise _invalid(f"more than {max_parts:,} commas and brackets; split it")
        value = json.loads(decoded, object_pairs_hook=_object, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise _invalid(f"not UTF-8 at byte {error.start}; send JSON encoded as UTF-8") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _invalid(f"not JSON: {error.msg} at {where}") from None
    except RecursionError:
        raise _invalid(f"nested deeper than {MAX_DEPTH} levels") from None
    except ValueError:
        # The messages of json.loads end here with numbers of thousands of digits and with _refuse_constant.
        raise _invalid("a number is out of range or not a JSON number (NaN and Infinity are none)") from None
    problems = _problems(value, (), 0)
    if problems:
        raise InvalidTask(problems)
    return value


def shown(text: str) -> str:
    """Return ``text`` fit for a message: lone surrogates, which no UTF-8 answer can carry, become ``\\udXXX``."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


class _Object(dict[str, object]):
    """A JSON object that remembers which of its keys came twice."""

    twice: tuple[str, ...] = ()


def _object(pairs: list[tuple[str, object]]) -> _Object:
    found = _Object(pairs)
    if len(found) != len(pairs):
        counts = Counter(key for key, _ in pairs)
        found.twice = tuple(key for key, count in counts.items() if count > 1)
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _problems(value: object, path: tuple[str | int, ...], depth: int) -> list[Problem]:
    if depth > MAX_DEPTH:
        return [Problem(shown(pointer(*path)), f"nested deeper than {MAX_DEPTH} levels")]
    found: list[Problem] = []
    if isinstance(value, _Object):
        found += [
            Problem(shown(pointer(*path, key)), f'the key "{shown(key)}" is given twice; keep one of them')
            for key in value.twice
        ]
        for key, inner in value.items():
            if isinstance(inner, dict | list):
                found += _problems(inner, (*path, key), depth + 1)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            if isinstance(inner, dict | list):
                found += _problems(inner, (*path, index), depth + 1)
    return found


def _invalid(message: str) -> InvalidTask:
    return InvalidTask([Problem("", message)])


def dumps(value: object) -> bytes:
    """Compact UTF-8 JSON in the order given."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
