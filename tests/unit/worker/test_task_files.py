"""What is mounted is checked before any database is asked."""

import json
from pathlib import Path
from typing import Any

import pytest

from labeltask_contract.errors import TaskFailure
from labeltask_contract.pattern import ModelType, pack_pattern, parse_rest_pattern, pattern_digest
from labeltask_contract.reasons import Reason
from labeltask_contract.task_document import TaskDocument
from labeltask_worker.settings import Settings, read_settings
from labeltask_worker.task_files import check_task, load_assignment, load_rules

PATTERN = parse_rest_pattern({"女性": [["女", "partially"]]}, ModelType.KEYWORD_MODEL)
TASK: dict[str, Any] = {
    "task_id": "a" * 32,
    "model_type": "keyword_model",
    "predict_type": "content",
    "start_time": "2020-01-01",
    "end_time": "2020-02-01",
    "pattern_sha256": pattern_digest(PATTERN),
    "input_schema": "i",
    "output_schema": "o",
}


def write(folder: Path, **changes: Any) -> None:
    (folder / "task.json").write_text(json.dumps({**TASK, **changes}))
    connection = {"host": "db", "port": 3306, "user": "u", "password": "canary"}
    (folder / "connection.json").write_text(json.dumps(connection))


def test_task_connection_and_rules_are_read(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "pattern.json.gz").write_bytes(pack_pattern(PATTERN))
    assignment = load_assignment(tmp_path)
    assert assignment.task == TaskDocument(**TASK)
    assert assignment.connection.address == "db:3306"
    assert load_rules(tmp_path, assignment.task) == PATTERN
    assert "canary" not in repr(assignment)


def test_rules_may_be_plain_json_as_callers_write_it(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "pattern.json").write_text('{"女性": [["女", "partially"]]}')
    assert load_rules(tmp_path, TaskDocument(**TASK)) == PATTERN


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(TaskFailure, match=r"task\.json can't be read: No such file") as caught:
        load_assignment(tmp_path)
    assert caught.value.reason is Reason.SPEC_INVALID


def test_a_wrong_connection_is_named_without_its_values(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "connection.json").write_text('{"host": "db", "user": "u", "password": "canary"}')
    with pytest.raises(TaskFailure, match=r"/connection\.json/port: is missing") as caught:
        load_assignment(tmp_path)
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start_time": "2020-02-01"}, "is not before"),
        ({"end_time": "2020-02-30"}, "no such date"),
        ({"rules": {"source_tables": {"A": "t" * 48}}}, "more than 47 characters"),
    ],
)
def test_what_the_models_can_not_see_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskFailure, match=message) as caught:
        check_task(TaskDocument.model_validate({**TASK, **changes}))
    assert caught.value.reason is Reason.SPEC_INVALID


def test_a_translation_that_makes_a_panel_too_long_is_refused(tmp_path: Path) -> None:
    task = TaskDocument.model_validate({**TASK, "rules": {"label_translations": {"女性": "f" * 200}}})
    (tmp_path / "pattern.json.gz").write_bytes(pack_pattern(PATTERN))
    with pytest.raises(TaskFailure, match="more than 199 characters"):
        load_rules(tmp_path, task)


def test_the_pod_says_who_it_is() -> None:
    environment = {"POD_UID": "u", "JOB_COMPLETION_INDEX": "3", "LABELTASK_TERMINATION_LOG": "/x/log"}
    assert read_settings(environment) == Settings("u", 3, Path("/x/log"))


def test_two_processes_without_a_pod_are_two_workers() -> None:
    first, second = read_settings({}), read_settings({})
    assert first.pod_uid != second.pod_uid
    assert first.index == 0
