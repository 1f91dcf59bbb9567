import re
import time

import pytest

from labeltask_contract.pattern import LabelRules, ModelType, Pattern, parse_rest_pattern
from labeltask_contract.rule_checks import MAX_PROBLEMS, find_problems
from labeltask_contract.rule_warnings import MAX_WARNINGS, find_warnings

KEYWORD, RULE = ModelType.KEYWORD_MODEL, ModelType.RULE_MODEL


def keywords(value: dict[str, list[list[object]]]) -> Pattern:
    return parse_rest_pattern(value, KEYWORD)


def rules(*expressions: str) -> Pattern:
    return parse_rest_pattern({"A": list(expressions)}, RULE)


KEYWORD_PROBLEMS: dict[str, tuple[dict[str, list[list[object]]], str]] = {
    "an empty keyword": (
        {"A": [["x", "partially"], ["", "partially"]]},
        'label "A", position 1: the keyword is empty; an empty keyword would match every text',
    ),
    "half a surrogate pair as keyword": (
        {"A": [["\ud83d", "partially"]]},
        'label "A", position 0: the keyword holds half of a surrogate pair, which is no character; '
        "write the whole character",
    ),
    "half a surrogate pair as label": (
        {"\ud83d": [["x", "partially"]]},
        'label "\\ud83d": the label holds half of a surrogate pair, which is no character; write the whole character',
    ),
    "an empty label": ({"": [["x", "start"]]}, 'label "": the label is empty'),
    "a label too long": (
        {"a" * 200: [["x", "start"]]},
        f'label "{"a" * 200}": the label has 200 characters, 199 are allowed',
    ),
    "a padded label": (
        {" A": [["x", "start"]]},
        'label " A": the label begins or ends with white space; remove it',
    ),
    "a label padded with an ideographic space": (
        {"A\u3000": [["x", "start"]]},
        'label "A\u3000": the label begins or ends with white space; remove it',
    ),
    "a label without rules": (
        {"A": []},
        'label "A": a keyword_model needs keywords, at least one, and no expressions',
    ),
    "a keyword too long": (
        {"A": [["x" * 2001, "start"]]},
        'label "A", position 0: the keyword has 2,001 characters, 2,000 are allowed',
    ),
}


@pytest.mark.parametrize("name", KEYWORD_PROBLEMS)
def test_keywords_that_can_not_run_are_refused(name: str) -> None:
    value, message = KEYWORD_PROBLEMS[name]
    assert [problem.message for problem in find_problems(KEYWORD, keywords(value))] == [message]


@pytest.mark.parametrize("expression", ["[", "x(?i)", "(?<=a+)b", "(?P<a>x)(?P<a>y)", "*", "(", "\\"])
def test_an_expression_that_does_not_compile_is_refused_with_the_compilers_reason(expression: str) -> None:
    with pytest.raises(re.error) as caught:
        re.compile(expression)
    expected = f'label "A", position 1: the expression does not compile: {caught.value}'
    assert [problem.message for problem in find_problems(RULE, rules("ok", expression))] == [expected]


def test_an_expression_with_an_impossible_repeat_is_refused() -> None:
    (problem,) = find_problems(RULE, rules("a{99999999999}"))
    assert problem.message.startswith('label "A", position 0: the expression does not compile:')


@pytest.mark.parametrize("expression", ["(?<=我是)男生", r"(.)\1", "[[a]", r"\d+$", "(?i)ABC"])
def test_what_python_compiles_is_accepted(expression: str) -> None:
    assert find_problems(RULE, rules(expression)) == []


def test_a_pattern_without_labels_is_refused() -> None:
    (problem,) = find_problems(KEYWORD, ())
    assert problem.text == "the pattern holds no label; give at least one label with one rule"


def test_a_label_given_twice_is_refused_where_it_comes_again() -> None:
    twice = LabelRules(label="A", expressions=("x",))
    assert [problem.message for problem in find_problems(RULE, (twice, twice))] == [
        'label "A": the label is given twice; join its rules in one list'
    ]


