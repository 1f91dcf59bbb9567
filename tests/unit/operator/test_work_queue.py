"""The work queue: each key once at a time, failures retried, nobody held up."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from labeltask_operator import work_queue
from labeltask_operator.cluster import ApiFailure
from labeltask_operator.work_queue import WorkQueue, retry_seconds


def serve(
    handle: Callable[[str], float | None], keys: list[str], done: Callable[[], bool], seconds: float = 5
) -> WorkQueue:
    """Run a queue until ``done`` says so."""

    async def run() -> WorkQueue:
        with ThreadPoolExecutor(4) as executor:
            queue = WorkQueue(handle, executor, 4)
            for key in keys:
                queue.add(key)
            loop = asyncio.create_task(queue.run())
            async with asyncio.timeout(seconds):
                while not done():
                    await asyncio.sleep(0.005)
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)
        return queue

    return asyncio.run(run())


def test_a_key_that_is_added_many_times_is_served_once() -> None:
    served: list[str] = []
    serve(lambda key: served.append(key), ["a", "a", "b", "a"], lambda: len(served) >= 2)
    assert sorted(served) == ["a", "b"]


def test_a_key_is_never_served_twice_at_once() -> None:
    lock = threading.Lock()
    inside: list[str] = []
    rounds: list[str] = []

    def handle(key: str) -> float | None:
        with lock:
            assert key not in inside
            inside.append(key)
        time.sleep(0.01)
        with lock:
            inside.remove(key)
            rounds.append(key)
        return 0.0 if rounds.count(key) < 5 else None

    serve(handle, ["a", "b"], lambda: rounds.count("a") >= 5 and rounds.count("b") >= 5)


def test_a_failure_is_retried_and_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_queue, "FIRST_DELAY_SECONDS", 0.02)
    served: list[str] = []

    def handle(key: str) -> float | None:
        served.append(key)
        if key == "bad" and served.count("bad") < 3:
            raise RuntimeError("not yet")
        return None

    serve(handle, ["bad", "good"], lambda: served.count("bad") >= 3)
    assert served.count("good") == 1


@pytest.mark.parametrize(
    ("error", "longest"),
    [
        (ApiFailure(422, "status: Invalid value"), 300),
        (ApiFailure(403, "forbidden"), 20),
        (ApiFailure(500, "etcdserver: request timed out"), 20),
        (ApiFailure(None, "the API server did not answer"), 20),
        (RuntimeError("a fault of ours"), 20),
    ],
    ids=["an object that is refused", "a right that is missing", "an error", "no answer", "a fault"],
)
def test_a_failure_is_retried_ever_more_seldom_up_to_a_bound(error: Exception, longest: float) -> None:
    waits = [retry_seconds(failures, error) for failures in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1_000)]
    assert waits == [min(longest, wait) for wait in (0.5, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 512)]


def test_a_key_comes_again_after_the_delay_that_was_asked_for() -> None:
    moments: list[float] = []

    def handle(_: str) -> float | None:
        moments.append(time.monotonic())
        return 0.1 if len(moments) == 1 else None

    serve(handle, ["a"], lambda: len(moments) >= 2)
    assert moments[1] - moments[0] >= 0.1


def test_a_key_that_changes_while_it_is_served_is_served_again() -> None:
    served: list[int] = []
    queue: list[WorkQueue] = []

    def handle(key: str) -> float | None:
        if not served:
            queue[0].add(key)
            time.sleep(0.05)
        served.append(1)
        return None

    async def run() -> None:
        with ThreadPoolExecutor(2) as executor:
            queue.append(WorkQueue(handle, executor, 2))
            queue[0].add("a")
            loop = asyncio.create_task(queue[0].run())
            async with asyncio.timeout(5):
                while len(served) < 2:
                    await asyncio.sleep(0.005)
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)

    asyncio.run(run())
