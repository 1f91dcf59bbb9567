"""The list of tasks in memory, against an API server of two functions."""

import random
import threading
from collections.abc import Iterator

import pytest

from labeltask_gateway import task_index
from labeltask_gateway.errors import ClusterUnavailable
from labeltask_gateway.manifests import Manifest
from labeltask_gateway.recent import Facts, Place, Wanted, facts_of, youngest
from labeltask_gateway.task_index import Expired, TaskIndex
from labeltask_testing.gateway_fakes import label_task_from_kubectl


def task(name: str, version: int, **status: str) -> Manifest:
    found = label_task_from_kubectl(name)
    found["metadata"] |= {
        "uid": f"uid-{name}",
        "creationTimestamp": f"2026-01-01T00:00:0{version}Z",
        "resourceVersion": str(version),
    }
    return {**found, "status": status} if status else found


class Server:
    """Lists ``tasks`` and tells ``events``; a watch blocks when they are used up, until ``end``."""

    def __init__(self, tasks: list[Manifest], events: list[Manifest]) -> None:
        self.tasks = tasks
        self.events = events
        self.lists = 0
        self.watched_from: list[str] = []
        self.told = threading.Event()
        self.end = threading.Event()

    def pages(self) -> Iterator[Manifest]:
        self.lists += 1
        yield {"items": self.tasks, "metadata": {"resourceVersion": "5"}}

    def watch(self, version: str) -> Iterator[Manifest]:
        self.watched_from.append(version)
        while self.events:
            event = self.events.pop(0)
            if event["type"] == "EXPIRED":
                raise Expired
            yield event
        self.told.set()
        self.end.wait(5)


def run(server: Server) -> TaskIndex:
    index = TaskIndex(server.pages, server.watch, 2)
    index.start()
    assert server.told.wait(5)
    index.stop()
    server.end.set()
    return index


def names(index: TaskIndex) -> list[str]:
    return [found["metadata"]["name"] for found in index.youngest(Wanted(10))]


def test_events_change_what_was_listed() -> None:
    events = [
        {"type": "ADDED", "object": task("c", 6)},
        {"type": "MODIFIED", "object": task("a", 7, stat="STARTED")},
        {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "8"}}},
        {"type": "DELETED", "object": task("b", 9)},
    ]
    server = Server([task("a", 1), task("b", 2)], events)
    index = run(server)
    assert names(index) == ["a", "c"]
    assert [found["metadata"]["name"] for found in index.youngest(Wanted(10, stat="STARTED"))] == ["a"]
    assert (server.lists, server.watched_from) == (1, ["5"])


def test_a_version_that_is_forgotten_means_a_new_list() -> None:
    server = Server([task("a", 1)], [{"type": "ERROR", "object": {"code": 410}}, {"type": "EXPIRED", "object": {}}])
    index = run(server)
    assert (names(index), server.lists) == (["a"], 3)


def test_inline_rules_are_not_kept() -> None:
    index = run(Server([task("a", 1)], []))
    assert "pattern" not in index.youngest(Wanted(1))[0]["spec"]


def test_a_task_of_this_gateway_is_there_before_the_watch_tells() -> None:
    index = run(Server([], []))
    index.put(task("mine", 6))
    assert names(index) == ["mine"]


def test_a_list_that_never_comes_is_unavailable() -> None:
    gate = threading.Event()

    def pages() -> Iterator[Manifest]:
        gate.wait(5)
        yield {"items": [], "metadata": {"resourceVersion": "1"}}

    index = TaskIndex(pages, lambda _: (), 0.05)
    with pytest.raises(ClusterUnavailable):
        index.youngest(Wanted(1))
    index.stop()
    gate.set()


def test_a_list_that_grew_old_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    index = run(Server([], []))
    monkeypatch.setattr(task_index, "STALE_SECONDS", -1.0)
    with pytest.raises(ClusterUnavailable):
        index.youngest(Wanted(1))


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_pages_are_those_of_all_tasks_sorted(seed: int) -> None:
    chance = random.Random(seed)
    there: dict[str, Manifest] = {}
    events: list[Manifest] = []
    listed = {name: task(name, chance.randrange(5)) for name in "abc"}
    there |= listed
    for _ in range(200):
        name = chance.choice("abcdefgh")
        if name in there and chance.random() < 0.4:
            events.append({"type": "DELETED", "object": there.pop(name)})
        else:
            # Of a name that is used again the time of creation is another.
            there[name] = task(name, chance.randrange(5), stat=chance.choice(["STARTED", "SUCCESS"]))
            events.append({"type": "MODIFIED", "object": there[name]})
    index = run(Server(list(listed.values()), events))
    expected = sorted(there.values(), key=lambda found: facts_of(found).place, reverse=True)
    seen: list[Manifest] = []
    behind = None
    while page := index.youngest(Wanted(2, behind=behind)):
        seen += page
        behind = facts_of(page[-1]).place
    assert [facts_of(found) for found in seen] == [facts_of(found) for found in expected]
    started = [facts_of(found) for found in expected if found.get("status", {}).get("stat") == "STARTED"]
    assert [facts_of(found) for found in index.youngest(Wanted(3, stat="STARTED"))] == started[:3]


def test_a_page_looks_at_no_more_tasks_than_it_shows() -> None:
    looked: list[str] = []

    def ordered() -> Iterator[tuple[Facts, str]]:
        for number in range(10_000):
            looked.append(str(number))
            yield Facts(Place("2026-01-01T00:00:00Z", str(number)), "SUCCESS", "rule_model", "default"), str(number)

    assert youngest(ordered(), Wanted(3)) == ["0", "1", "2"]
    assert looked == ["0", "1", "2"]
