"""PATTERN: the labels of a task with their rules, in the order that decides which label wins.

A caller sends a JSON object (:func:`parse_rest_pattern`); everything behind the gateway uses a list, because the API
server returns object keys sorted. Whether the rules make sense is judged in :mod:`labeltask_contract.rule_checks`.
"""

import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from labeltask_contract import strict_json
from labeltask_contract.errors import InvalidTask, Problem, pointer

MAX_LABELS = 200
MAX_LABEL_CHARACTERS = 199
MAX_RULE_CHARACTERS = 2_000
MAX_INLINE_RULES = 5_000
MAX_RULES = 200_000
"""Of all labels together; real ones meet MAX_PACKED_BYTES first, repeated ones compress to nothing."""
MAX_PATTERN_BYTES = 64 * 1024 * 1024
"""Size of an unpacked pattern: a gzip bomb ends here, 140,000 ordinary keywords need a tenth of it."""
MAX_PACKED_BYTES = 900 * 1024
"""Size of a packed pattern: it shares one Secret (1 MiB at most, set by Kubernetes) with the connection."""


class ModelType(StrEnum):
    """What the rules of a task are."""

    KEYWORD_MODEL = "keyword_model"
    RULE_MODEL = "rule_model"


class MatchType(StrEnum):
    """Where in a text a keyword must stand."""

    PARTIALLY = "partially"
    ABSOLUTELY = "absolutely"
    START = "start"
    END = "end"

    @classmethod
    def _missing_(cls, value: object) -> "MatchType | None":
        # Rule files in use write `exactly` for a fifth of their keywords.
        return cls.ABSOLUTELY if value == "exactly" else None


MATCH_TYPE_HELP = "write partially, absolutely (or exactly), start, end, or a list of them"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class KeywordRule(_Part):
    """One keyword and the places where it counts."""

    keyword: Annotated[
        str,
        Field(min_length=1, max_length=MAX_RULE_CHARACTERS, description="Text to look for; case does not matter."),
    ]
    match: Annotated[
        tuple[MatchType, ...],
        Field(
            min_length=1,
            max_length=5,
            description="Where it must stand: partially (anywhere), absolutely (the whole text), start, end.",
            json_schema_extra={"items": {"type": "string", "enum": [*MatchType, "exactly"]}},
        ),
    ]

    @field_validator("match")
    @classmethod
    def _each_once(cls, value: tuple[MatchType, ...]) -> tuple[MatchType, ...]:
        return tuple(dict.fromkeys(value))


class LabelRules(_Part):
    """One label with its keywords (keyword_model) or expressions (rule_model)."""

    label: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_LABEL_CHARACTERS,
            description="What a matching row is labelled; result tables show it translated, with a slash before.",
        ),
    ]
    keywords: Annotated[
        tuple[KeywordRule, ...] | None,
        Field(description="Rules of a keyword_model.", json_schema_extra={"maxItems": MAX_INLINE_RULES}),
    ] = None
    expressions: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=MAX_RULE_CHARACTERS)], ...] | None,
        Field(
            description="Rules of a rule_model: Python regular expressions, searched in the lower-cased text.",
            json_schema_extra={"maxItems": MAX_INLINE_RULES},
        ),
    ] = None


Pattern = tuple[LabelRules, ...]
_PATTERN: TypeAdapter[Pattern] = TypeAdapter(Pattern)


def rule_count(pattern: Pattern) -> int:
    """Number of keywords and expressions of all labels."""
    return sum(len(rules.keywords or ()) + len(rules.expressions or ()) for rules in pattern)


def parse_rest_pattern(value: object, model_type: ModelType, field: str = "PATTERN") -> Pattern:
    """Read the object that REST callers send: ``{label: [[keyword, match type], ...]}`` or ``{label: [regex, ...]}``.

    :raises InvalidTask: naming each label and position (from 0) whose shape is wrong.
    """
    if not isinstance(value, dict):
        raise InvalidTask([Problem(pointer(field), "must be an object that maps each label to its list of rules")])
    if len(value) > MAX_LABELS:
        raise InvalidTask([Problem(pointer(field), f"has {len(value):,} labels, {MAX_LABELS} are allowed")])
    problems: list[Problem] = []
    pattern: list[LabelRules] = []
    for label, entries in value.items():
        here = strict_json.shown(pointer(field, label))
        if not isinstance(entries, list):
            problems.append(Problem(here, f'label "{strict_json.shown(label)}": must be a list of rules'))
        elif model_type is ModelType.KEYWORD_MODEL:
            keywords = tuple(_keyword_rules(label, entries, here, problems))
            pattern.append(LabelRules.model_construct(label=label, keywords=keywords, expressions=None))
        else:
            expressions = tuple(_expressions(label, entries, here, problems))
            pattern.append(LabelRules.model_construct(label=label, keywords=None, expressions=expressions))
    if problems:
        raise InvalidTask(problems)
    return tuple(pattern)


