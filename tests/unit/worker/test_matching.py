"""Matching equals a naive reading of the contract, and the published surprises of other matchers don't happen here."""

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labeltask_contract.errors import TaskFailure
from labeltask_contract.pattern import ModelType, Pattern, parse_rest_pattern
from labeltask_contract.reasons import Reason
from labeltask_contract.spec import Policy
from labeltask_worker.matching import Labelling, build_matcher, label_texts, match_counts
from labeltask_worker.matching.literals import required_literals

KEYWORD, RULE = ModelType.KEYWORD_MODEL, ModelType.RULE_MODEL


def parsed(model_type: ModelType, pattern: dict[str, Any]) -> Pattern:
    return parse_rest_pattern(pattern, model_type)


def labels(model_type: ModelType, pattern: dict[str, Any], text: str, policy: Policy = Policy.FIRST) -> list[str]:
    names = list(pattern)
    matcher = build_matcher(model_type, parsed(model_type, pattern), policy)
    return [names[index] for index in label_texts(matcher, [text])[0]]


def naive_counts(pattern: Mapping[str, Sequence[tuple[str, list[str]]]], text: str) -> dict[int, int]:
    lowered = text.lower()
    counts: dict[int, int] = {}
    for index, rules in enumerate(pattern.values()):
        pairs = [(keyword.lower(), match) for keyword, matches in rules for match in dict.fromkeys(matches)]
        count = int(any(match == "partially" and keyword in lowered for keyword, match in pairs))
        for keyword, match in pairs:
            count += match == "absolutely" and keyword == lowered
            count += match == "start" and lowered.startswith(keyword)
            count += match == "end" and lowered.endswith(keyword)
        if count:
            counts[index] = count
    return counts


# Few letters, so that keywords nest and overlap; sentinels; letters whose lower case is longer or depends on others.
letters = st.sampled_from("aAbB女男\x02\x03İΣσς🙈ßI ")
words = st.text(letters, min_size=1, max_size=4)
match_types = st.lists(st.sampled_from(["partially", "absolutely", "start", "end"]), min_size=1, max_size=4)
rules_of_a_label = st.lists(st.tuples(words, match_types), min_size=1, max_size=6)
patterns = st.dictionaries(st.sampled_from("XYZ"), rules_of_a_label, min_size=1)


@given(patterns, st.lists(st.text(letters, max_size=12), min_size=1, max_size=5))
def test_keywords_count_as_a_naive_reading_of_the_contract(
    pattern: dict[str, list[tuple[str, list[str]]]], texts: list[str]
) -> None:
    rules = parsed(KEYWORD, {label: [list(rule) for rule in entries] for label, entries in pattern.items()})
    expected = [naive_counts(pattern, text) for text in texts]
    assert [match_counts(KEYWORD, rules, text) for text in texts] == expected
    assert label_texts(build_matcher(KEYWORD, rules, Policy.ALL), texts) == [
        tuple(sorted(counts)) for counts in expected
    ]
    assert label_texts(build_matcher(KEYWORD, rules, Policy.FIRST), texts) == [
        tuple(sorted(counts))[:1] for counts in expected
    ]
    most = [tuple(sorted(counts, key=lambda label: (-counts[label], label)))[:1] for counts in expected]
    assert label_texts(build_matcher(KEYWORD, rules, Policy.MOST), texts) == most


expressions = st.sampled_from(
    ["a", "a+b", "^女", "男$", "(.)\\1", "(?<=a)b", "[^a]", "\\d", "A", "(?i)A", "a.b", "i̇", "", "a|b"]
)


