"""Label texts: pure, no database, no files. Input: a checked pattern and texts as stored; output: label indexes.

>>> matcher = build_matcher(ModelType.KEYWORD_MODEL, pattern, Policy.FIRST)
>>> label_texts(matcher, ["我是男生"])
[(0,)]
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from labeltask_contract.pattern import ModelType, Pattern
from labeltask_contract.spec import Policy
from labeltask_worker.matching.joined import encoded
from labeltask_worker.matching.keyword_model import KeywordModel
from labeltask_worker.matching.policy import choose
from labeltask_worker.matching.rule_model import RuleModel

__all__ = ["LabelledText", "Labelling", "MatchedText", "Matcher", "build_matcher", "label_texts", "match_counts"]

ROW_BUDGET_SECONDS = 1.0

LabelledText = tuple[int, tuple[int, ...]]
"""Number of a text, and the indexes of its labels, at least one, in the order of the pattern."""


MatchedText = tuple[int, Collection[tuple[int, int]]]
"""Number of a text, and all rules that match it, at least one: index of the label, index in its rules."""


class Labelling(NamedTuple):
    """What came of many texts: how many are done, and those of them that have labels, in order."""

    done: int
    labelled: Sequence[LabelledText]
    matched: Sequence[MatchedText] | None = None
    """The same texts with all rules that match, where they are wanted."""

    def before(self, number: int) -> "Labelling":
        """Return what came of the first ``number`` texts."""
        matched = None if self.matched is None else [entry for entry in self.matched if entry[0] < number]
        return Labelling(number, [entry for entry in self.labelled if entry[0] < number], matched)


class Matcher(Protocol):
    """Labels many texts at a time."""

    def match(self, texts: Sequence[bytes], *, pause_seconds: float | None = None) -> Labelling:
        """Label texts given in UTF-8; after ``pause_seconds`` only those done so far, at least one.

        :raises TaskFailure: RuleTooSlow.
        """


class _KeywordMatcher:
    def __init__(self, pattern: Pattern, policy: Policy, every_rule: bool) -> None:
        self._model = KeywordModel(pattern)
        self._policy = policy
        self._every_rule = every_rule
        self._single = [(label,) for label in range(len(pattern))]

    def match(self, texts: Sequence[bytes], *, pause_seconds: float | None = None) -> Labelling:  # noqa: ARG002
        # A batch is bounded in bytes and takes well below a second.
        if self._every_rule:
            found = self._model.matched_entries(texts)
            count, rules_of = self._model.count, self._model.rules_of
            labelled = [(text, choose(self._policy, count(entries))) for text, entries in found]
            return Labelling(len(texts), labelled, [(text, rules_of(entries)) for text, entries in found])
        if self._policy is Policy.FIRST:
            single = self._single
            return Labelling(len(texts), [(text, single[label]) for text, label in self._model.first_labels(texts)])
        counted = self._model.count_all(texts)
        return Labelling(len(texts), [(text, choose(self._policy, counts)) for text, counts in counted])


class _RuleMatcher:
    def __init__(self, pattern: Pattern, policy: Policy, row_budget_seconds: float, every_rule: bool) -> None:
        self._model = RuleModel(pattern, row_budget_seconds)
        self._policy = policy
        self._every_rule = every_rule

    def match(self, texts: Sequence[bytes], *, pause_seconds: float | None = None) -> Labelling:
        first_only = self._policy is Policy.FIRST and not self._every_rule
        done, found = self._model.match(texts, first_only=first_only, pause_seconds=pause_seconds)
        count, rule_of = self._model.count, self._model.rules
        labelled = [(text, choose(self._policy, count(numbers))) for text, numbers in found]
        if not self._every_rule:
            return Labelling(done, labelled)
        return Labelling(done, labelled, [(text, [rule_of[number] for number in numbers]) for text, numbers in found])


def build_matcher(
    model_type: ModelType,
    pattern: Pattern,
    policy: Policy,
    row_budget_seconds: float = ROW_BUDGET_SECONDS,
    *,
    every_rule: bool = False,
) -> Matcher:
    """Return a matcher for a pattern in which ``rule_checks.find_problems`` finds none.

    ``every_rule`` has all rules that match a text told too, which takes longer.
    """
    if model_type is ModelType.KEYWORD_MODEL:
        return _KeywordMatcher(pattern, policy, every_rule)
    return _RuleMatcher(pattern, policy, row_budget_seconds, every_rule)


def label_texts(matcher: Matcher, texts: Sequence[str]) -> list[tuple[int, ...]]:
    """Return the label indexes of each text; none for a text without a match."""
    labels: list[tuple[int, ...]] = [()] * len(texts)
    for number, found in matcher.match([encoded(text) for text in texts]).labelled:
        labels[number] = found
    return labels


def match_counts(
    model_type: ModelType, pattern: Pattern, text: str, row_budget_seconds: float = ROW_BUDGET_SECONDS
) -> dict[int, int]:
    """Return the match count of every label that matches one text, for explaining a result."""
    if model_type is ModelType.KEYWORD_MODEL:
        return KeywordModel(pattern).counts(text)
    return RuleModel(pattern, row_budget_seconds).counts(text)
