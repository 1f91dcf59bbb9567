"""Identifiers in SQL: the one place where a name becomes part of a statement. Values are always bound instead."""

import re

from labeltask_contract.spec import IDENTIFIER_HELP, IDENTIFIER_PATTERN

_IDENTIFIER = re.compile(IDENTIFIER_PATTERN.removesuffix("$") + r"\Z", re.ASCII)


def quote(identifier: str) -> str:
    """Return ``identifier`` in back-ticks, fit for a statement that is executed with parameters.

    The doubling of back-ticks and ``%`` never comes into play with names that pass the check; it stands here so that a
    wider check can't turn into an injection.

    :raises ValueError: for anything that is no identifier of the contract.
    """
    if not _IDENTIFIER.match(identifier):
        raise ValueError(f"not an identifier: {IDENTIFIER_HELP}")
    return "`" + identifier.replace("`", "``").replace("%", "%%") + "`"


def qualified(schema: str, table: str) -> str:
    """Return ```schema`.`table```."""
    return f"{quote(schema)}.{quote(table)}"


def marks(count: int) -> str:
    """Return ``count`` placeholders for an ``IN (...)`` list."""
    return ", ".join(["%s"] * count)
