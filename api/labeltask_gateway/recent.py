"""Which tasks a caller of the list wants, and the page of them. Pure.

Tasks are ordered by (time of creation, name), youngest first; a cursor is the place of the last task shown, so tasks
that come or go between two pages neither repeat nor hide others.
"""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, TypeVar

from labeltask_contract.errors import InvalidTask, Problem, pointer
from labeltask_contract.stat import Stat
from labeltask_contract.status import LabelTaskStatus
from labeltask_contract.stored_objects import mapping_of, readable_fields


class Place(NamedTuple):
    """Where a task stands in the order. ``created`` is RFC 3339 in UTC, whole seconds, so it sorts as text."""

    created: str
    name: str


@dataclass(frozen=True)
class Facts:
    """What the list selects by."""

    place: Place
    stat: str
    model_type: str
    queue: str


@dataclass(frozen=True)
class Wanted:
    """The caller's filters; None filters nothing. Times are RFC 3339 in UTC, ``created_before`` itself is left out."""

    limit: int
    stat: str | None = None
    model_type: str | None = None
    queue: str | None = None
    created_after: str | None = None
    created_before: str | None = None
    behind: Place | None = None

    def takes(self, facts: Facts) -> bool:
        """Tell whether a task passes every filter."""
        created = facts.place.created
        return (
            self.stat in (None, facts.stat)
            and self.model_type in (None, facts.model_type)
            and self.queue in (None, facts.queue)
            and (self.created_after is None or created >= self.created_after)
            and (self.created_before is None or created < self.created_before)
            and (self.behind is None or facts.place < self.behind)
        )


def facts_of(manifest: dict[str, Any]) -> Facts:
    """Read a LabelTask."""
    metadata, spec = manifest["metadata"], mapping_of(manifest.get("spec"))
    return Facts(
        Place(str(metadata["creationTimestamp"]), str(metadata["name"])),
        str(readable_fields(LabelTaskStatus, manifest.get("status")).get("stat") or Stat.PENDING),
        str(spec.get("modelType")),
        str(spec.get("queue") or "default"),
    )


Item = TypeVar("Item")


def youngest(tasks: Iterable[tuple[Facts, Item]], wanted: Wanted) -> list[Item]:
    """Return the wanted tasks of ``tasks``, which come youngest first; no more are looked at than it takes."""
    return list(islice((item for facts, item in tasks if wanted.takes(facts)), wanted.limit))


def write_cursor(place: Place) -> str:
    """Return the cursor of the page behind ``place``."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def read_cursor(text: str) -> Place:
    """Return the place that a cursor holds.

    :raises InvalidTask: when it is none of ours.
    """
    try:
        created, name = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError):
        created = name = None
    if not (isinstance(created, str) and isinstance(name, str)):
        message = "is no cursor of this API; send the next_cursor of the page before, or none"
        raise InvalidTask([Problem(pointer("query", "cursor"), message)])
    return Place(created, name)
