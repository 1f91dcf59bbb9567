"""``labeltask-worker match``: the worker's own matcher for one JSON string a line, for people and for tests."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from labeltask_contract.errors import InvalidTask, TaskFailure
from labeltask_contract.pattern import ModelType, Pattern, unpack_pattern
from labeltask_contract.reasons import Reason
from labeltask_contract.rule_checks import find_problems
from labeltask_contract.spec import Policy
from labeltask_worker.matching import build_matcher, label_texts


def read_pattern(path: Path, model_type: ModelType) -> Pattern:
    """Read a pattern file: JSON, gzipped or not, as callers send it or as a task keeps it.

    :raises TaskFailure: RuleInvalid, naming each label and position; SpecInvalid when it can't be read.
    """
    try:
        pattern = unpack_pattern(path.read_bytes(), model_type)
    except OSError as error:
        raise TaskFailure(Reason.SPEC_INVALID, f"{path} can't be read: {error.strerror}") from None
    except InvalidTask as error:
        raise TaskFailure(Reason.RULE_INVALID, str(error)) from None
    problems = find_problems(model_type, pattern)
    if problems:
        raise TaskFailure(Reason.RULE_INVALID, "; ".join(problem.message for problem in problems))
    return pattern


def match_lines(
    lines: Iterable[str], pattern: Pattern, model_type: ModelType, policy: Policy, row_budget_seconds: float
) -> Iterator[str]:
    """Yield a JSON list of labels for each line, which holds one JSON string; lazily, line by line.

    :raises TaskFailure: SpecInvalid, naming a line that holds no JSON string; RuleTooSlow.
    """
    matcher = build_matcher(model_type, pattern, policy, row_budget_seconds)
    for number, line in enumerate(lines, 1):
        try:
            text = json.loads(line)
        except ValueError:
            text = None
        if not isinstance(text, str):
            raise TaskFailure(Reason.SPEC_INVALID, f"line {number} is no JSON string; write one on each line")
        (found,) = label_texts(matcher, [text])
        yield json.dumps([pattern[label].label for label in found], ensure_ascii=False)
