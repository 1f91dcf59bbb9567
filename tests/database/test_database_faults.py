"""The database restarts, deadlocks, drops sessions or takes small packets: the task goes on, or says why not."""

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta

import pymysql
import pytest

from database.test_refusals import expect_failure
from database.worker_runs import Stage, eventually
from labeltask_contract.reasons import Reason
from labeltask_contract.stat import Stat
from labeltask_store.connection import open_connection
from labeltask_store.state_table import StoredProgress, read_progress
from labeltask_testing.mariadb import Server
from labeltask_testing.server_kinds import numbers_to
from labeltask_testing.source_rows import END, START, Post, generate_posts

MIB = 1024 * 1024
WOMEN = {"女性": [["女", "partially"]]}


@pytest.fixture
def small_packets(server: Server) -> Iterator[None]:
    """Sessions opened from now on take statements of one MiB; what is loaded before may be longer."""
    before = server.execute("SELECT @@GLOBAL.max_allowed_packet")[0][0]
    yield
    server.execute(f"SET GLOBAL max_allowed_packet = {before}")


def post(number: int, content: str) -> Post:
    moment = datetime(2020, 1, 15) + timedelta(seconds=number)
    return Post(f"row_{number:03d}", "WH_F0045", "area", f"author{number}", "title", content, moment)


