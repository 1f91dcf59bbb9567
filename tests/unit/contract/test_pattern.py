import gzip
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeltask_contract import pattern as patterns
from labeltask_contract.errors import InvalidTask, Problem
from labeltask_contract.pattern import KeywordRule, LabelRules, MatchType, ModelType, parse_rest_pattern

KEYWORD, RULE = ModelType.KEYWORD_MODEL, ModelType.RULE_MODEL
HELP = patterns.MATCH_TYPE_HELP

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
keyword_patterns = st.dictionaries(
    texts,
    st.lists(st.tuples(texts, st.sampled_from([m.value for m in MatchType])).map(list), min_size=1, max_size=5),
    min_size=1,
    max_size=5,
)


def test_labels_and_keywords_keep_the_order_of_the_request() -> None:
    value = {"zeta": [["b", "start"], ["A", ["end", "partially", "end"]]], "alpha": [["x", "exactly"]]}
    assert parse_rest_pattern(value, KEYWORD) == (
        LabelRules(
            label="zeta",
            keywords=(
                KeywordRule(keyword="b", match=(MatchType.START,)),
                KeywordRule(keyword="A", match=(MatchType.END, MatchType.PARTIALLY)),
            ),
        ),
        LabelRules(label="alpha", keywords=(KeywordRule(keyword="x", match=(MatchType.ABSOLUTELY,)),)),
    )


def test_expressions_keep_the_order_of_the_request() -> None:
    assert parse_rest_pattern({"b": ["^x", "y$"], "a": [r"\d"]}, RULE) == (
        LabelRules(label="b", expressions=("^x", "y$")),
        LabelRules(label="a", expressions=(r"\d",)),
    )


def test_every_entry_of_a_wrong_shape_is_named_by_label_and_position() -> None:
    value = {"A": [["x", "foo"], ["x"], "x", ["x", []], ["x", [["start"]]], [1, "start"]], "\ud83d": {}}
    with pytest.raises(InvalidTask) as caught:
        parse_rest_pattern(value, KEYWORD)
    no_type, no_pair = f"no such match type; {HELP}", f'must be ["keyword", "match type"]; {HELP}'
    assert list(caught.value.problems) == [
        Problem("/PATTERN/A/0/1", f'label "A", position 0: {no_type}'),
        Problem("/PATTERN/A/1", f'label "A", position 1: {no_pair}'),
        Problem("/PATTERN/A/2", f'label "A", position 2: {no_pair}'),
        Problem("/PATTERN/A/3/1", f'label "A", position 3: {no_type}'),
        Problem("/PATTERN/A/4/1", f'label "A", position 4: {no_type}'),
        Problem("/PATTERN/A/5", f'label "A", position 5: {no_pair}'),
        Problem("/PATTERN/\\ud83d", 'label "\\ud83d": must be a list of rules'),
    ]


def test_a_rule_model_takes_expressions_not_pairs() -> None:
    with pytest.raises(InvalidTask, match='label "A", position 0: must be one regular expression'):
        parse_rest_pattern({"A": [["x", "start"]]}, RULE)


@given(keyword_patterns)
def test_a_pattern_survives_the_way_through_its_secret(value: dict[str, list[list[str]]]) -> None:
    pattern = parse_rest_pattern(value, KEYWORD)
    packed = patterns.pack_pattern(pattern)
    assert patterns.unpack_pattern(packed, KEYWORD) == pattern
    assert [rules.label for rules in patterns.unpack_pattern(packed, KEYWORD)] == list(value)


def test_a_file_of_the_rest_form_gives_the_same_pattern_and_digest() -> None:
    value = {"b": [["x", "exactly"]], "a": [["y", ["start", "end"]]]}
    pattern = parse_rest_pattern(value, KEYWORD)
    plain = json.dumps(value).encode()
    for content in (plain, gzip.compress(plain), patterns.pack_pattern(pattern)):
        again = patterns.unpack_pattern(content, KEYWORD)
        assert again == pattern
        assert patterns.pattern_digest(again) == patterns.pattern_digest(pattern)


def test_equal_patterns_pack_to_equal_bytes() -> None:
    value = {"a": [["y", "end"]]}
    first, second = (patterns.pack_pattern(parse_rest_pattern(value, KEYWORD)) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"\x1f\x8b not gzip", "/pattern: the file is not whole gzip data"),
        (gzip.compress(b"[]" * 1000)[:20], "/pattern: the file is not whole gzip data"),
        (gzip.compress(b" " * (patterns.MAX_PATTERN_BYTES + 1)), "/pattern: unpacks to more than 67,108,864 bytes"),
        (b'{"a": 1, "a": 2}', '/a: the key "a" is given twice; keep one of them'),
        (b'[{"label": "a", "keywords": [{"keyword": "x", "match": ["no"]}]}]', "/pattern/0/keywords/0/match/0: "),
        (b'[{"label": "a", "surprise": 1}]', "/pattern/0/surprise: extra inputs are not permitted"),
    ],
)
def test_a_pattern_file_that_is_none_is_refused(content: bytes, text: str) -> None:
    with pytest.raises(InvalidTask) as caught:
        patterns.unpack_pattern(content, KEYWORD)
    assert text in str(caught.value)


def test_a_hundred_thousand_keywords_fit_and_too_many_are_refused_with_the_limit() -> None:
    random_source = random.Random(7)

    def entries(count: int) -> list[list[str]]:
        return [["".join(map(chr, random_source.choices(range(0x4E00, 0x9FA5), k=3))), "end"] for _ in range(count)]

    assert len(patterns.pack_pattern(parse_rest_pattern({"a": entries(100_000)}, KEYWORD))) < patterns.MAX_PACKED_BYTES
    with pytest.raises(InvalidTask, match=r"compressed, 921,600 are allowed \(about 140,000 keywords\)"):
        patterns.pack_pattern(parse_rest_pattern({"a": entries(300_000)}, KEYWORD))
