"""The status: as small a patch as the change, only fields of the schema, conditions that remember when they changed."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from labeltask_contract.reasons import Reason
from labeltask_contract.stat import Stat
from labeltask_contract.status import LabelTaskStatus
from labeltask_operator.job_outcome import Fault
from labeltask_operator.job_views import JobView, PodView
from labeltask_operator.reconcile import Decision, Ending, Observation, Place
from labeltask_operator.status_fields import build_status, least_pause_seconds, merge_patch
from labeltask_operator.stored_row import StoredRow
from labeltask_operator.views import TaskView
from labeltask_testing.builders import NOW, ago, make_job, make_labeltask, make_pod, make_progress

PATCHES: dict[str, tuple[Any, Any, Any]] = {
    "nothing changed": ({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 2}}, {}),
    "one figure": ({"a": 1, "b": {"c": 2, "d": 3}}, {"a": 1, "b": {"c": 5, "d": 3}}, {"b": {"c": 5}}),
    "a field that is gone": ({"a": 1, "b": 2}, {"a": 1}, {"b": None}),
    "a figure that is gone": ({"b": {"c": 2, "d": 3}}, {"b": {"d": 3}}, {"b": {"c": None}}),
    "a new field": ({}, {"b": {"c": 2}}, {"b": {"c": 2}}),
    "a list is replaced whole": ({"l": [1, 2]}, {"l": [1, 3]}, {"l": [1, 3]}),
    "false and zero are values": ({"a": True}, {"a": False, "b": 0}, {"a": False, "b": 0}),
}


@pytest.mark.parametrize(("before", "after", "patch"), PATCHES.values(), ids=PATCHES.keys())
def test_merge_patch(before: Any, after: Any, patch: Any) -> None:
    assert merge_patch(before, after) == patch


PAUSES: dict[str, tuple[dict[str, Any], float]] = {
    "what is more than figures waits for nothing": ({"stat": "STARTED"}, 0),
    "figures go with what is more": ({"progress": {"rowsRead": 1}, "conditions": []}, 0),
    "figures alone have their time": ({"progress": {"rowsRead": 1}, "attempts": 2}, 5),
    "that a worker lives is told now and then": ({"progress": {"lastHeartbeat": "x"}}, 30),
    "a heartbeat with rows is a figure": ({"progress": {"lastHeartbeat": "x", "rowsRead": 1}}, 5),
    "a place at the front of a queue is a figure": ({"queuePosition": 2}, 5),
    "a place far back is told seldom": ({"queuePosition": 1000}, 2000),
}


@pytest.mark.parametrize(("patch", "pause"), PAUSES.values(), ids=PAUSES.keys())
def test_how_long_a_write_waits(patch: dict[str, Any], pause: float) -> None:
    assert least_pause_seconds(patch, status_seconds=5) == pause


def test_the_last_of_a_thousand_is_told_its_place_a_dozen_times_at_most() -> None:
    places_a_second = 1_000 / (48 * 60)  # as measured with ten at once on two busy cores
    place, told = 1_000.0, 0
    while place >= 1:
        pause = least_pause_seconds({"queuePosition": round(place)}, status_seconds=4)
        place -= max(1, pause * places_a_second)
        told += 1
    assert told <= 12


def seen_task(status: Any = None, row: StoredRow | None = None, pods: tuple[Any, ...] = ()) -> Observation:
    view = TaskView.of(make_labeltask().with_status(**(status or {})).manifest)
    found = tuple(PodView.of(pod) for pod in pods)
    return Observation(NOW, view, None, JobView.of(make_job().manifest), found, row or StoredRow(), Place(None, 10))


def conditions(status: Any) -> dict[str, tuple[str, str, str]]:
    return {c["type"]: (c["status"], c["reason"], c["lastTransitionTime"]) for c in status["conditions"]}


def test_a_status_holds_only_what_the_schema_knows() -> None:
    row = StoredRow(True, make_progress(Stat.STARTED, rows=(5, 1, 10), heartbeat_age=2), NOW, NOW)
    status = build_status(seen_task(row=row, pods=(make_pod(),)), Decision(), 7)
    assert LabelTaskStatus.model_validate(status)
    assert status["progress"] == {
        "rowsRead": 5,
        "rowsLabelled": 1,
        "rowsEstimated": 10,
        "percent": 50,
        "rowsPerSecond": 7,
        "etaSeconds": 0,
        "lastHeartbeat": ago(2),
    }
    assert status["attempts"] == 1
    assert status["startTime"] == ago(4)


def test_a_condition_keeps_its_time_until_its_status_changes() -> None:
    first = build_status(seen_task(pods=(make_pod(),)), Decision(), None)
    later = Observation(
        NOW + timedelta(seconds=60),
        TaskView.of(make_labeltask().with_status(**first).manifest),
        None,
        JobView.of(make_job().manifest),
        (PodView.of(make_pod()),),
        StoredRow(),
        Place(None, 10),
    )
    assert merge_patch(first, build_status(later, Decision(), None)) == {}
    stalled = build_status(later, Decision(fault=Fault(Reason.IMAGE_PULL, "no such image")), None)
    assert conditions(stalled)["Stalled"] == ("True", "ImagePull", ago(-60))
    assert conditions(stalled)["Accepted"][2] == ago(0)


def test_a_new_fault_has_its_own_beginning() -> None:
    first = build_status(seen_task(), Decision(fault=Fault(Reason.UNSCHEDULABLE, "full")), None)
    for condition in first["conditions"]:
        condition["lastTransitionTime"] = ago(100)
    again = build_status(seen_task(first), Decision(fault=Fault(Reason.UNSCHEDULABLE, "fuller")), None)
    other = build_status(seen_task(first), Decision(fault=Fault(Reason.IMAGE_PULL, "no such image")), None)
    assert conditions(again)["Stalled"][2] == ago(100)
    assert conditions(other)["Stalled"][2] == ago(0)


def test_an_estimate_that_was_too_low_does_not_say_done() -> None:
    row = StoredRow(True, make_progress(Stat.STARTED, rows=(15, 1, 10)), NOW, NOW)
    assert build_status(seen_task(row=row), Decision(), 7)["progress"]["percent"] == 99


def test_what_was_known_stays_while_the_database_is_away() -> None:
    before = {
        "stat": "STARTED",
        "progress": {"rowsRead": 5, "rowsLabelled": 1},
        "pattern": {"sha256": "0" * 64, "labels": ["a"], "rules": 1},
        "warnings": ["w"],
        "createTime": "2026-01-01 08:00:00",
        "startTime": ago(50),
        "attempts": 3,
    }
    status = build_status(seen_task(before), Decision(), None)
    assert {name: status[name] for name in before} == before


def test_the_time_of_creation_is_the_rows_own_whatever_zone_the_database_is_in() -> None:
    row = StoredRow(True, make_progress(Stat.PENDING, create_time=datetime(2026, 1, 1, 8, 0, 1)), NOW, NOW)
    assert build_status(seen_task(row=row), Decision(), None)["createTime"] == "2026-01-01 08:00:01"


@pytest.mark.parametrize("stat", [Stat.FAILURE, Stat.BREAK])
def test_a_status_becomes_final_only_together_with_its_reason(stat: Stat) -> None:
    row = StoredRow(True, make_progress(stat), NOW, NOW)
    waiting = build_status(seen_task({"stat": "STARTED"}, row), Decision(recheck_seconds=1), None)
    assert (waiting["stat"], waiting.get("completionTime")) == ("STARTED", None)
    ended = build_status(
        seen_task(waiting, row), Decision(ending=Ending(stat, reason=Reason.TABLE_MISSING, message="m")), None
    )
    assert (ended["stat"], ended["reason"], ended["errorMessage"]) == (stat, "TableMissing", "m")
    assert ended["completionTime"] == ago(0)


def test_a_message_too_long_for_the_schema_is_cut() -> None:
    ending = Ending(Stat.FAILURE, reason=Reason.INTERNAL, message="x" * 10_000)
    status = build_status(seen_task(), Decision(ending=ending), None)
    assert len(status["errorMessage"]) == 4096
    assert LabelTaskStatus.model_validate(status)
