"""Queues: first come, first served, and never more than may run."""

from labeltask_operator.queue_places import QueuePlaces, TaskKey
from labeltask_operator.reconcile import Place
from labeltask_operator.views import TaskView
from labeltask_testing.builders import make_labeltask


def task(name: str, age: float, queue: str = "default", namespace: str = "labels") -> TaskView:
    manifest = make_labeltask(name, f"uid-{name}", created_ago=age).with_spec(queue=queue).manifest
    manifest["metadata"]["namespace"] = namespace
    return TaskView.of(manifest)


def key(name: str) -> TaskKey:
    return TaskKey("labels", name)


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
    assert queue.leave(key("old")) == [key("middle"), key("young")]
    assert queue.claim(YOUNG).position == 1
    assert queue.claim(MIDDLE).position is None
    assert queue.leave(key("nobody")) == []


def test_what_runs_already_counts_even_beyond_the_limit() -> None:
    queue = places()
    queue.hold(OLD)
    queue.hold(MIDDLE)
    assert queue.claim(YOUNG).position == 1
    queue.leave(key("old"))
    assert queue.claim(YOUNG).position == 1
    queue.leave(key("middle"))
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
        told = queue.leave(key(name))
        started += [other.name for other in told if queue.claim(views[other.name]).position is None]
        assert queue.lengths()["default"][0] <= 10
    assert started == list(views)


def test_a_full_host_holds_up_its_own_tasks_of_any_queue_and_no_others() -> None:
    queue = QueuePlaces(lambda _: 2, host_limit=1)
    assert queue.claim(OLD, "a:3306") == Place(None, 2)
    assert queue.claim(MIDDLE, "a:3306") == Place(1, 1, "a:3306")
    assert queue.claim(YOUNG, "b:3306") == Place(None, 2)
    other = task("other", 5, "nightly")
    assert queue.claim(other, "a:3306") == Place(1, 1, "a:3306")
    assert queue.leave(key("old")) == [key("middle")]
    assert queue.claim(other, "a:3306") == Place(1, 1, "a:3306")
    assert queue.claim(MIDDLE, "a:3306") == Place(None, 2)


def test_a_task_that_its_queue_holds_keeps_no_place_at_its_host() -> None:
    queue = QueuePlaces(lambda name: 0 if name == "nightly" else 2, host_limit=1)
    night = task("night", 99, "nightly")
    assert queue.claim(night, "a:3306") == Place(1, 0)
    assert queue.claim(OLD, "a:3306") == Place(None, 2)


def test_a_host_that_becomes_known_later_counts_from_then_on() -> None:
    queue = QueuePlaces(lambda _: 5, host_limit=1)
    for view in (OLD, MIDDLE):
        queue.enter(view)
    assert queue.claim(OLD, "a:3306") == Place(None, 5)
    assert queue.claim(MIDDLE, "a:3306") == Place(1, 1, "a:3306")


def test_without_a_limit_hosts_do_not_count() -> None:
    queue = places(2)
    assert [queue.claim(view, "a:3306").position for view in (OLD, MIDDLE, YOUNG)] == [None, None, 1]


def test_a_limit_bounds_the_tasks_of_all_namespaces_together_and_equal_names_are_two_tasks() -> None:
    queue = QueuePlaces(lambda _: 2, host_limit=1)
    here, there = task("same", 30), task("same", 20, namespace="elsewhere")
    assert queue.claim(here, "a:3306") == Place(None, 2)
    assert queue.claim(there, "a:3306") == Place(1, 1, "a:3306")
    assert queue.leave(key("same")) == [TaskKey("elsewhere", "same")]
    assert queue.claim(there, "a:3306") == Place(None, 2)
    assert queue.lengths() == {"default": (1, 0)}