@pytest.mark.usefixtures("small_packets")
def test_a_batch_is_split_to_fit_and_a_row_that_can_not_fit_is_named_with_all_before_it_stored(stage: Stage) -> None:
    stage.load(post(number, "女" + "x" * 10_239) for number in range(500))
    stage.load([post(500, "女" + "x" * (3 * MIB // 2))])
    stage.load(post(number, "女") for number in range(501, 510))
    stage.server.execute(f"SET GLOBAL max_allowed_packet = {MIB}")
    task = stage.task(WOMEN, predict_type="content")
    expect_failure(task, Reason.ROW_TOO_LARGE, "row_500", "1,57", "max_allowed_packet", "1,048,576")
    row = task.state()
    assert row is not None
    assert (row.length_receive_table, row.length_output_table, row.result) == (500, 500, "fbfans")
    # Rows came in the order of their ids: of the slice's times none is known to be done.
    assert row.check_point == datetime.fromisoformat(task.document.start_time)
    assert len(task.stored()["fbfans"]) == 500


@pytest.mark.usefixtures("small_packets")
def test_a_text_that_is_too_long_only_when_escaped_is_named_too(stage: Stage) -> None:
    stage.load([post(0, "女"), post(1, "女" + "'" * 600 * 1024), post(2, "x" * 2 * MIB), post(3, "女")])
    stage.server.execute(f"SET GLOBAL max_allowed_packet = {MIB}")
    task = stage.task(WOMEN, predict_type="content")
    expect_failure(task, Reason.ROW_TOO_LARGE, "row_001", "max_allowed_packet")
    assert [row[0] for row in task.stored()["fbfans"]] == ["row_000"]


@pytest.mark.usefixtures("small_packets")
def test_a_row_that_is_too_long_and_gets_no_label_is_no_obstacle(stage: Stage) -> None:
    stage.load([post(0, "女"), post(1, "x" * 2 * MIB), post(2, "女")])
    stage.server.execute(f"SET GLOBAL max_allowed_packet = {MIB}")
    task = stage.task(WOMEN, predict_type="content")
    task.run_to_success()
    task.check()


@pytest.mark.usefixtures("small_packets")
def test_of_two_rows_that_can_not_fit_in_two_tables_the_earlier_one_is_named(stage: Stage) -> None:
    long = "女" + "x" * 2 * MIB
    stage.load([post(0, "女"), post(1, long)._replace(s_id="WH_F0001"), post(2, long)])
    stage.server.execute(f"SET GLOBAL max_allowed_packet = {MIB}")
    task = stage.task(WOMEN, predict_type="content")
    expect_failure(task, Reason.ROW_TOO_LARGE, "row_001", "max_allowed_packet")
    assert {table: [row[0] for row in rows] for table, rows in task.stored().items()} == {"fbfans": ["row_000"]}


def test_a_row_that_an_existing_column_can_not_hold_is_named(stage: Stage) -> None:
    stage.server.execute(
        f"CREATE TABLE `{stage.output_schema}`.fbfans (id VARCHAR(32), task_id VARCHAR(32), source_author TEXT, "
        "panel VARCHAR(200), create_time DATETIME, field_content TEXT, match_content VARCHAR(100), KEY (task_id)) "
        "DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin"
    )
    stage.load([post(0, "女" * 100), post(1, "女" * 101)])
    task = stage.task(WOMEN, predict_type="content")
    expect_failure(task, Reason.ROW_TOO_LARGE, "row_001", "match_content", "101 characters", "100")
    assert [row[0] for row in task.stored()["fbfans"]] == ["row_000"]


def test_a_deadlock_is_tried_again(stage: Stage) -> None:
    stage.load(generate_posts(1_000, seed=1))
    stage.task(number=2).run_to_success()
    task = stage.task(batch_rows=50, policy="all")
    waiting = f"SELECT 1 FROM {stage.server.kind.lock_waits}"
    schema = f"`{stage.output_schema}`"
    stage.server.execute(f"CREATE TABLE {schema}.label_heavy AS SELECT seq FROM {numbers_to(5_000)}")
    with stage.server.admin() as db, db.cursor() as cursor:
        # The other order than the worker's: first what it inserts into, then its slice. Of two that block each other
        # the server ends the one that changed less.
        db.begin()
        cursor.execute(f"UPDATE {schema}.label_heavy SET seq = seq + 1")
        cursor.execute(f"SELECT COUNT(*) FROM {schema}.fbfans FOR UPDATE")
        run = task.start()
        # MariaDB renews this view only when nobody has looked for a tenth of a second.
        eventually(lambda: bool(stage.server.execute(waiting)), pause_seconds=0.2)
        cursor.execute(f"SELECT batches FROM {schema}.label_slice FOR UPDATE")
        db.rollback()
    assert run.wait().code == 0
    assert '"code": 1213' in run.log()
    task.check()


def test_a_server_killed_and_started_again_costs_no_row_and_no_pod(stage: Stage) -> None:
    stage.load(generate_posts(6_000, seed=2))
    task = stage.task(batch_rows=50)
    with task.hold(rows=500) as hold:
        run = task.start()
        hold.reached()
        stage.server.kill()
    eventually(lambda: "trying again" in run.log())
    stage.server.start()
    assert run.wait().code == 0
    task.check()


def test_sessions_that_the_server_drops_are_opened_again(stage: Stage) -> None:
    stage.load(generate_posts(4_000, seed=3))
    task = stage.task(batch_rows=50)
    with task.hold(rows=300) as first, task.hold(rows=1_000) as second, task.hold(rows=2_000) as third:
        run = task.start()
        for hold in (first, second, third):
            hold.reached()
            sessions = f"SELECT id FROM {stage.server.kind.sessions} WHERE user = 'labeltask'"
            for (thread,) in stage.server.execute(sessions):
                with suppress(pymysql.err.OperationalError):  # gone already
                    stage.server.execute(f"KILL {thread}")
            hold.release()
    assert run.wait().code == 0
    task.check()


def test_a_server_that_drops_idle_sessions_at_once_does_not_disturb_the_countdown(stage: Stage) -> None:
    stage.load(generate_posts(200, seed=4))
    stage.server.execute("SET GLOBAL wait_timeout = 1")
    try:
        task = stage.task(countdown_seconds=3)
        task.run_to_success()
    finally:
        stage.server.execute("SET GLOBAL wait_timeout = 28800")
    task.check()


def test_counters_grow_on_a_connection_that_stays_open(stage: Stage) -> None:
    posts = list(generate_posts(6_000, seed=5))
    stage.load(posts)
    task = stage.task(batch_rows=50)
    db = open_connection(stage.connection, "pymysql")
    seen: list[StoredProgress] = []
    held = range(1_000, 6_000, 1_000)
    with ExitStack() as stack:
        holds = [stack.enter_context(task.hold(rows)) for rows in held]
        run = task.start()
        for hold in holds:
            hold.reached()
            seen.append(read_progress(db, stage.output_schema, [task.document.task_id])[task.document.task_id])
            hold.release()
    assert run.wait().code == 0
    last = read_progress(db, stage.output_schema, [task.document.task_id])[task.document.task_id]
    db.close()
    # At most fifty at a time: what is committed just before each hold. The row itself is written once a second.
    assert [rows - 50 <= progress.rows_read < rows for rows, progress in zip(held, seen, strict=True)] == [True] * 5
    check_points = [progress.state.check_point for progress in seen if progress.state.check_point]
    assert check_points == sorted(check_points)
    assert len(check_points) == len(seen)
    assert {progress.state.stat for progress in seen} == {Stat.STARTED}
    # A running task can be sampled: tables are named from their first committed rows on.
    assert all("fbfans" in (progress.state.result or "").split(",") for progress in seen)
    assert all(0 <= (progress.seconds_since_heartbeat or 0) < 60 for progress in seen)
    assert {progress.rows_estimated for progress in seen} == {
        sum(START <= post.post_time < END for post in posts if post.post_time)
    }
    expected = task.check()
    assert (last.rows_read, last.state.stat) == (expected.state["length_receive_table"], Stat.SUCCESS)


def test_a_worker_that_takes_no_rows_for_longer_than_the_server_waits_keeps_its_stream(stage: Stage) -> None:
    for first in range(0, 1_000, 200):
        stage.load(post(number, "女" + "x" * 20_000) for number in range(first, first + 200))
    before = stage.server.execute("SELECT @@GLOBAL.net_write_timeout")[0][0]
    stage.server.execute("SET GLOBAL net_write_timeout = 1")
    try:
        task = stage.task(WOMEN, predict_type="content", batch_rows=50)
        with task.hold(rows=50) as hold:
            run = task.start()
            hold.reached()
            # Of a session that can't write MySQL says no more than that it executes.
            blocked = (
                f"SELECT 1 FROM {stage.server.kind.sessions} "
                "WHERE user = 'labeltask' AND state IN ('Writing to net', 'executing') AND time > 3"
            )
            eventually(lambda: bool(stage.server.execute(blocked)))
            hold.release()
            assert run.wait().code == 0
    finally:
        stage.server.execute(f"SET GLOBAL net_write_timeout = {before}")
    assert "trying again" not in run.log()
    task.check()