def _keyword_rules(label: str, entries: Sequence[object], here: str, problems: list[Problem]) -> Iterator[KeywordRule]:
    for position, entry in enumerate(entries):
        place = f'label "{strict_json.shown(label)}", position {position}'
        match entry:
            case [str() as keyword, str() | list() as wanted]:
                names = [wanted] if isinstance(wanted, str) else wanted
                try:
                    types = tuple(dict.fromkeys(MatchType(name) for name in names))
                except ValueError:
                    types = ()
                if types:
                    yield KeywordRule.model_construct(keyword=keyword, match=types)
                else:
                    problems.append(Problem(f"{here}/{position}/1", f"{place}: no such match type; {MATCH_TYPE_HELP}"))
            case _:
                message = f'{place}: must be ["keyword", "match type"]; {MATCH_TYPE_HELP}'
                problems.append(Problem(f"{here}/{position}", message))


def _expressions(label: str, entries: Sequence[object], here: str, problems: list[Problem]) -> Iterator[str]:
    for position, entry in enumerate(entries):
        if isinstance(entry, str):
            yield entry
        else:
            message = f'label "{strict_json.shown(label)}", position {position}: must be one regular expression'
            problems.append(Problem(f"{here}/{position}", message))


def encode_pattern(pattern: Pattern) -> bytes:
    """Return the canonical JSON of ``pattern``: equal patterns give equal bytes, whoever encodes them."""
    parts = [rules.model_dump(mode="json", exclude_none=True) for rules in pattern]
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()


def pattern_digest(pattern: Pattern) -> str:
    """Return the SHA-256 of the canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(encode_pattern(pattern)).hexdigest()


def pack_pattern(pattern: Pattern) -> bytes:
    """Return the content of ``pattern.json.gz``; equal patterns give equal bytes.

    :raises InvalidTask: when it exceeds what one Secret holds.
    """
    # mtime 0: two gateways must agree on the bytes of an immutable Secret.
    packed = gzip.compress(encode_pattern(pattern), mtime=0)
    if len(packed) > MAX_PACKED_BYTES:
        message = (
            f"the rules take {len(packed):,} bytes compressed, {MAX_PACKED_BYTES:,} are allowed "
            "(about 140,000 keywords); split them over several tasks"
        )
        raise InvalidTask([Problem(pointer("PATTERN"), message)])
    return packed


def unpack_pattern(content: bytes, model_type: ModelType) -> Pattern:
    """Read a pattern file: plain or gzipped JSON, as a list or as the object that REST callers send.

    :raises InvalidTask: when it is not a pattern of ``model_type``.
    """
    value = strict_json.loads(_unzip(content) if content.startswith(b"\x1f\x8b") else content)
    if isinstance(value, dict):
        return parse_rest_pattern(value, model_type, field="pattern")
    try:
        return _PATTERN.validate_python(value)
    except ValidationError as error:
        raise InvalidTask(problems_of(error, ("pattern",))) from None


def _unzip(content: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as stream:
            plain = stream.read(MAX_PATTERN_BYTES + 1)
    except (OSError, EOFError, zlib.error):
        raise InvalidTask([Problem(pointer("pattern"), "the file is not whole gzip data")]) from None
    if len(plain) > MAX_PATTERN_BYTES:
        raise InvalidTask([Problem(pointer("pattern"), f"unpacks to more than {MAX_PATTERN_BYTES:,} bytes")])
    return plain


def problems_of(error: ValidationError, prefix: tuple[str | int, ...] = ()) -> list[Problem]:
    """Translate pydantic's findings; the refused input itself is never repeated."""
    return [
        Problem(strict_json.shown(pointer(*prefix, *found["loc"])), found["msg"][:1].lower() + found["msg"][1:])
        for found in error.errors(include_url=False, include_input=False, include_context=False)
    ]
