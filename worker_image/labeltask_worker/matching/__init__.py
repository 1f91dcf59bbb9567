"""Label texts: pure, no database, no files. Input: a checked pattern and texts as stored; output: label indexes.

>>> matcher = build_matcher(ModelType.KEYWORD_MODEL, pattern, Policy.FIRST)
>>> matcher.label(["我是男生"])
[(0,)]
"""

import time
from collections.abc import Sequence
from typing import Protocol

from labeltask_contract.pattern import ModelType, Pattern
from labeltask_contract.spec import Policy
from labeltask_worker.matching.keyword_model import KeywordModel
from labeltask_worker.matching.policy import choose
from labeltask_worker.matching.rule_model import RuleModel

__all__ = ["Matcher", "build_matcher", "match_counts"]

ROW_BUDGET_SECONDS = 1.0


class Matcher(Protocol):
    """Labels many texts at a time."""

    def label(self, texts: Sequence[str], *, pause_seconds: float | None = None) -> list[tuple[int, ...]]:
        """Return each text's label indexes; after ``pause_seconds`` only those of the texts done so far, at least one.

        :raises TaskFailure: RuleTooSlow.
        """


class _KeywordMatcher:
    def __init__(self, pattern: Pattern, policy: Policy) -> None:
        self._model = KeywordModel(pattern)
        self._policy = policy

    def label(self, texts: Sequence[str], *, pause_seconds: float | None = None) -> list[tuple[int, ...]]:  # noqa: ARG002
        # A batch is bounded in bytes and takes well below a second.
        return [choose(self._policy, counts) for counts in self._model.count_all(texts)]


class _RuleMatcher:
    def __init__(self, pattern: Pattern, policy: Policy, row_budget_seconds: float) -> None:
        self._model = RuleModel(pattern, row_budget_seconds)
        self._policy = policy

    def label(self, texts: Sequence[str], *, pause_seconds: float | None = None) -> list[tuple[int, ...]]:
        first_only = self._policy is Policy.FIRST
        until = None if pause_seconds is None else time.monotonic() + pause_seconds
        labels: list[tuple[int, ...]] = []
        for text in texts:
            labels.append(choose(self._policy, self._model.counts(text, first_only=first_only)))
            if until is not None and time.monotonic() >= until:
                break
        return labels


def build_matcher(
    model_type: ModelType, pattern: Pattern, policy: Policy, row_budget_seconds: float = ROW_BUDGET_SECONDS
) -> Matcher:
    """Return a matcher for a pattern in which ``rule_checks.find_problems`` finds none."""
    if model_type is ModelType.KEYWORD_MODEL:
        return _KeywordMatcher(pattern, policy)
    return _RuleMatcher(pattern, policy, row_budget_seconds)


def match_counts(
    model_type: ModelType, pattern: Pattern, text: str, row_budget_seconds: float = ROW_BUDGET_SECONDS
) -> dict[int, int]:
    """Return the match count of every label that matches one text, for explaining a result."""
    if model_type is ModelType.KEYWORD_MODEL:
        return KeywordModel(pattern).counts(text)
    return RuleModel(pattern, row_budget_seconds).counts(text)
