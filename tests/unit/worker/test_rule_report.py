"""Counts of rules become the lines of a report, and the table that a person reads."""

import io

from rich.console import Console

from labeltask_contract.pattern import ModelType, parse_rest_pattern
from labeltask_store.rule_hits import HitCounts, ReportLine, RuleKey
from labeltask_worker.report_table import build_report_table
from labeltask_worker.rule_report import count_hits, never_matched, report_lines

PATTERN = parse_rest_pattern(
    {"女性": [["太太", ["start", "end"]], ["[bold]女", "partially"]], "男性": [["先生", "partially"]]},
    ModelType.KEYWORD_MODEL,
)
MATCHED = [(0, {(0, 0)}), (2, [(0, 0), (1, 0)]), (5, {(1, 0)}), (6, {(1, 0)})]
LINES = [
    ReportLine(RuleKey(-1, -1), "", None, 4, 1),
    ReportLine(RuleKey(0, -1), "女性", None, 2, 1),
    ReportLine(RuleKey(0, 0), "女性", "太太", 2, 1),
    ReportLine(RuleKey(0, 1), "女性", "[bold]女", 0, 0),
    ReportLine(RuleKey(1, -1), "男性", None, 3, 1),
    ReportLine(RuleKey(1, 0), "男性", "先生", 3, 1),
]


def test_a_report_has_all_rows_then_each_label_with_its_rules_in_the_order_of_the_pattern() -> None:
    assert report_lines(PATTERN, count_hits(MATCHED)) == LINES


def test_a_report_of_no_hit_lists_every_rule_with_nothing() -> None:
    lines = report_lines(PATTERN, HitCounts())
    assert [line._replace(matched=0, conflicting=0) for line in LINES] == lines
    assert [line.rule for line in never_matched(lines)] == ["太太", "[bold]女", "先生"]


def test_a_report_of_expressions_names_them_as_they_were_sent() -> None:
    pattern = parse_rest_pattern({"x": ["A+", "b"]}, ModelType.RULE_MODEL)
    assert report_lines(pattern, count_hits([(0, [(0, 1)])])) == [
        ReportLine(RuleKey(-1, -1), "", None, 1, 0),
        ReportLine(RuleKey(0, -1), "x", None, 1, 0),
        ReportLine(RuleKey(0, 0), "x", "A+", 0, 0),
        ReportLine(RuleKey(0, 1), "x", "b", 1, 0),
    ]


def test_a_person_sees_labels_their_best_rules_and_those_that_never_matched() -> None:
    console = Console(file=io.StringIO(), width=80, color_system=None)
    console.print(build_report_table(LINES))
    assert isinstance(console.file, io.StringIO)
    shown = [line.strip("│┃ ").split() for line in console.file.getvalue().splitlines()]
    assert ["女性", "│", "2", "│", "1"] in shown
    assert ["太太", "│", "2", "│", "1"] in shown
    assert ["男性", "│", "3", "│", "1"] in shown
    assert ["any", "label", "│", "4", "│", "1"] in shown
    assert "1 rules never matched: 女性: [bold]女" in console.file.getvalue()


def test_of_many_rules_that_never_matched_the_first_are_shown_and_the_rest_are_counted() -> None:
    pattern = parse_rest_pattern({"x": [f"a{number}" for number in range(1_030)]}, ModelType.RULE_MODEL)
    console = Console(file=io.StringIO(), width=1_000, color_system=None)
    console.print(build_report_table(report_lines(pattern, HitCounts())))
    assert isinstance(console.file, io.StringIO)
    assert "1,030 rules never matched: x: a0, x: a1, " in console.file.getvalue()
    assert "x: a19, and 1,010 more" in console.file.getvalue()
