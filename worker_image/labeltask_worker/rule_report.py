"""Count which rules matched which rows, and lay the sums out as the lines of the rule report. Pure."""

from collections.abc import Iterable, Sequence

from labeltask_contract.pattern import LabelRules, Pattern
from labeltask_store.rule_hits import WHOLE, HitCounts, ReportLine, RuleKey
from labeltask_worker.matching import MatchedText

ALL_ROWS = RuleKey(WHOLE, WHOLE)


def count_hits(matched: Iterable[MatchedText]) -> HitCounts:
    """Return how many texts each rule, each label and any label matches, and in how many of them labels conflict."""
    counts = HitCounts()
    for _, rules in matched:
        labels = {label for label, _ in rules}
        keys = [ALL_ROWS, *(RuleKey(label, WHOLE) for label in labels), *(RuleKey(*rule) for rule in rules)]
        counts.matched.update(keys)
        if len(labels) > 1:
            counts.conflicting.update(keys)
    return counts


def report_lines(pattern: Pattern, counts: HitCounts) -> list[ReportLine]:
    """Return the report: all rows, then each label followed by its rules, those that never matched included."""

    def line(key: RuleKey, label: str, rule: str | None) -> ReportLine:
        return ReportLine(key, label, rule, counts.matched[key], counts.conflicting[key])

    lines = [line(ALL_ROWS, "", None)]
    for number, rules in enumerate(pattern):
        lines.append(line(RuleKey(number, WHOLE), rules.label, None))
        lines += [line(RuleKey(number, place), rules.label, text) for place, text in enumerate(_texts(rules))]
    return lines


def never_matched(lines: Sequence[ReportLine]) -> list[ReportLine]:
    """Return the rules that matched no row."""
    return [line for line in lines if line.rule is not None and not line.matched]


def _texts(rules: LabelRules) -> list[str]:
    if rules.keywords is not None:
        return [rule.keyword for rule in rules.keywords]
    return list(rules.expressions or ())
