"""Moments as the API server writes them: RFC 3339, UTC, whole seconds."""

from datetime import UTC, datetime


def parse_moment(text: object) -> datetime | None:
    """Return the moment that ``text`` names; None for anything that is none."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def format_moment(moment: datetime) -> str:
    """Write ``moment`` as the API server does."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
