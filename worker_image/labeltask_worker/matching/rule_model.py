"""rule_model: how many of each label's regular expressions match a text, within a time budget for each text.

labelling.md, "Rules": Python ``re``, searched anywhere in the lower-cased text. An expression that backtracks without
end is interrupted by a timer of the process's own processor time: waiting for a database or standing still does not
count, and CPython's engine looks for signals while it matches.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from labeltask_contract.errors import TaskFailure
from labeltask_contract.pattern import Pattern
from labeltask_contract.reasons import Reason
from labeltask_contract.rule_checks import compile_expression
from labeltask_contract.strict_json import shown


class _OutOfTime(Exception):
    pass


class RuleModel:
    """Counts by label index for one text at a time."""

    def __init__(self, pattern: Pattern, row_budget_seconds: float) -> None:
        self._labels = [rules.label for rules in pattern]
        self._expressions = [tuple(map(compile_expression, rules.expressions or ())) for rules in pattern]
        self._budget_seconds = row_budget_seconds

    def counts(self, text: str, *, first_only: bool = False) -> dict[int, int]:
        """Return the match count of every label that matches ``text`` (as stored; it is lower-cased here).

        ``first_only`` stops at the first expression that matches. Only in the main thread is the budget kept: signals
        arrive nowhere else.

        :raises TaskFailure: RuleTooSlow, naming label and position of the expression that was running.
        """
        lowered = text.lower()
        counts: dict[int, int] = {}
        label = position = 0
        try:
            with _budget(self._budget_seconds):
                for label, expressions in enumerate(self._expressions):
                    for position, expression in enumerate(expressions):  # noqa: B007 - named in the error
                        if expression.search(lowered) is not None:
                            counts[label] = counts.get(label, 0) + 1
                            if first_only:
                                return counts
        except _OutOfTime:
            message = (
                f'label "{shown(self._labels[label])}", position {position}: the rules took longer than '
                f"{self._budget_seconds:g} s on a text of {len(text):,} characters, stopped in this expression; "
                "remove nested repeats such as (a+)+"
            )
            raise TaskFailure(Reason.RULE_TOO_SLOW, message) from None
        return counts


@contextmanager
def _budget(seconds: float) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    if signal.getsignal(signal.SIGVTALRM) is not _stop:
        signal.signal(signal.SIGVTALRM, _stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise _OutOfTime
