"""rule_model: how many of each label's regular expressions match a text, within a time budget for each text.

labelling.md, "Rules": Python ``re``, searched anywhere in the lower-cased text. Literals that a match must hold are
looked for in all texts at once; an expression is tried on those texts only that hold one of its literals, and ``re``
decides. An expression that backtracks without end is interrupted by a timer of the process's own processor time:
waiting for a database or standing still does not count, and CPython's engine looks for signals while it matches.
"""

import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from labeltask_contract.errors import TaskFailure
from labeltask_contract.pattern import Pattern
from labeltask_contract.reasons import Reason
from labeltask_contract.rule_checks import compile_expression
from labeltask_contract.strict_json import shown
from labeltask_worker.matching.automaton import Automaton, Search
from labeltask_worker.matching.joined import encoded, lowered
from labeltask_worker.matching.literals import required_literals

TICKS = 20
"""Ticks of the timer in one budget, at least: how exactly the budget is kept."""
LONGEST_TICK_SECONDS = 0.25
"""An expression keeps every other thread waiting between two ticks, so also the one that takes SIGTERM."""

MatchedText = tuple[int, list[int]]
"""Number of a text, and the numbers of the expressions that match it, in order."""


class _OutOfTime(Exception):
    pass


class RuleModel:
    """Finds the expressions that match texts. Expressions are numbered through all labels, in order."""

    def __init__(self, pattern: Pattern, row_budget_seconds: float) -> None:
        self._pattern = pattern
        numbered = [
            ((label, position), text)
            for label, rules in enumerate(pattern)
            for position, text in enumerate(rules.expressions or ())
        ]
        self.rules = [rule for rule, _ in numbered]
        """Index of the label of each expression, and its position there."""
        self._searches = [compile_expression(text).search for _, text in numbered]
        self._budget_seconds = row_budget_seconds
        self._tick_seconds = min(self._budget_seconds / TICKS, LONGEST_TICK_SECONDS)
        self._everywhere: list[int] = []
        owners: dict[str, list[int]] = defaultdict(list)
        for number, (_, text) in enumerate(numbered):
            literals = required_literals(text)
            if literals is None:
                self._everywhere.append(number)
            for literal in literals or ():
                owners[literal].append(number)
        self._owners = list(owners.values())
        self._automaton = Automaton(list(owners))
        self._started = (-1, 0)
        """The text that is being matched, and the timer's ticks in it."""

    def match(
        self, texts: Sequence[bytes], *, first_only: bool = False, pause_seconds: float | None = None
    ) -> tuple[int, list[MatchedText]]:
        """Return how many texts were done, at least one of them, and those of them with a match.

        ``first_only`` stops at a text's first expression that matches. Only in the main thread is the budget kept:
        signals arrive nowhere else.

        :raises TaskFailure: RuleTooSlow, naming label and position of the expression that was running.
        """
        until = None if pause_seconds is None else time.monotonic() + pause_seconds
        found: list[MatchedText] = []
        number = expression = 0
        try:
            with self._timer():
                for number, candidates in self._candidates(texts):
                    self._started = (number, 0)
                    text = lowered(texts[number])
                    matched = []
                    for expression in candidates:
                        if self._searches[expression](text) is not None:
                            matched.append(expression)
                            if first_only:
                                break
                    if matched:
                        found.append((number, matched))
                    if until is not None and time.monotonic() >= until:
                        return number + 1, found
        except _OutOfTime:
            raise self._too_slow(expression, len(lowered(texts[number]))) from None
        return len(texts), found

    def counts(self, text: str) -> dict[int, int]:
        """Return the match count of every label that matches one text."""
        _, found = self.match([encoded(text)])
        return self.count(found[0][1]) if found else {}

    def count(self, matched: Sequence[int]) -> dict[int, int]:
        """Return the match counts by label that matching expressions amount to."""
        counts: dict[int, int] = {}
        for expression in matched:
            label, _ = self.rules[expression]
            counts[label] = counts.get(label, 0) + 1
        return counts

    def _candidates(self, texts: Sequence[bytes]) -> Iterator[tuple[int, list[int]]]:
        """Yield the texts that any expression may match, each with those expressions in order."""
        wanted: dict[int, set[int]] = defaultdict(set)
        search = self._automaton.search(texts) if self._owners else Search([])
        for text, literal in search.hits:
            wanted[text].update(self._owners[literal])
        for text in search.aside:
            wanted[text].update(range(len(self._searches)))
        everywhere = self._everywhere
        if not everywhere:
            for text in sorted(wanted):
                yield text, sorted(wanted[text])
            return
        for text in range(len(texts)):
            yield text, sorted({*everywhere, *wanted[text]}) if text in wanted else everywhere

    def _too_slow(self, expression: int, characters: int) -> TaskFailure:
        label, position = self.rules[expression]
        message = (
            f'label "{shown(self._pattern[label].label)}", position {position}: the rules took longer than '
            f"{self._budget_seconds:g} s on a text of {characters:,} characters, stopped in this expression; "
            "remove nested repeats such as (a+)+"
        )
        return TaskFailure(Reason.RULE_TOO_SLOW, message)

    @contextmanager
    def _timer(self) -> Iterator[None]:
        """Have a tick counted for the running text every twentieth of its budget, and stop it when they are too many.

        One timer for all texts: to set one for each would cost more than most of them take.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._started = (-1, 0)
        before = signal.signal(signal.SIGVTALRM, self._tick)
        signal.setitimer(signal.ITIMER_VIRTUAL, self._tick_seconds, self._tick_seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            # Taken back only when it is off: by default the signal ends the process.
            signal.signal(signal.SIGVTALRM, before if callable(before) else signal.SIG_IGN)

    def _tick(self, _number: int, _frame: FrameType | None) -> None:
        text, ticks = self._started
        self._started = (text, ticks + 1)
        if ticks * self._tick_seconds >= self._budget_seconds and text >= 0:
            raise _OutOfTime
