"""The rule report as a person reads it: labels, their best rules, and the rules that never matched. Pure."""

from collections.abc import Sequence
from heapq import nlargest
from itertools import groupby

from rich.console import Group
from rich.table import Table
from rich.text import Text

from labeltask_store.rule_hits import ReportLine
from labeltask_worker.rule_report import never_matched

BEST_RULES = 5
"""Rules shown for each label; the table label_rule_hit has them all."""
NEVER_SHOWN = 20


def build_report_table(lines: Sequence[ReportLine]) -> Group:
    """Return what ``rule_report.report_lines`` says, shortened to what a terminal holds."""
    table = Table("label, rule", title="Rule report", title_justify="left")
    for column in ("rows", "of them with several labels"):
        table.add_column(column, justify="right")
    everything, *others = lines
    for _, group in groupby(others, lambda line: line.key.label):
        label, *rules = group
        _add(table, label, label.label, "bold")
        for line in nlargest(BEST_RULES, rules, key=lambda line: line.matched):
            if line.matched:
                _add(table, line, f"  {line.rule}", "")
    table.add_section()
    _add(table, everything, "any label", "bold")
    never = never_matched(lines)
    if not never:
        return Group(table)
    shown = ", ".join(f"{line.label}: {line.rule}" for line in never[:NEVER_SHOWN])
    more = f", and {len(never) - NEVER_SHOWN:,} more" if len(never) > NEVER_SHOWN else ""
    return Group(table, Text(f"{len(never):,} rules never matched: {shown}{more}"))


def _add(table: Table, line: ReportLine, name: str, style: str) -> None:
    # As Text: a rule may look like markup.
    table.add_row(Text(name, style), f"{line.matched:,}", f"{line.conflicting:,}")
