"""Liveness: it fails for what only a restart cures, and for nothing else."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from labeltask_contract.names import LABEL_TASK
from labeltask_operator.engine import STUCK_SECONDS, Engine
from labeltask_operator.metrics import Metrics
from labeltask_operator.mirror import Mirror
from labeltask_testing.builders import make_labeltask
from labeltask_testing.operator_fakes import make_settings


class Idle:
    """A controller with nothing to do; ``listed`` is what a full list shows."""

    def __init__(self, enqueue: Callable[[str], None]) -> None:
        enqueue("nothing")
        self.mirror = Mirror()
        self.listed: list[dict[str, object]] = []
        self.failures = 0
        self.polls = 0

    def states(self) -> list[tuple[str, str]]:
        return []

    def start(self) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("no API server")

    def resync(self) -> None:
        self.mirror.resync_tasks(lambda: self.listed)

    def poll(self) -> None:
        self.polls += 1
        raise OSError("no database")

    def reconcile(self, key: str) -> float | None:
        assert key == "nothing"
        return None


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    for module in ("engine", "mirror", "work_queue"):
        monkeypatch.setattr(f"labeltask_operator.{module}.time.monotonic", lambda: now[0])
    return now


def engine() -> Engine[Idle]:
    settings = make_settings(resync_seconds=30, poll_seconds=0.01)
    return Engine("labels", LABEL_TASK, settings, Idle, ThreadPoolExecutor(1), Metrics())


async def started(engine: Engine[Idle]) -> None:
    await engine.start()
    await asyncio.sleep(0)  # let the loops begin


def test_an_api_server_that_is_away_at_the_start_is_waited_for() -> None:
    async def story() -> list[str]:
        served = engine()
        served.controller.failures = 1
        starting = asyncio.create_task(served.start())
        await asyncio.sleep(0)
        told = [served.trouble()]
        await starting
        told.append(served.trouble())
        await served.stop()
        return told

    assert asyncio.run(story()) == ["", ""]


def test_a_watch_that_misses_what_a_list_shows_is_trouble_until_it_tells(clock: list[float]) -> None:
    async def story() -> list[str]:
        served = engine()
        await started(served)
        served.controller.listed = [make_labeltask().manifest]
        served.controller.resync()
        told = []
        for seconds in (89, 2):
            clock[0] += seconds
            served.queue.last_turn = clock[0]
            told.append(served.trouble())
        served.controller.mirror.hear(make_labeltask().manifest)
        told.append(served.trouble())
        await served.stop()
        return told

    assert asyncio.run(story()) == ["", "namespace labels, labeltasks: the watch misses changes that a list shows", ""]


def test_a_quiet_namespace_is_no_trouble(clock: list[float]) -> None:
    async def story() -> str:
        served = engine()
        await started(served)
        clock[0] += 100_000
        served.queue.last_turn = clock[0]
        served.controller.resync()
        told = served.trouble()
        await served.stop()
        return told

    assert asyncio.run(story()) == ""


def test_a_queue_that_stands_still_is_trouble(clock: list[float]) -> None:
    async def story() -> str:
        served = engine()
        await started(served)
        clock[0] = served.queue.last_turn + STUCK_SECONDS + 1
        told = served.trouble()
        await served.stop()
        return told

    assert asyncio.run(story()) == "namespace labels, labeltasks: the work queue makes no progress"


def test_a_regular_look_that_fails_ends_no_loop_and_a_loop_that_ends_is_trouble() -> None:
    async def story() -> list[str]:
        served = engine()
        await started(served)
        while served.controller.polls < 3:
            await asyncio.sleep(0)
        told = [served.trouble()]
        (queue, *_) = [loop for loop in asyncio.all_tasks() if loop.get_name() == "work-queue"]
        queue.cancel()
        await asyncio.wait([queue])
        told.append(served.trouble())
        await served.stop()
        return told

    assert asyncio.run(story()) == ["", "namespace labels, labeltasks: the work-queue loop has ended"]
