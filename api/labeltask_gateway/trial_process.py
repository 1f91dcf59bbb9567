"""``python -m labeltask_gateway.trial_process``: labels texts as labelling.md, "Rules" says, the plain way.

Input on stdin: ``{model_type, policy, pattern, texts}``. Output on stdout: ``{content}`` or ``{too_slow: text}``.
The worker matches with an automaton; this looks at one rule after the other, because a try-out has to say which one
hit, and because an independent second way shows when the first one is wrong.
"""

import functools
import json
import re
import resource
import signal
import sys
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Any

from labeltask_contract.pattern import LabelRules, MatchType, ModelType, Pattern, unpack_pattern
from labeltask_contract.rule_checks import compile_expression
from labeltask_contract.spec import Policy

TEXT_SECONDS = 1.0
"""Processor time for all rules on one text: the worker's own default."""
MEMORY_BYTES = 1024 * 1024 * 1024
MAX_SHOWN_RULES = 20
"""Rules of one label that are named; the count goes on."""


class OutOfTime(Exception):
    """The timer rang."""


@functools.cache
def _compiled(expression: str) -> re.Pattern[str]:
    return compile_expression(expression)


def explain(policy: Policy, pattern: Pattern, text: str) -> dict[str, Any]:
    """Return ``{labels, matches}`` of one text: the chosen labels, and each matching label's count and rules."""
    lowered = text.lower()
    matches = [_match(rules, lowered) for rules in pattern]
    counts = {index: match["count"] for index, match in enumerate(matches) if match["count"]}
    return {
        "labels": [pattern[index].label for index in _choose(policy, counts)],
        "matches": [matches[index] for index in counts],
    }


def _match(rules: LabelRules, text: str) -> dict[str, Any]:
    hits = list(_keyword_hits(rules, text)) if rules.keywords is not None else list(_expression_hits(rules, text))
    partial = [hit for hit in hits if hit.get("match") == MatchType.PARTIALLY]
    # labelling.md, "Rules": all `partially` keywords of a label count as one.
    count = len(hits) - max(0, len(partial) - 1)
    return {"label": rules.label, "count": count, "rules": hits[:MAX_SHOWN_RULES]}


def _keyword_hits(rules: LabelRules, text: str) -> Iterator[dict[str, Any]]:
    for position, rule in enumerate(rules.keywords or ()):
        keyword = rule.keyword.lower()
        for match in rule.match:
            if _stands(keyword, match, text):
                yield {"position": position, "keyword": rule.keyword, "match": match}


def _stands(keyword: str, match: MatchType, text: str) -> bool:
    match match:
        case MatchType.PARTIALLY:
            return keyword in text
        case MatchType.ABSOLUTELY:
            return keyword == text
        case MatchType.START:
            return text.startswith(keyword)
        case MatchType.END:
            return text.endswith(keyword)


def _expression_hits(rules: LabelRules, text: str) -> Iterator[dict[str, Any]]:
    for position, expression in enumerate(rules.expressions or ()):
        try:
            found = _compiled(expression).search(text)
        except OutOfTime:
            raise OutOfTime(f'label "{rules.label}", position {position}') from None
        if found is not None:
            yield {"position": position, "expression": expression, "at": list(found.span())}


def _choose(policy: Policy, counts: Mapping[int, int]) -> list[int]:
    if not counts or policy is Policy.ALL:
        return sorted(counts)
    if policy is Policy.MOST:
        return [min(counts, key=lambda index: (-counts[index], index))]
    return [min(counts)]


def _ring(_number: int, _frame: FrameType | None) -> None:
    raise OutOfTime


def main() -> int:
    """Read, label, write; return the exit code."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    order = json.load(sys.stdin)
    policy = Policy(order["policy"])
    pattern = unpack_pattern(json.dumps(order["pattern"]).encode(), ModelType(order["model_type"]))
    for rules in pattern:
        # Compiling is no part of a text's time.
        for expression in rules.expressions or ():
            _compiled(expression)
    signal.signal(signal.SIGVTALRM, _ring)
    content: list[dict[str, Any]] = []
    for number, text in enumerate(order["texts"]):
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, TEXT_SECONDS)
            content.append(explain(policy, pattern, text))
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        except OutOfTime as error:
            where = f"{error}: " if str(error) else ""
            message = f"{where}the rules took longer than {TEXT_SECONDS:g} s on text {number}; simplify them"
            json.dump({"too_slow": message}, sys.stdout)
            return 0
    json.dump({"content": content}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
