"""What is refused before a task exists. Pure; serves gateway, operator and worker."""

import re
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from labeltask_contract.pattern import (
    MAX_LABEL_CHARACTERS,
    MAX_LABELS,
    MAX_RULE_CHARACTERS,
    KeywordRule,
    LabelRules,
    ModelType,
    Pattern,
)
from labeltask_contract.strict_json import shown

MAX_PROBLEMS = 1_000
"""A caller is shown the first fifty; nobody needs all of half a million."""


@dataclass(frozen=True)
class RuleProblem:
    """One finding; ``position`` counts the label's rules from 0 and is None where the label itself is meant."""

    label_index: int
    label: str
    position: int | None
    text: str

    @property
    def message(self) -> str:
        """The finding as a sentence that names label and position."""
        place = f'label "{shown(self.label)}"'
        if self.position is not None:
            place += f", position {self.position}"
        return f"{place}: {self.text}"


def find_problems(model_type: ModelType, pattern: Pattern, compile_seconds: float = float("inf")) -> list[RuleProblem]:
    """Return for what ``pattern`` must be refused, MAX_PROBLEMS at most; an empty list means that it can run.

    ``compile_seconds`` of this thread's processor time are spent on compiling; expressions that need more are refused,
    because a few megabytes of them can take hours.
    """
    return list(islice(_find_problems(model_type, pattern, compile_seconds), MAX_PROBLEMS))


def _find_problems(model_type: ModelType, pattern: Pattern, compile_seconds: float) -> Iterator[RuleProblem]:
    if not pattern:
        yield RuleProblem(0, "", None, "the pattern holds no label; give at least one label with one rule")
        return
    if len(pattern) > MAX_LABELS:
        yield RuleProblem(MAX_LABELS, pattern[MAX_LABELS].label, None, f"more than {MAX_LABELS} labels")
        return
    deadline = time.thread_time() + compile_seconds
    first_seen: dict[str, int] = {}
    for index, rules in enumerate(pattern):
        text = _label_problem(rules.label)
        if text is None and first_seen.setdefault(rules.label, index) != index:
            text = "the label is given twice; join its rules in one list"
        if text is not None:
            yield RuleProblem(index, rules.label, None, text)
        yield from _rule_problems(model_type, index, rules, deadline)


def _label_problem(label: str) -> str | None:
    if not label:
        return "the label is empty"
    if len(label) > MAX_LABEL_CHARACTERS:
        return f"the label has {len(label)} characters, {MAX_LABEL_CHARACTERS} are allowed"
    if _is_broken(label):
        return "the label holds half of a surrogate pair, which is no character; write the whole character"
    if label != label.strip():
        return "the label begins or ends with white space; remove it"
    return None


def _rule_problems(model_type: ModelType, index: int, rules: LabelRules, deadline: float) -> Iterator[RuleProblem]:
    wanted: Sequence[KeywordRule | str] | None = rules.keywords
    other: Sequence[KeywordRule | str] | None = rules.expressions
    names = ("keywords", "expressions")
    if model_type is ModelType.RULE_MODEL:
        wanted, other, names = other, wanted, names[::-1]
    if other is not None or not wanted:
        text = f"a {model_type} needs {names[0]}, at least one, and no {names[1]}"
        yield RuleProblem(index, rules.label, None, text)
        return
    for position, rule in enumerate(wanted):
        text_or_none = _keyword_problem(rule) if isinstance(rule, KeywordRule) else _expression_problem(rule)
        if text_or_none is not None:
            yield RuleProblem(index, rules.label, position, text_or_none)
        if model_type is ModelType.RULE_MODEL and time.thread_time() > deadline:
            text = "compiling the expressions up to here took too long; simplify them or split them over several tasks"
            yield RuleProblem(index, rules.label, position, text)
            return


def _keyword_problem(rule: KeywordRule) -> str | None:
    return _text_problem(rule.keyword, "keyword")


def _expression_problem(expression: str) -> str | None:
    problem = _text_problem(expression, "expression")
    if problem is not None:
        return problem
    try:
        compile_expression(expression)
    except re.error as error:
        return f"the expression does not compile: {error}"
    except (OverflowError, RecursionError, MemoryError):
        return "the expression does not compile: it nests or repeats too much"
    return None


def _text_problem(text: str, what: str) -> str | None:
    if not text:
        return f"the {what} is empty; an empty {what} would match every text"
    if len(text) > MAX_RULE_CHARACTERS:
        return f"the {what} has {len(text):,} characters, {MAX_RULE_CHARACTERS:,} are allowed"
    if _is_broken(text):
        return f"the {what} holds half of a surrogate pair, which is no character; write the whole character"
    return None


def compile_expression(expression: str) -> re.Pattern[str]:
    """Compile as the worker does; Python's own warnings about odd spellings are no concern of the caller."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return re.compile(expression)


def _is_broken(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
