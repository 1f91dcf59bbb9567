"""Several namespaces in one operator: served side by side, bounded together, and none held up by another."""

import asyncio
from collections.abc import Callable

import pytest

from labeltask_contract.names import DUMP_ID_LABEL
from labeltask_operator.cluster import ApiFailure
from labeltask_operator.metrics import Metrics
from labeltask_operator.namespaces import Namespaces
from labeltask_testing.builders import make_job, make_labeltask
from labeltask_testing.operator_fakes import FakeCluster, FakeStore, Manifest, make_settings

NAMES = ("team-a", "team-b")
FORBIDDEN = ApiFailure(403, "labeltasks.labelapi.io is forbidden")


class Bench:
    """The operator over a fake cluster a namespace; to be built in an event loop."""

    def __init__(self, **settings: object) -> None:
        self.clusters = {name: FakeCluster(namespace=name) for name in NAMES}
        dumps = [FakeCluster(namespace=name, id_label=DUMP_ID_LABEL) for name in NAMES]
        self.metrics = Metrics()
        self.served = Namespaces(
            make_settings(namespaces=NAMES, **settings), list(self.clusters.values()), dumps, FakeStore(), self.metrics
        )

    def put(self, namespace: str, name: str, age: float = 10) -> None:
        """Let there be a task."""
        self.clusters[namespace].tasks[name] = labeltask(namespace, name, age)

    def jobs(self, namespace: str) -> list[str]:
        """Names of the Jobs in a namespace."""
        return sorted(self.clusters[namespace].jobs)


def labeltask(namespace: str, name: str, age: float) -> Manifest:
    return make_labeltask(name, f"uid-{namespace}-{name}", created_ago=age).with_metadata(namespace=namespace).manifest


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.01)


def test_tasks_of_one_name_in_two_namespaces_get_a_job_each_in_their_own() -> None:
    async def story() -> dict[str, list[str]]:
        bench = Bench()
        for name in NAMES:
            bench.put(name, "a" * 32)
        await bench.served.start()
        await until(lambda: all(bench.jobs(name) for name in NAMES))
        await bench.served.stop()
        return {name: bench.jobs(name) for name in NAMES}

    assert asyncio.run(story()) == {name: ["lt-" + "a" * 32] for name in NAMES}


def test_what_runs_in_one_namespace_counts_before_anything_starts_in_another() -> None:
    async def story() -> tuple[list[str], dict[str, tuple[int, int]]]:
        bench = Bench(default_queue_limit=1)
        running = "b" * 32
        bench.put("team-b", running, age=10)
        job = make_job(running, f"uid-team-b-{running}").with_metadata(namespace="team-b").manifest
        bench.clusters["team-b"].jobs[f"lt-{running}"] = job
        bench.put("team-a", "a" * 32, age=20)
        await bench.served.start()
        waiting = bench.clusters["team-a"].tasks["a" * 32]
        await until(lambda: (waiting.get("status") or {}).get("queuePosition") == 1)
        await bench.served.stop()
        return bench.jobs("team-a"), bench.served.places.lengths()

    assert asyncio.run(story()) == ([], {"default": (1, 1)})


def test_a_task_that_is_gone_from_one_namespace_makes_room_in_another() -> None:
    async def story() -> list[str]:
        bench = Bench(default_queue_limit=1)
        bench.put("team-a", "a" * 32, age=20)
        bench.put("team-b", "b" * 32, age=10)
        await bench.served.start()
        await until(lambda: bench.served.places.lengths() == {"default": (1, 1)} and bench.jobs("team-a") != [])
        engine = bench.served.tasks["team-a"]
        engine.controller.mirror.remove_task(bench.clusters["team-a"].tasks.pop("a" * 32))
        engine.queue.add("a" * 32)
        await until(lambda: bench.jobs("team-b") != [])
        await bench.served.stop()
        return bench.jobs("team-b")

    assert asyncio.run(story()) == ["lt-" + "b" * 32]


def test_a_namespace_that_refuses_is_served_once_it_does_not_and_holds_up_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("labeltask_operator.engine._LONGEST_DELAY_SECONDS", 0.01)

    async def story() -> list[str]:
        bench = Bench()
        refusing = bench.clusters["team-a"]
        refusing.refuse["iter_tasks"] = FORBIDDEN
        bench.put("team-a", "a" * 32)
        bench.put("team-b", "b" * 32)
        await bench.served.start()
        await until(lambda: bench.jobs("team-b") != [])
        told = [bench.served.trouble(), *bench.jobs("team-a")]
        del refusing.refuse["iter_tasks"]
        await until(lambda: bench.jobs("team-a") != [])
        await bench.served.stop()
        return [*told, *bench.jobs("team-a")]

    assert asyncio.run(story()) == ["", "lt-" + "a" * 32]