@given(
    st.dictionaries(st.sampled_from("XYZ"), st.lists(expressions.filter(bool), min_size=1, max_size=4), min_size=1),
    st.lists(st.text(letters | st.just("\n"), max_size=12), min_size=1, max_size=4),
)
def test_expressions_count_as_re_search_on_the_lowered_text(pattern: dict[str, list[str]], texts: list[str]) -> None:
    rules = parsed(RULE, dict(pattern))
    expected = []
    for text in texts:
        counts = [sum(bool(re.search(rule, text.lower())) for rule in entries) for entries in pattern.values()]
        expected.append({index: count for index, count in enumerate(counts) if count})
    assert [match_counts(RULE, rules, text) for text in texts] == expected
    for policy, chosen in {
        Policy.ALL: [tuple(sorted(counts)) for counts in expected],
        Policy.FIRST: [tuple(sorted(counts))[:1] for counts in expected],
        Policy.MOST: [tuple(sorted(counts, key=lambda label: (-counts[label], label)))[:1] for counts in expected],
    }.items():
        assert label_texts(build_matcher(RULE, rules, policy), texts) == chosen


def test_a_failed_longer_keyword_does_not_swallow_a_shorter_one() -> None:
    pattern = {"A": [["國家知識產權局", "partially"]], "B": [["知識產權", "partially"]]}
    assert labels(KEYWORD, pattern, "國家知識產權") == ["B"]


def test_overlapping_keywords_all_count_and_the_order_of_the_pattern_decides() -> None:
    pattern = {"L1": [["234", "partially"]], "L2": [["345", "partially"]], "L3": [["123", "partially"]]}
    assert labels(KEYWORD, pattern, "123456", Policy.ALL) == ["L1", "L2", "L3"]
    assert labels(KEYWORD, pattern, "123456") == ["L1"]


def test_case_is_lowered_and_not_folded() -> None:
    pattern = {"A": [["STRASSE", "partially"]]}
    assert labels(KEYWORD, pattern, "Straße") == []
    assert labels(KEYWORD, pattern, "strasse") == ["A"]


def test_full_width_letters_are_lowered_and_not_narrowed() -> None:
    pattern = {"A": [["ABC", "partially"]], "B": [["ａｂｃ", "partially"]]}
    assert labels(KEYWORD, pattern, "ＡＢＣ", Policy.ALL) == ["B"]


def test_emoji_count_at_the_start_and_letters_at_the_end() -> None:
    pattern = {"A": [["🙈", "start"]], "B": [["b", "end"]]}
    assert labels(KEYWORD, pattern, "🙈ab", Policy.ALL) == ["A", "B"]
    assert labels(KEYWORD, pattern, "🙈😉", Policy.ALL) == ["A"]


def test_words_have_no_boundaries() -> None:
    assert labels(KEYWORD, {"A": [["人民日報", "partially"]]}, "人民日報1報道") == ["A"]
    assert labels(KEYWORD, {"A": [["到成都", "partially"]]}, "鄭州到成都2小時") == ["A"]


def test_repeats_of_a_keyword_in_a_text_do_not_add_up() -> None:
    pattern = {"Cat": [["貓", "partially"]], "Dog": [["狗", "partially"], ["狗", "end"]]}
    assert labels(KEYWORD, pattern, "貓貓貓狗", Policy.MOST) == ["Dog"]
    assert labels(KEYWORD, pattern, "貓貓貓狗") == ["Cat"]


def test_look_behind_and_back_references_work() -> None:
    assert labels(RULE, {"A": ["(?<=我是)男生"]}, "我是男生") == ["A"]
    assert labels(RULE, {"A": [r"(.)\1"]}, "哈哈") == ["A"]


def test_an_upper_case_letter_never_matches_as_expression_and_does_as_keyword() -> None:
    assert labels(RULE, {"A": ["I"]}, "ISTANBUL") == []
    assert labels(KEYWORD, {"A": [["I", "partially"]]}, "ISTANBUL") == ["A"]


def test_exactly_is_another_word_for_absolutely() -> None:
    assert labels(KEYWORD, {"A": [["Lady", "exactly"]]}, "LADY") == ["A"]
    assert labels(KEYWORD, {"A": [["Lady", "exactly"]]}, "my lady") == []


