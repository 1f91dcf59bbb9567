"""What is only warned about before a task exists: rules that run but hardly do what was meant. Pure."""

import re
import warnings
from collections.abc import Iterator
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as sre_parser  # type: ignore[attr-defined]
from typing import Any

from labeltask_contract.pattern import MatchType, ModelType, Pattern
from labeltask_contract.rule_checks import RuleProblem, compile_expression
from labeltask_contract.strict_json import shown

MAX_WARNINGS = 20


def find_warnings(model_type: ModelType, pattern: Pattern) -> list[str]:
    """Return what runs but hardly does what its author meant, at most ``MAX_WARNINGS`` sentences."""
    source = _shadowed_keywords(pattern) if model_type is ModelType.KEYWORD_MODEL else _doubtful_expressions(pattern)
    found: list[str] = []
    for warning in source:
        if len(found) == MAX_WARNINGS - 1:
            return [*found, "more warnings of this kind were left out"]
        found.append(warning.message)
    return found


def _shadowed_keywords(pattern: Pattern) -> Iterator[RuleProblem]:
    """Keywords whose every hit is a hit of an earlier label too, so that policy ``first`` never gives their label."""
    earlier: dict[tuple[MatchType, str], str] = {}
    lengths: set[int] = set()
    for index, rules in enumerate(pattern):
        own: dict[tuple[MatchType, str], str] = {}
        for position, rule in enumerate(rules.keywords or ()):
            keyword = rule.keyword.lower()
            for match in rule.match:
                own.setdefault((match, keyword), rules.label)
            shadows = {_shadow_of(keyword, match, earlier, lengths) for match in rule.match}
            if None not in shadows:
                label = shown(next(str(label) for label in shadows))
                text = f'never decides under policy first: whatever it matches, the earlier label "{label}" matches too'
                yield RuleProblem(index, rules.label, position, text)
        for key, label in own.items():
            earlier.setdefault(key, label)
        lengths.update(len(keyword) for match, keyword in own if match is MatchType.PARTIALLY)


def _shadow_of(
    keyword: str, match: MatchType, earlier: dict[tuple[MatchType, str], str], lengths: set[int]
) -> str | None:
    if match is MatchType.ABSOLUTELY and (label := earlier.get((MatchType.ABSOLUTELY, keyword))):
        return label
    for end in range(1, len(keyword) + 1):
        at_start = match in (MatchType.START, MatchType.ABSOLUTELY)
        if at_start and (label := earlier.get((MatchType.START, keyword[:end]))):
            return label
        at_end = match in (MatchType.END, MatchType.ABSOLUTELY)
        if at_end and (label := earlier.get((MatchType.END, keyword[-end:]))):
            return label
        for length in lengths:
            if length <= end and (label := earlier.get((MatchType.PARTIALLY, keyword[end - length : end]))):
                return label
    return None


def _doubtful_expressions(pattern: Pattern) -> Iterator[RuleProblem]:
    for index, rules in enumerate(pattern):
        for position, expression in enumerate(rules.expressions or ()):
            if compile_expression(expression).search("") is not None:
                yield RuleProblem(index, rules.label, position, "matches the empty text, so perhaps every text")
            letter = _impossible_letter(expression)
            if letter is not None:
                text = (
                    f'"{letter}" can never match: texts are lower-cased first, expressions are not; '
                    f'write "{letter.lower()}" or put (?i) in front'
                )
                yield RuleProblem(index, rules.label, position, text)


def _impossible_letter(expression: str) -> str | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = sre_parser.parse(expression)
    return _upper_literal(tree, bool(tree.state.flags & re.IGNORECASE))


def _upper_literal(tree: Any, ignore_case: bool) -> str | None:
    """Walk a parse tree for a letter that must occur and never does in lower-cased text."""
    return next(filter(None, (_upper_in(opcode, argument, ignore_case) for opcode, argument in tree)), None)


def _upper_in(opcode: Any, argument: Any, ignore_case: bool) -> str | None:
    if opcode is sre.LITERAL:
        return None if ignore_case else _upper(argument)
    if opcode is sre.IN:
        return None if ignore_case else _upper_set(argument)
    if opcode is sre.SUBPATTERN:
        _, added, removed, inside = argument
        return _upper_literal(inside, (ignore_case or bool(added & re.IGNORECASE)) and not removed & re.IGNORECASE)
    # Everything else that holds expressions: alternatives, repeats, groups. Negative look-around wants no match anyway.
    inner: list[Any] = []
    if opcode is sre.BRANCH:
        inner = argument[1]
    elif opcode in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
        inner = [argument[2]]
    elif opcode is sre.ATOMIC_GROUP:
        inner = [argument]
    elif opcode is sre.ASSERT:
        inner = [argument[1]]
    elif opcode is sre.GROUPREF_EXISTS:
        inner = [branch for branch in argument[1:] if branch is not None]
    return next(filter(None, (_upper_literal(tree, ignore_case) for tree in inner)), None)


def _upper(code: int) -> str | None:
    letter = chr(code)
    return letter if letter.lower() != letter else None


def _upper_set(members: Any) -> str | None:
    """Report a member of a set only when its small letter is none: ``[Aa]`` works as its author meant."""
    small: set[int] = set()
    capitals: list[str] = []
    for opcode, argument in members:
        if opcode is sre.LITERAL:
            codes = range(argument, argument + 1)
        elif opcode is sre.RANGE and argument[1] - argument[0] < 128:
            codes = range(argument[0], argument[1] + 1)
        else:
            # NEGATE, a category such as \\w, a whole script: it holds small letters too, or is meant to.
            return None
        small.update(codes)
        capitals += [letter for letter in map(_upper, codes) if letter]
    return next((letter for letter in capitals if not small.intersection(map(ord, letter.lower()))), None)
