"""The conditions of a status, set one by one; what has not changed keeps its time. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from labeltask_contract.conditions import ConditionType
from labeltask_contract.status import MAX_MESSAGE_CHARACTERS, Condition
from labeltask_operator.moments import format_moment
from labeltask_operator.views import ObjectView

Truth = Literal["True", "False", "Unknown"]


class ConditionList:
    """Begins with what the object's status says."""

    def __init__(self, view: ObjectView, now: datetime) -> None:
        self.known: dict[str, Mapping[str, Any]] = {
            condition["type"]: condition for condition in view.status.get("conditions") or []
        }
        self._generation = view.generation
        self._now = now
        self._made: dict[ConditionType, Condition] = {}

    def set(self, kind: ConditionType, status: Truth, reason: str, message: str = "") -> None:
        """Say whether ``kind`` is so, and why."""
        before = self.known.get(kind)
        same = before is not None and before.get("status") == status
        if same and kind is ConditionType.STALLED and before is not None and before.get("reason") != reason:
            same = False  # a new fault has its own beginning: the start-up deadline counts from it
        since = before["lastTransitionTime"] if same and before is not None else format_moment(self._now)
        self._made[kind] = Condition(
            type=kind,
            status=status,
            reason=reason,
            message=cut_text(message),
            last_transition_time=since,
            observed_generation=self._generation,
        )

    def made(self) -> tuple[Condition, ...]:
        """Return what was set, in that order."""
        return tuple(self._made.values())


def cut_text(message: str) -> str:
    """Return ``message`` short enough for a status."""
    return message if len(message) <= MAX_MESSAGE_CHARACTERS else message[: MAX_MESSAGE_CHARACTERS - 1] + "…"