def test_a_text_that_holds_the_sentinels_is_matched_literally() -> None:
    pattern = {"start": [["a", "start"]], "end": [["a", "end"]], "whole": [["\x02a\x03", "absolutely"]]}
    assert labels(KEYWORD, pattern, "x\x02a\x03x", Policy.ALL) == []
    assert labels(KEYWORD, pattern, "\x02a\x03", Policy.ALL) == ["whole"]


def test_an_expression_that_runs_away_is_stopped_and_named() -> None:
    matcher = build_matcher(RULE, parsed(RULE, {"甲": ["b"], "乙": ["c", "^(a+)+$"]}), Policy.FIRST, 0.2)
    began = time.monotonic()
    with pytest.raises(TaskFailure) as caught:
        label_texts(matcher, ["aaa", "a" * 40 + "x"])
    assert time.monotonic() - began < 5
    assert caught.value.reason is Reason.RULE_TOO_SLOW
    assert caught.value.message.startswith('label "乙", position 1: ')
    assert label_texts(matcher, ["aaa", "b"]) == [(1,), (0,)]


def test_rules_pause_between_texts_when_asked_to() -> None:
    matcher = build_matcher(RULE, parsed(RULE, {"A": ["a"]}), Policy.FIRST)
    assert matcher.match([b"a"] * 1_000, pause_seconds=0) == Labelling(1, [(0, (0,))])
    assert matcher.match([b"a"] * 1_000).done == 1_000


def test_a_final_sigma_is_lowered_by_its_own_text_whatever_stands_beside_it() -> None:
    matcher = build_matcher(
        KEYWORD, parsed(KEYWORD, {"final": [["ς", "end"]], "other": [["σ", "partially"]]}), Policy.ALL
    )
    assert label_texts(matcher, ["ΑΣ", "Α", "Σ", "ΑΣΑ", "ΑΣ.", "ΑΣ\u0301"]) == [(0,), (), (1,), (1,), (), ()]
    assert [text.lower() for text in ("ΑΣ", "Σ", "ΑΣΑ", "ΑΣ.", "ΑΣ\u0301")] == ["ας", "σ", "ασα", "ας.", "ας\u0301"]


def test_empty_texts_and_texts_of_nul_lie_between_others_without_shifting_them() -> None:
    matcher = build_matcher(
        KEYWORD, parsed(KEYWORD, {"A": [["a", "absolutely"]], "0": [["\x00", "start"]]}), Policy.ALL
    )
    assert label_texts(matcher, ["", "A", "", "\x00", "İ", "a\x00", "a"]) == [(), (0,), (), (1,), (), (), (0,)]


def test_half_a_surrogate_pair_in_a_text_is_no_obstacle() -> None:
    assert labels(KEYWORD, {"A": [["a", "end"]]}, "\ud83da") == ["A"]
    assert labels(RULE, {"A": ["^.a"]}, "\ud83da") == ["A"]


@pytest.mark.parametrize(
    ("expression", "literals"),
    {
        "男生": {"男生"},
        "男(生|孩)": {"男生", "男孩"},
        "[男女]生": {"男生", "女生"},
        "我是(?:男|女)?生": {"我是"},
        "(?<=我是)男生": {"我是"},
        "^a.*學生會$": {"學生會"},
        "(太太|小姐)+": {"太太", "小姐"},
        "(?i)lady太太": {"太太"},
        "(?i:x)女": {"女"},
        "(?i)(?-i:ab)c": {"ab"},
        "(?x) 男 生 # both": {"男生"},
        "(ab){2,}": {"ab"},
        "(.)\\1女": {"女"},
        "ab(?!c)": {"ab"},
    }.items(),
)
def test_a_match_needs_a_literal(expression: str, literals: set[str]) -> None:
    assert set(required_literals(expression) or ()) == literals


