"""The termination message fits and is whole."""

import json
from pathlib import Path

from labeltask_contract.errors import TaskFailure
from labeltask_contract.reasons import Reason
from labeltask_worker.outcome import MAX_BYTES, leave_message, termination_message


def test_a_message_is_reason_and_text() -> None:
    message = json.loads(termination_message(TaskFailure(Reason.TABLE_MISSING, "沒有表格 ts_page_content")))
    assert message == {"reason": "TableMissing", "message": "沒有表格 ts_page_content"}


def test_a_long_message_is_cut_to_what_the_kubelet_takes() -> None:
    for text in ("女" * 10_000, '\\"\n' * 10_000, "x" * 4_100, "🙈" * 1_020, "\ud800" * 2_000):
        content = termination_message(TaskFailure(Reason.INTERNAL, text))
        assert MAX_BYTES - 200 < len(content) <= MAX_BYTES
        assert json.loads(content)["message"].endswith("…")


def test_a_place_that_can_not_be_written_is_no_failure(tmp_path: Path) -> None:
    leave_message(tmp_path / "missing" / "log", TaskFailure(Reason.INTERNAL, "x"))
    leave_message(None, TaskFailure(Reason.INTERNAL, "x"))
    leave_message(tmp_path / "log", TaskFailure(Reason.INTERNAL, "x"))
    assert json.loads((tmp_path / "log").read_bytes()) == {"reason": "Internal", "message": "x"}