def test_rules_of_the_other_model_are_refused() -> None:
    assert [problem.message for problem in find_problems(KEYWORD, rules("x"))] == [
        'label "A": a keyword_model needs keywords, at least one, and no expressions'
    ]


@pytest.mark.parametrize(
    ("expression", "letter"),
    [("I", "I"), ("[A-Z]x", "A"), ("a|B", "B"), ("(?:x(Y)+)?", "Y"), ("(?=Q)q", "Q"), ("(?-i:A)", "A"), ("É", "É")],
)
def test_a_capital_that_can_never_match_is_warned_about(expression: str, letter: str) -> None:
    assert find_warnings(RULE, rules(expression)) == [
        *([] if re.search(expression, "") is None else [MATCHES_EMPTY]),
        f'label "A", position 0: "{letter}" can never match: texts are lower-cased first, expressions are not; '
        f'write "{letter.lower()}" or put (?i) in front',
    ]


MATCHES_EMPTY = 'label "A", position 0: matches the empty text, so perhaps every text'


@pytest.mark.parametrize(
    "expression", [r"\S\D\W", "(?i)ABC", "(?P<NAME>x)", "[Aa]", "[A-Za-z]", "[^A]", "(?!A)b", "(?i:A)b", "𝐀", r"[\wA]"]
)
def test_a_capital_that_does_no_harm_is_not_warned_about(expression: str) -> None:
    assert find_warnings(RULE, rules(expression)) == []


def test_an_expression_that_matches_the_empty_text_is_warned_about() -> None:
    assert find_warnings(RULE, rules("x*")) == [MATCHES_EMPTY]


@pytest.mark.parametrize(
    ("earlier", "later", "shadowed"),
    [
        (["ab", "partially"], ["xaby", "start"], True),
        (["AB", "partially"], ["ab", "exactly"], True),
        (["ab", "start"], ["abc", "start"], True),
        (["ab", "start"], ["abc", "absolutely"], True),
        (["ab", "start"], ["xab", "partially"], False),
        (["bc", "end"], ["abc", "end"], True),
        (["bc", "end"], ["abc", "start"], False),
        (["ab", "absolutely"], ["ab", "absolutely"], True),
        (["ab", "absolutely"], ["ab", "start"], False),
        (["abc", "partially"], ["ab", "partially"], False),
        (["a", "start"], ["ax", ["start", "end"]], False),
    ],
)
def test_a_keyword_that_an_earlier_label_always_takes_is_warned_about(
    earlier: list[object], later: list[object], shadowed: bool
) -> None:
    expected = [
        'label "B", position 0: never decides under policy first: whatever it matches, '
        'the earlier label "A" matches too'
    ]
    found = find_warnings(KEYWORD, keywords({"A": [earlier], "B": [later]}))
    assert found == (expected if shadowed else [])


def test_keywords_of_one_label_do_not_shadow_each_other() -> None:
    assert find_warnings(KEYWORD, keywords({"A": [["a", "partially"], ["ab", "partially"]]})) == []


def test_warnings_end_at_their_limit() -> None:
    found = find_warnings(RULE, rules(*["X"] * 100))
    assert len(found) == MAX_WARNINGS
    assert found[-1] == "more warnings of this kind were left out"


def test_expressions_that_take_too_long_to_compile_are_refused_by_label_and_position() -> None:
    # A set of 60,000 characters without case takes milliseconds to compile, and one rule may hold many.
    costly = [f"(?i)[a-\uffff{number}]" for number in range(1_000)]
    started = time.thread_time()
    (problem,) = find_problems(RULE, rules(*costly), compile_seconds=0.1)
    assert time.thread_time() - started < 1
    assert problem.position is not None
    assert 0 < problem.position < 999
    assert problem.message == (
        f'label "A", position {problem.position}: compiling the expressions up to here took too long; '
        "simplify them or split them over several tasks"
    )


def test_of_very_many_problems_the_first_thousand_are_named() -> None:
    found = find_problems(KEYWORD, keywords({"A": [["", "start"]] * 2_000}))
    assert [problem.position for problem in found] == list(range(MAX_PROBLEMS))