@pytest.mark.parametrize(
    "expression",
    [r"\d{3,}", "[^a]b?", "a*", "a|.", "(?i)abc", "(?!a)", r"(.)\1", "(a)?(?(1)b|c)", "[a-c]", "\x02", "x?", "男|"],
)
def test_an_expression_without_a_sure_literal_is_tried_on_every_text(expression: str) -> None:
    assert required_literals(expression) is None


pieces = st.sampled_from(
    [
        "a",
        "b",
        "ab",
        "女",
        "男女",
        "I",
        ".",
        "[ab女]",
        "[^a]",
        "[a-b]",
        r"\w",
        r"\d",
        "^",
        "$",
        r"\b",
        "\n",
        "σ",
        "i̇",
        "\x02",
    ]
)
trees = st.recursive(
    pieces,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map("(?:{0[0]}|{0[1]})".format),
        st.tuples(inner, st.sampled_from(["?", "*", "+", "{2}", "{0,1}", "+?"])).map("(?:{0[0]}){0[1]}".format),
        inner.map("({})".format),
        inner.map("(?i:{})".format),
        inner.map("(?={})".format),
        inner.map("(?!{})".format),
        inner.map("(?>{})".format),
    ),
    max_leaves=6,
)


@given(
    st.lists(trees, min_size=1, max_size=5),
    st.lists(st.text(letters | st.just("\n"), max_size=10), min_size=1, max_size=6),
)
def test_whatever_is_selected_before_expressions_match_where_re_does(rules: list[str], texts: list[str]) -> None:
    pattern = {str(number): [rule] for number, rule in enumerate(rules)}
    matcher = build_matcher(RULE, parsed(RULE, dict(pattern)), Policy.ALL)
    assert label_texts(matcher, texts) == [
        tuple(number for number, rule in enumerate(rules) if re.search(rule, text.lower())) for text in texts
    ]


@pytest.mark.parametrize("policy", list(Policy))
@given(patterns, st.lists(st.text(letters, max_size=12), min_size=1, max_size=5))
def test_every_keyword_that_matches_is_told_where_it_is_wanted_and_labels_stay_the_same(
    policy: Policy, pattern: dict[str, list[tuple[str, list[str]]]], texts: list[str]
) -> None:
    rules = parsed(KEYWORD, {label: [list(rule) for rule in entries] for label, entries in pattern.items()})
    encoded = [text.encode() for text in texts]
    done, labelled, matched = build_matcher(KEYWORD, rules, policy, every_rule=True).match(encoded)
    assert (done, labelled) == build_matcher(KEYWORD, rules, policy).match(encoded)[:2]
    assert matched is not None
    assert {number: set(found) for number, found in matched} == {
        number: hits
        for number, text in enumerate(texts)
        if (
            hits := {
                (label, place)
                for label, entries in enumerate(pattern.values())
                for place, (keyword, matches) in enumerate(entries)
                if naive_counts({"": [(keyword, matches)]}, text)
            }
        )
    }


@pytest.mark.parametrize("policy", list(Policy))
@given(
    st.lists(trees, min_size=2, max_size=5),
    st.lists(st.text(letters | st.just("\n"), max_size=10), min_size=1, max_size=6),
)
def test_every_expression_that_matches_is_told_where_it_is_wanted_and_labels_stay_the_same(
    policy: Policy, rules: list[str], texts: list[str]
) -> None:
    pattern = parsed(RULE, {"X": rules[:1], "Y": rules[1:]})
    places = [(0, 0), *((1, place) for place in range(len(rules) - 1))]
    encoded = [text.encode() for text in texts]
    done, labelled, matched = build_matcher(RULE, pattern, policy, every_rule=True).match(encoded)
    assert (done, labelled) == build_matcher(RULE, pattern, policy).match(encoded)[:2]
    assert matched is not None
    assert {number: list(found) for number, found in matched} == {
        number: hits
        for number, text in enumerate(texts)
        if (hits := [place for place, rule in zip(places, rules, strict=True) if re.search(rule, text.lower())])
    }
