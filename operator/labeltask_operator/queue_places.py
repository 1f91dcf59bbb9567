"""Who may run: so many tasks of a queue at once, first come, first served (by creation). In memory, rebuilt at start.

Input: tasks that want to run, tasks that run, tasks that are done. Output: a place, or a position in the queue.
"""

import bisect
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from labeltask_operator.reconcile import Place
from labeltask_operator.views import TaskView

_TOLD = 5
"""How many of those that wait are told at once that they moved up; the others learn it at the next resync."""

Ticket = tuple[datetime, str]


@dataclass
class _Queue:
    holders: set[str] = field(default_factory=set)
    waiting: list[Ticket] = field(default_factory=list)


class QueuePlaces:
    """All queues of the namespace; every method may be called from any thread."""

    def __init__(self, limit_of: Callable[[str], int]) -> None:
        self._limit_of = limit_of
        self._lock = threading.Lock()
        self._queues: dict[str, _Queue] = {}
        self._tickets: dict[str, tuple[str, Ticket]] = {}

    def enter(self, view: TaskView) -> None:
        """Let a task stand in its queue, without giving it a place yet."""
        with self._lock:
            self._enter(view)

    def hold(self, view: TaskView) -> Place:
        """Note that a task runs, whatever the limit says: its Job exists."""
        with self._lock:
            queue, ticket = self._enter(view)
            self._take(queue, ticket)
            return Place(None, self._limit_of(view.queue))

    def claim(self, view: TaskView) -> Place:
        """Give a task a place to run if it is its turn, else tell its position."""
        with self._lock:
            queue, ticket = self._enter(view)
            limit = self._limit_of(view.queue)
            if view.name in queue.holders:
                return Place(None, limit)
            index = bisect.bisect_left(queue.waiting, ticket)
            free = max(0, limit - len(queue.holders))
            if index < free:
                self._take(queue, ticket)
                return Place(None, limit)
            return Place(index + 1 - free, limit)

    def leave(self, name: str) -> list[str]:
        """Let a task go that is done, gone or not ready; return those who should look again."""
        with self._lock:
            if name not in self._tickets:
                return []
            queue_name, ticket = self._tickets.pop(name)
            queue = self._queues[queue_name]
            queue.holders.discard(name)
            index = bisect.bisect_left(queue.waiting, ticket)
            if index < len(queue.waiting) and queue.waiting[index] == ticket:
                del queue.waiting[index]
            free = max(0, self._limit_of(queue_name) - len(queue.holders))
            return [waiting for _, waiting in queue.waiting[: free + _TOLD]]

    def lengths(self) -> dict[str, tuple[int, int]]:
        """Return how many tasks run and wait, by queue."""
        with self._lock:
            return {name: (len(queue.holders), len(queue.waiting)) for name, queue in self._queues.items()}

    def _enter(self, view: TaskView) -> tuple[_Queue, Ticket]:
        if view.name not in self._tickets:
            ticket = (view.created, view.name)
            queue = self._queues.setdefault(view.queue, _Queue())
            bisect.insort(queue.waiting, ticket)
            self._tickets[view.name] = (view.queue, ticket)
        queue_name, ticket = self._tickets[view.name]
        return self._queues[queue_name], ticket

    @staticmethod
    def _take(queue: _Queue, ticket: Ticket) -> None:
        if ticket[1] not in queue.holders:
            queue.holders.add(ticket[1])
            queue.waiting.remove(ticket)
