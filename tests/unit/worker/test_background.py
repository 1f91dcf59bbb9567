"""Jobs beside the main thread: in order, few waiting, and none behind one that failed."""

import threading
from concurrent.futures import Future
from functools import partial

import pytest

from labeltask_worker.background import MOST_WAITING, Background


def test_jobs_are_done_in_order_beside_the_main_thread() -> None:
    done: list[int] = []
    threads: set[int] = set()

    def note(number: int) -> None:
        done.append(number)
        threads.add(threading.get_ident())

    with Background() as background:
        for number in range(20):
            background.put(partial(note, number))
        background.drain()
        assert done == list(range(20))
    assert threads
    assert threading.get_ident() not in threads


def test_what_is_handed_in_behind_a_job_that_fails_is_never_done_and_the_failure_is_raised_again() -> None:
    done: list[int] = []
    go = threading.Event()

    def fail() -> None:
        go.wait(10)
        raise ValueError("broken")

    with Background() as background:
        background.put(fail)
        background.put(lambda: done.append(1))
        go.set()
        with pytest.raises(ValueError, match="broken"):
            background.drain()
        with pytest.raises(ValueError, match="broken"):
            background.put(lambda: done.append(2))
        background.abandon()
    assert done == []


def test_a_job_gives_what_it_promised_or_raises_what_went_wrong_before_it() -> None:
    kept: Future[int] = Future()
    broken: Future[int] = Future()

    def fail() -> None:
        raise ValueError("broken")

    with Background() as background:
        background.put(lambda: kept.set_result(7))
        assert background.result_of(kept) == 7
        background.put(fail)
        with pytest.raises(ValueError, match="broken"):
            background.result_of(broken)
        background.abandon()


def test_no_more_than_a_few_jobs_wait() -> None:
    go = threading.Event()
    handed_in: list[int] = []
    with Background() as background:

        def hand_in() -> None:
            for number in range(MOST_WAITING + 3):
                background.put(lambda: go.wait(10))
                handed_in.append(number)

        feeder = threading.Thread(target=hand_in)
        feeder.start()
        feeder.join(0.3)
        assert feeder.is_alive()
        assert len(handed_in) == MOST_WAITING + 1
        go.set()
        feeder.join(10)
        assert not feeder.is_alive()


def test_abandoned_jobs_are_not_begun_and_the_running_one_is_waited_for() -> None:
    began, go = threading.Event(), threading.Event()
    done: list[str] = []

    def first() -> None:
        began.set()
        go.wait(10)
        done.append("first")

    with Background() as background:
        background.put(first)
        background.put(lambda: done.append("second"))
        assert began.wait(10)
        threading.Timer(0.1, go.set).start()
        background.abandon()
        assert done == ["first"]
