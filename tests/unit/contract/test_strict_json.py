import pytest

from labeltask_contract.errors import InvalidTask, Problem
from labeltask_contract.strict_json import MAX_DEPTH, loads


def problems_of(text: str | bytes) -> list[Problem]:
    with pytest.raises(InvalidTask) as caught:
        loads(text)
    return list(caught.value.problems)


def test_a_text_of_very_many_parts_is_refused_before_it_becomes_objects() -> None:
    text = "[" + "[]," * 10 + "{}]"
    assert loads(text, max_parts=22) == [*([[]] * 10), {}]
    with pytest.raises(InvalidTask, match="more than 21 commas and brackets"):
        loads(text, max_parts=21)


def test_the_order_of_keys_is_kept() -> None:
    value = loads('{"zeta": 1, "alpha": 2}')
    assert isinstance(value, dict)
    assert list(value) == ["zeta", "alpha"]


def test_a_key_given_twice_is_named_at_every_depth() -> None:
    assert problems_of('{"a": 1, "a": 2, "PATTERN": [{"男/性": [], "男/性": []}]}') == [
        Problem("/a", 'the key "a" is given twice; keep one of them'),
        Problem("/PATTERN/0/男~1性", 'the key "男/性" is given twice; keep one of them'),
    ]


def test_a_key_that_is_half_a_surrogate_pair_can_still_be_named_in_utf_8() -> None:
    (problem,) = problems_of('{"\\ud83d": 1, "\\ud83d": 2}')
    assert problem.pointer.encode() == b"/\\ud83d"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a": "\xff"}', "not UTF-8 at byte 7; send JSON encoded as UTF-8"),
        ('{"a": }', "not JSON: Expecting value at line 1, column 7"),
        ('{"a": NaN}', "a number is out of range or not a JSON number (NaN and Infinity are none)"),
        ("1" * 5000, "a number is out of range or not a JSON number (NaN and Infinity are none)"),
        ("[" * 100_000, f"nested deeper than {MAX_DEPTH} levels"),
    ],
)
def test_what_is_no_json_is_refused_with_its_place(text: str | bytes, message: str) -> None:
    assert problems_of(text) == [Problem("", message)]


def test_a_nesting_deeper_than_any_task_needs_is_refused() -> None:
    nested = "[" * (MAX_DEPTH + 2) + "]" * (MAX_DEPTH + 2)
    assert [problem.message for problem in problems_of(nested)] == [f"nested deeper than {MAX_DEPTH} levels"]
