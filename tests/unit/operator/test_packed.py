"""Mappings kept as text."""

import json

import pytest

from labeltask_operator.packed import Packed
from labeltask_operator.views import TaskView
from labeltask_testing.builders import make_labeltask

STATUS = {"stat": "FAILURE", "reason": "TableMissing", "errorMessage": "資料表不存在", "progress": {"rowsRead": 7}}


def test_it_equals_the_mapping_that_it_was_made_of() -> None:
    packed = Packed(STATUS, at_hand=("stat", "prodStat", "reason"))
    assert dict(packed) == STATUS
    assert len(packed) == 4
    assert [packed.get(key) for key in ("stat", "prodStat", "reason", "jobName")] == [
        "FAILURE",
        None,
        "TableMissing",
        None,
    ]
    assert "prodStat" not in packed


def test_a_finished_task_whose_reason_nobody_can_read_is_read_as_one_without() -> None:
    garbage = {"stat": "SUCCESS", "reason": 5, "completionTime": "2026-01-01T00:00:00Z"}
    view = TaskView.of(make_labeltask().manifest | {"status": garbage})
    assert dict(view.status) == {**garbage, "reason": None}
    assert (view.recorded_stat, view.status["reason"]) == ("SUCCESS", None)


def test_stat_and_reason_of_a_finished_task_are_read_without_decoding_its_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    manifest = make_labeltask().manifest | {"status": {**STATUS, "completionTime": "2026-01-01T00:00:00Z"}}
    view = TaskView.of(manifest)

    def refuse(_text: bytes) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(json, "loads", refuse)
    assert (view.recorded_stat, view.status.get("prodStat"), view.status.get("reason")) == (
        "FAILURE",
        None,
        "TableMissing",
    )
    with pytest.raises(AssertionError, match="decoded"):
        view.status.get("errorMessage")
