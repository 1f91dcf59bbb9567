"""Queues: first come, first served, and never more than may run."""

from labeltask_operator.queue_places import QueuePlaces
from labeltask_operator.views import TaskView
from labeltask_testing.builders import make_labeltask


def task(name: str, age: float, queue: str = "default") -> TaskView:
    return TaskView.of(make_labeltask(name, f"uid-{name}", created_ago=age).with_spec(queue=queue).manifest)


OLD, MIDDLE, YOUNG = task("old", 30), task("middle", 20), task("young", 10)


def places(limit: int = 1, **limits: int) -> QueuePlaces:
    return QueuePlaces(lambda queue: limits.get(queue, limit))


def test_the_oldest_goes_first_whoever_asks_first() -> None:
    queue = places()
    for view in (OLD, MIDDLE, YOUNG):
        queue.enter(view)
    # One place is free and belongs to the oldest, so MIDDLE is the first of those that wait.
    assert queue.claim(YOUNG).position == 2
    assert queue.claim(MIDDLE).position == 1
    assert queue.claim(OLD).position is None
    assert queue.claim(MIDDLE).position == 1
    assert queue.claim(OLD).position is None


def test_who_leaves_makes_room_and_names_who_waits() -> None:
    queue = places()
    assert queue.claim(OLD).position is None
    assert queue.claim(YOUNG).position == 1
    assert queue.claim(MIDDLE).position == 1
    assert queue.leave("old") == ["middle", "young"]
    assert queue.claim(YOUNG).position == 1
    assert queue.claim(MIDDLE).position is None
    assert queue.leave("nobody") == []


def test_what_runs_already_counts_even_beyond_the_limit() -> None:
    queue = places()
    queue.hold(OLD)
    queue.hold(MIDDLE)
    assert queue.claim(YOUNG).position == 1
    queue.leave("old")
    assert queue.claim(YOUNG).position == 1
    queue.leave("middle")
    assert queue.claim(YOUNG).position is None


def test_queues_do_not_hold_each_other_up() -> None:
    queue = places(nightly=0)
    night = task("night", 99, "nightly")
    assert queue.claim(night).position == 1
    assert queue.claim(OLD).position is None
    assert queue.lengths() == {"nightly": (0, 1), "default": (1, 0)}


def test_a_thousand_tasks_run_in_their_order_and_never_more_than_the_limit() -> None:
    queue = places(10)
    views = {f"t{index}": task(f"t{index}", 1000 - index) for index in range(1000)}
    started = [name for name, view in views.items() if queue.claim(view).position is None]
    for name in views:
        told = queue.leave(name)
        started += [other for other in told if queue.claim(views[other]).position is None]
        assert queue.lengths()["default"][0] <= 10
    assert started == list(views)
