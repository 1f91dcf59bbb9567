"""POST /api/rules/try: which label texts get and why, in a process that can't run away."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from labeltask_contract.pattern import ModelType, parse_rest_pattern
from labeltask_contract.spec import Policy
from labeltask_gateway.errors import TooBusy, TrialTooSlow
from labeltask_gateway.trial import ProcessTrial
from labeltask_testing.gateway_fakes import Gateway

KEYWORDS = {
    "男性": [["先生", "end"], ["MAN", ["partially", "start"]], ["人", "partially"]],
    "女性": [["小姐", "exactly"]],
}
EXPRESSIONS = {"已婚": ["老公|老婆", "(?<!未)已婚$"], "數字": [r"\d+"]}


def attempt(texts: list[str], **changes: object) -> Any:
    body = {"MODEL_TYPE": "keyword_model", "PATTERN": KEYWORDS, "TEXTS": texts, **changes}
    return Gateway().post("/api/rules/try/", body)


def test_each_text_gets_its_labels_and_what_hit() -> None:
    answer = attempt(["Man先生", "小姐", "小姐們"])
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "error_code": 200,
            "error_message": "OK",
            "content": [
                {
                    "labels": ["男性"],
                    "matches": [
                        {
                            "label": "男性",
                            "count": 3,
                            "rules": [
                                {"position": 0, "keyword": "先生", "match": "end"},
                                {"position": 1, "keyword": "MAN", "match": "partially"},
                                {"position": 1, "keyword": "MAN", "match": "start"},
                            ],
                        }
                    ],
                },
                {
                    "labels": ["女性"],
                    "matches": [
                        {
                            "label": "女性",
                            "count": 1,
                            "rules": [{"position": 0, "keyword": "小姐", "match": "absolutely"}],
                        }
                    ],
                },
                {"labels": [], "matches": []},
            ],
        },
    )


def test_an_expression_says_where_it_matches() -> None:
    answer = attempt(["他已婚"], MODEL_TYPE="rule_model", PATTERN=EXPRESSIONS)
    assert answer.json()["content"][0]["matches"] == [
        {"label": "已婚", "count": 1, "rules": [{"position": 1, "expression": "(?<!未)已婚$", "at": [1, 3]}]}
    ]


@pytest.mark.parametrize(("policy", "labels"), [("first", ["a"]), ("most", ["b"]), ("all", ["a", "b"])])
def test_the_policy_chooses(policy: str, labels: list[str]) -> None:
    pattern = {"a": [["x", "partially"], ["xy", "partially"]], "b": [["x", "start"], ["z", "end"]]}
    content = attempt(["xyz"], PATTERN=pattern, POLICY=policy).json()["content"]
    assert content[0]["labels"] == labels
    assert [match["count"] for match in content[0]["matches"]] == [1, 2]


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"TEXTS": []}, "/TEXTS"),
        ({"TEXTS": "text"}, "/TEXTS"),
        ({"TEXTS": ["a"] * 101}, "/TEXTS"),
        ({"TEXTS": ["a", 5]}, "/TEXTS/1"),
        ({"TEXTS": ["a" * 10_001]}, "/TEXTS/0"),
        ({"PATTERN": {}}, "/PATTERN"),
        ({"PATTERN": {"a": [["", "partially"]]}}, "/PATTERN/a/0"),
        ({"MODEL_TYPE": "x"}, "/MODEL_TYPE"),
        ({"SITE_CONFIG": {}}, "/SITE_CONFIG"),
    ],
)
def test_a_wrong_key_is_400_and_named(changes: dict[str, object], pointer: str) -> None:
    answer = attempt(["a"], **changes)
    assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (400, [pointer])


@pytest.mark.parametrize(
    ("failure", "status"), [(TooBusy("try-outs run"), 429), (TrialTooSlow('label "a", position 0: too slow'), 422)]
)
def test_the_limits_have_statuses_of_their_own(failure: Exception, status: int) -> None:
    gateway = Gateway()
    gateway.trial.failure = failure
    answer = gateway.post("/rules/try", {"MODEL_TYPE": "keyword_model", "PATTERN": KEYWORDS, "TEXTS": ["a"]})
    assert (answer.status_code, answer.json()["error_message"]) == (status, str(failure))
    assert answer.headers.get("Retry-After") == ("1" if status == 429 else None)


def process(seconds: float, expression: str, text: str) -> list[Any]:
    pattern = parse_rest_pattern({"b": ["c"], "a": ["d", expression]}, ModelType.RULE_MODEL)
    return ProcessTrial(seconds).run(ModelType.RULE_MODEL, Policy.FIRST, pattern, [text])


def test_the_process_answers_as_the_function_does() -> None:
    assert process(300, "密+", "X密密") == [
        {"labels": ["a"], "matches": [{"label": "a", "count": 1, "rules": [
            {"position": 1, "expression": "密+", "at": [1, 3]}]}]}
    ]  # fmt: skip


def test_an_expression_that_runs_away_is_named_after_a_second() -> None:
    with pytest.raises(TrialTooSlow) as caught:
        process(300, "(a+)+$", "a" * 40 + "b")
    assert str(caught.value) == ('label "a", position 1: the rules took longer than 1 s on text 0; simplify them')


def test_a_process_that_goes_on_is_killed() -> None:
    # Left alone it would have named the expression.
    with pytest.raises(TrialTooSlow, match=r"longer than 0\.1 s on these texts"):
        process(0.1, "(a+)+$", "a" * 40 + "b")


def test_no_more_than_two_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = ProcessTrial(5)
    pattern = parse_rest_pattern({"a": ["b"]}, ModelType.RULE_MODEL)
    refused, all_others_refused = threading.Semaphore(0), threading.Event()

    def slow(*_: object) -> list[Any]:
        assert all_others_refused.wait(60)
        return []

    monkeypatch.setattr(trial, "_run", slow)

    def attempt_one(_: int) -> bool:
        try:
            trial.run(ModelType.RULE_MODEL, Policy.FIRST, pattern, ["b"])
        except TooBusy:
            refused.release()
            return False
        return True

    with ThreadPoolExecutor(5) as threads:
        attempts = [threads.submit(attempt_one, number) for number in range(5)]
        assert all(refused.acquire(timeout=60) for _ in range(3))
        all_others_refused.set()
        assert sum(attempt.result() for attempt in attempts) == 2
