"""What can't work ends soon, with the right exit code, message and row, and without a credential anywhere."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from database.worker_runs import Ended, Stage, Task
from labeltask_contract.reasons import FACTS, Reason
from labeltask_contract.stat import Stat
from labeltask_testing.mariadb import PASSWORD, running_server
from labeltask_testing.source_rows import generate_posts

READER = "reader"


def expect_failure(task: Task, reason: Reason, *parts: str, in_state: bool = True) -> Ended:
    """Run the task; it must fail for ``reason`` with a message that holds ``parts``, in all the places alike."""
    began = time.monotonic()
    ended = task.run()
    assert time.monotonic() - began < 30
    assert ended.code == FACTS[reason].exit_code, ended.log
    assert ended.termination is not None
    assert ended.termination["reason"] == reason.value
    message = ended.termination["message"]
    assert [part for part in parts if part not in message] == [], message
    row = task.state()
    if in_state:
        assert row is not None
        assert (row.stat, row.error_message) == (Stat.FAILURE, message)
    else:
        assert row is None or row.stat is not Stat.FAILURE
    return ended


@pytest.fixture
def reader(stage: Stage) -> Iterator[dict[str, object]]:
    """An account without any right yet."""
    stage.server.execute(
        f"DROP USER IF EXISTS '{READER}'@'%'", f"CREATE USER '{READER}'@'%' IDENTIFIED BY '{PASSWORD}'"
    )
    yield stage.server.site_config(user=READER)
    stage.server.execute(f"DROP USER '{READER}'@'%'")


def grant(stage: Stage, rights: str, schema: str) -> None:
    stage.server.execute(f"GRANT {rights} ON `{schema}`.* TO '{READER}'@'%'")


def test_a_wrong_password_is_refused_at_once(stage: Stage) -> None:
    task = stage.task()
    task.site_config = stage.server.site_config(password="canary-wrong-密")
    ended = expect_failure(task, Reason.ACCESS_DENIED, stage.connection.address, "labeltask", in_state=False)
    assert "canary-wrong" not in ended.log + json.dumps(ended.termination, ensure_ascii=False)


def test_a_host_that_does_not_exist_is_named(stage: Stage) -> None:
    task = stage.task()
    task.site_config = stage.server.site_config(host="no-such-host.invalid")
    expect_failure(task, Reason.SOURCE_UNREACHABLE, f"no-such-host.invalid:{stage.server.port}", in_state=False)


def test_a_port_where_nobody_listens_is_named(stage: Stage) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        task = stage.task()
        task.site_config = stage.server.site_config(port=port)
        expect_failure(task, Reason.SOURCE_UNREACHABLE, f"127.0.0.1:{port}", in_state=False)


def test_a_server_that_accepts_and_never_speaks_is_named(stage: Stage) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        task = stage.task()
        task.site_config = stage.server.site_config(port=port)
        expect_failure(task, Reason.SOURCE_UNREACHABLE, f"127.0.0.1:{port}", in_state=False)


def test_a_host_that_swallows_every_packet_is_named(stage: Stage) -> None:
    with socket.socket() as full, ExitStack() as callers:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        # Once its queue is full the kernel answers nobody any more.
        while True:
            caller = callers.enter_context(socket.socket())
            caller.settimeout(0.5)
            if caller.connect_ex(("127.0.0.1", port)):
                break
        task = stage.task()
        task.site_config = stage.server.site_config(port=port)
        expect_failure(task, Reason.SOURCE_UNREACHABLE, f"127.0.0.1:{port}", in_state=False)


def test_a_missing_output_schema_is_named(stage: Stage) -> None:
    expect_failure(stage.task(output_schema="no_such_output"), Reason.SCHEMA_MISSING, "no_such_output", in_state=False)


def test_a_missing_input_schema_is_named(stage: Stage) -> None:
    expect_failure(stage.task(input_schema="no_such_input"), Reason.SCHEMA_MISSING, "no_such_input")


def test_a_missing_source_table_is_named(stage: Stage) -> None:
    task = stage.task(input_table="no_such_table")
    expect_failure(task, Reason.TABLE_MISSING, f"{stage.input_schema}.no_such_table")


def test_a_missing_column_is_named(stage: Stage) -> None:
    stage.server.execute(f"ALTER TABLE `{stage.input_schema}`.ts_page_content DROP COLUMN title")
    task = stage.task(predict_type="title")
    expect_failure(task, Reason.COLUMN_MISSING, "'title'", f"{stage.input_schema}.ts_page_content")


def test_no_right_to_read_the_source_is_said(stage: Stage, reader: dict[str, object]) -> None:
    grant(stage, "ALL", stage.output_schema)
    task = stage.task()
    task.site_config = reader
    expect_failure(task, Reason.ACCESS_DENIED, "SELECT", f"{stage.input_schema}.ts_page_content")


def test_no_right_to_make_tables_is_said(stage: Stage, reader: dict[str, object]) -> None:
    grant(stage, "SELECT", stage.input_schema)
    grant(stage, "SELECT, INSERT, UPDATE, DELETE", stage.output_schema)
    task = stage.task()
    task.site_config = reader
    expect_failure(task, Reason.ACCESS_DENIED, "CREATE", stage.output_schema, in_state=False)


def test_a_read_only_server_is_said_to_be_one(stage: Stage, reader: dict[str, object]) -> None:
    grant(stage, "ALL", stage.output_schema)
    task = stage.task()
    task.site_config = reader
    stage.server.execute("SET GLOBAL read_only = 1")
    try:
        expect_failure(task, Reason.OUTPUT_NOT_WRITABLE, "read-only", stage.output_schema, in_state=False)
    finally:
        stage.server.execute("SET GLOBAL read_only = 0")


def test_a_server_whose_binary_log_takes_statements_only_is_told_what_to_set(tmp_path: Path) -> None:
    with running_server("--log-bin", "--server-id=1", "--binlog-format=STATEMENT") as server:
        stage = Stage(server, tmp_path, "logged_input", "logged_output")
        stage.create()
        expect_failure(stage.task(), Reason.OUTPUT_NOT_WRITABLE, "binlog_format to MIXED or ROW", in_state=False)


def test_rules_that_changed_after_the_task_was_accepted_are_refused(stage: Stage) -> None:
    expect_failure(stage.task(pattern_sha256="0" * 64), Reason.RULE_INVALID, "digest")


def test_a_rule_that_does_not_compile_is_named_by_label_and_position(stage: Stage) -> None:
    task = stage.task({"甲": ["a", "["]}, model_type="rule_model")
    expect_failure(task, Reason.RULE_INVALID, 'label "甲", position 1')


def test_an_expression_that_runs_away_is_named_by_label_and_position(stage: Stage) -> None:
    stage.load(post._replace(author="a" * 40 + "x") for post in generate_posts(100, nulls=0))
    task = stage.task({"甲": ["b"], "乙": ["c", "^(a+)+$"]}, model_type="rule_model", row_budget_seconds=0.3)
    expect_failure(task, Reason.RULE_TOO_SLOW, 'label "乙", position 1', "0.3 s")


def test_a_task_that_is_no_task_is_refused(stage: Stage) -> None:
    task = stage.task()
    run = task.start(LABELTASK_TERMINATION_LOG=str(stage.folder / "elsewhere"))
    run.wait()
    folder = stage.folder / "broken"
    folder.mkdir()
    (folder / "task.json").write_text('{"task_id": "x"}')
    ended = _run_in(folder, stage)
    assert ended["reason"] == "SpecInvalid"
    assert "task.json" in ended["message"]


def _run_in(task_dir: Path, stage: Stage) -> dict[str, Any]:
    import os
    import subprocess
    import sys

    log = stage.folder / "broken-log"
    done = subprocess.run(
        [sys.executable, "-m", "labeltask_worker", "run", "--task-dir", str(task_dir)],
        env={**os.environ, "LABELTASK_TERMINATION_LOG": str(log)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 64
    found: dict[str, Any] = json.loads(log.read_text())
    return found


def test_nothing_of_a_refused_task_is_left_in_result_tables(stage: Stage) -> None:
    stage.load(generate_posts(100))
    task = stage.task(pattern_sha256="0" * 64)
    task.run()
    assert task.stored() == {}


def test_the_password_stands_in_no_table(stage: Stage) -> None:
    stage.load(generate_posts(300))
    task = stage.task()
    task.run_to_success()
    for (table,) in stage.server.execute(f"SHOW TABLES FROM `{stage.output_schema}`"):
        assert PASSWORD not in str(stage.server.execute(f"SELECT * FROM `{stage.output_schema}`.`{table}`"))
