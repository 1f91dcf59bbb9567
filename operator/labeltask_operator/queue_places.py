"""Who may run: so many tasks of a queue and of a database host at once, first come, first served (by creation).

Input: tasks that want to run, tasks that run, tasks that are done. Output: a place, or a position in the queue. In
memory, rebuilt at start. One for all namespaces: a limit bounds what runs in all of them together. A task that its host
keeps waiting holds up none behind it that goes to another host.
"""

import bisect
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from labeltask_operator.reconcile import Place
from labeltask_operator.views import TaskView

_TOLD = 5
"""How many of those that wait are told at once that they moved up; the others learn it at the next resync."""


class TaskKey(NamedTuple):
    """A task among those of all namespaces."""

    namespace: str
    name: str

    @classmethod
    def of(cls, view: TaskView) -> "TaskKey":
        """Return the key of a task."""
        return cls(view.namespace, view.name)


@dataclass(frozen=True, order=True)
class _Ticket:
    created: datetime
    key: TaskKey
    queue: str
    host: str
    """Empty while it is not known, and where hosts have no limit."""


class QueuePlaces:
    """All queues; every method may be called from any thread.

    Places are dealt in one pass over those that wait, from the oldest: a place that is free and due to a task which has
    not asked for it yet is kept for it. The pass is made anew when somebody leaves; who comes last is only added to it.
    A host counts from the moment it is known, which for a waiting task is its first look after a start.
    """

    def __init__(self, limit_of: Callable[[str], int], host_limit: int | None = None) -> None:
        self._limit_of = limit_of
        self._host_limit = host_limit
        self._lock = threading.Lock()
        self._tickets: dict[TaskKey, _Ticket] = {}
        self._queues: set[str] = set()
        self._holders: set[TaskKey] = set()
        self._held = Counter[tuple[str, str]]()
        """Places taken, by ("queue" or "host", name)."""
        self._waiting: list[_Ticket] = []
        self._dealt: dict[TaskKey, Place] | None = None
        self._due = Counter[tuple[str, str]]()
        self._line = Counter[str]()

    def enter(self, view: TaskView) -> None:
        """Let a task stand in its queue, without giving it a place yet."""
        with self._lock:
            self._enter(view, "")

    def hold(self, view: TaskView, host: str = "") -> Place:
        """Note that a task runs, whatever the limits say: its Job exists."""
        with self._lock:
            self._take(self._enter(view, host))
            return Place(None, self._limit_of(view.queue))

    def claim(self, view: TaskView, host: str = "") -> Place:
        """Give a task a place to run if it is its turn, else tell its position."""
        with self._lock:
            ticket = self._enter(view, host)
            if ticket.key in self._holders:
                return Place(None, self._limit_of(ticket.queue))
            place = self._deal()[ticket.key]
            if place.position is None:
                self._take(ticket)
            return place

    def leave(self, key: TaskKey) -> list[TaskKey]:
        """Let a task go that is done, gone or not ready; return those who should look again."""
        with self._lock:
            ticket = self._tickets.get(key)
            if ticket is None:
                return []
            self._drop(ticket)
            dealt = self._deal()
            due = [other.key for other in self._waiting if dealt[other.key].position is None]
            moved = (other.key for other in self._waiting if 0 < (dealt[other.key].position or 0) <= _TOLD)
            return due + [other for other in moved if self._tickets[other].queue == ticket.queue]

    def lengths(self) -> dict[str, tuple[int, int]]:
        """Return how many tasks run and wait, by queue; queues that are empty by now stay in it."""
        with self._lock:
            waiting = Counter(ticket.queue for ticket in self._waiting)
            return {queue: (self._held["queue", queue], waiting[queue]) for queue in self._queues}

    def _enter(self, view: TaskView, host: str) -> _Ticket:
        host = "" if self._host_limit is None else host
        key = TaskKey.of(view)
        known = self._tickets.get(key)
        if known is not None and host in ("", known.host):
            return known
        ticket = _Ticket(view.created, key, view.queue, host)
        holds = key in self._holders
        if known is not None:
            self._drop(known)
        self._tickets[key] = ticket
        self._queues.add(ticket.queue)
        last = not self._waiting or self._waiting[-1] < ticket
        bisect.insort(self._waiting, ticket)
        if holds:
            self._take(ticket)
        elif last and self._dealt is not None:
            self._dealt[ticket.key] = self._seat(ticket)
        else:
            self._dealt = None
        return ticket

    def _take(self, ticket: _Ticket) -> None:
        if ticket.key in self._holders:
            return
        self._holders.add(ticket.key)
        self._held.update(_bounds(ticket))
        del self._waiting[bisect.bisect_left(self._waiting, ticket)]
        # A task that takes the place it was dealt changes nothing for the others.
        place = None if self._dealt is None else self._dealt.pop(ticket.key, None)
        if place is None or place.position is not None:
            self._dealt = None

    def _drop(self, ticket: _Ticket) -> None:
        del self._tickets[ticket.key]
        if ticket.key in self._holders:
            self._holders.discard(ticket.key)
            self._held.subtract(_bounds(ticket))
        else:
            del self._waiting[bisect.bisect_left(self._waiting, ticket)]
        self._dealt = None

    def _deal(self) -> dict[TaskKey, Place]:
        if self._dealt is None:
            self._due = Counter(self._held)
            self._line = Counter()
            self._dealt = {ticket.key: self._seat(ticket) for ticket in self._waiting}
        return self._dealt

    def _seat(self, ticket: _Ticket) -> Place:
        """Deal one task its place, all before it having theirs."""
        limit = self._limit_of(ticket.queue)
        queue_full = self._due["queue", ticket.queue] >= limit
        host_limit = self._host_limit if ticket.host else None
        host_full = host_limit is not None and self._due["host", ticket.host] >= host_limit
        if not queue_full and not host_full:
            self._due.update(_bounds(ticket))
            return Place(None, limit)
        self._line[ticket.queue] += 1
        position = self._line[ticket.queue]
        return Place(position, limit) if queue_full or host_limit is None else Place(position, host_limit, ticket.host)


def _bounds(ticket: _Ticket) -> list[tuple[str, str]]:
    host = [("host", ticket.host)] if ticket.host else []
    return [("queue", ticket.queue), *host]
