"""Dates as callers write them. Stored times carry no zone and none is assumed."""

import re
from datetime import datetime

TIME_PATTERN = (
    r"^[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"([T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9])?$"
)
"""What the CRD's schema accepts: a subset of :func:`parse_time`, which also refuses 30 February."""

TIME_HELP = "write YYYY-MM-DD or YYYY-MM-DD HH:MM:SS, without a zone (stored times carry none)"

# \Z, not $: a final newline is not part of a date. ASCII digits only.
_TIME = re.compile(TIME_PATTERN.removesuffix("$") + r"\Z", re.ASCII)


def parse_time(text: str) -> datetime:
    """Return the naive moment that ``text`` names; a date alone is its midnight.

    :raises ValueError: with a message that says what to write instead.
    """
    if not _TIME.match(text):
        raise ValueError(f"not a date: {TIME_HELP}")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"no such date ({error}): {TIME_HELP}") from None


def format_time(moment: datetime) -> str:
    """Write ``moment`` as ``YYYY-MM-DD HH:MM:SS``, truncated to the second."""
    return moment.replace(microsecond=0, tzinfo=None).isoformat(sep=" ")
