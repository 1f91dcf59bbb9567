"""Workers that are killed, stopped, frozen or many: rows once, counters right, whatever happens when."""

import random
import signal
from datetime import datetime
from pathlib import Path

import pytest

from database.worker_runs import Running, Stage, Task, end_transactions, eventually, rows_committed
from labeltask_contract.stat import Stat
from labeltask_testing.source_rows import generate_posts, with_ids_in_no_order

ROWS = 50_000


def stat_of(task: Task) -> Stat | None:
    row = task.state()
    return row.stat if row else None


def is_labelled(task: Task) -> bool:
    return stat_of(task) is Stat.SUCCESS


def wait_until_its_sessions_are_gone(stage: Stage) -> None:
    """Wait until the server has rolled back what a killed worker had open."""
    sessions = f"SELECT 1 FROM {stage.server.kind.sessions} WHERE user = 'labeltask'"
    eventually(lambda: not stage.server.execute(sessions))


@pytest.mark.parametrize("seed", range(2))
def test_a_task_whose_workers_are_killed_ten_times_at_random_moments_ends_as_if_nothing_had_happened(
    stage: Stage, seed: int
) -> None:
    chance = random.Random(seed)
    posts = generate_posts(ROWS, seed=seed)
    # A table in the order of time is read in another way than one in no order.
    stage.load(posts if seed % 2 else with_ids_in_no_order(posts))
    task = stage.task(policy="all", batch_rows=250, slice_rows=5_000)
    seen: list[Stat | None] = []
    rows: list[int] = []
    check_points: list[datetime] = []
    for threshold in sorted(chance.randrange(ROWS) for _ in range(10)):
        run = task.start()
        eventually(lambda: rows_committed(task) >= threshold or run.process.poll() is not None, seconds=120)  # noqa: B023
        # Somewhere inside a batch, not always just behind a commit.
        seen += [stat_of(task) for _ in range(chance.randrange(3))]
        run.kill()
        wait_until_its_sessions_are_gone(stage)
        row = task.state()
        seen.append(row.stat if row else None)
        rows.append(rows_committed(task))
        check_points += [row.check_point] if row and row.check_point else []
    task.run_to_success()
    task.check()
    assert set(seen) <= {None, Stat.PENDING, Stat.STARTED, Stat.SUCCESS}
    assert seen == sorted(seen, key=[None, Stat.PENDING, Stat.STARTED, Stat.SUCCESS].index)
    # Nothing that was committed is done again.
    assert (rows, check_points) == (sorted(rows), sorted(check_points))
    assert len(check_points) > 1
    # The last ones may come too late.
    assert [run.process.returncode for run in stage.runs].count(-signal.SIGKILL) > 5


@pytest.mark.parametrize("seed", range(3))
def test_a_worker_killed_in_phase_two_leaves_no_production_row_twice(stage: Stage, seed: int) -> None:
    stage.load(generate_posts(2_000, seed=seed))
    task = stage.task(policy="all")
    run = task.start()
    eventually(lambda: is_labelled(task))
    eventually(lambda: run.log().count("production rows written") >= 1 + 4 * seed)
    run.kill()
    assert stat_of(task) is Stat.SUCCESS
    task.run_to_success()
    task.check()


def test_the_countdown_counts_from_the_end_of_labelling_however_often_the_worker_is_killed(stage: Stage) -> None:
    stage.load(generate_posts(300, seed=1))
    task = stage.task(countdown_seconds=600)
    ledger = f"`{stage.output_schema}`.label_slice"
    for _ in range(2):
        run = task.start()
        eventually(lambda: is_labelled(task) and "all slices are done" in run.log())  # noqa: B023
        run.kill()
        assert task.stored("wh_panel_mapping_") == {}
    # Almost over: one that began anew would take longer than a run may.
    stage.server.execute(f"UPDATE {ledger} SET done_at = UTC_TIMESTAMP(6) - INTERVAL 596 SECOND")
    task.run_to_success()
    task.check()
    waited = stage.server.execute(f"SELECT TIMESTAMPDIFF(SECOND, MAX(done_at), UTC_TIMESTAMP(6)) FROM {ledger}")
    assert waited[0][0] >= 600


def test_a_worker_told_to_stop_hands_its_slice_back_and_says_that_it_may_run_again(stage: Stage) -> None:
    stage.load(generate_posts(6_000, seed=2))
    task = stage.task(batch_rows=50)
    with task.hold(rows=500) as hold:
        run = task.start()
        hold.reached()
        run.send(signal.SIGTERM)
    ended = run.wait()
    assert ended.code == 75
    assert ended.termination is not None
    assert ended.termination["reason"] == "Interrupted"
    owners = stage.server.execute(f"SELECT owner FROM `{stage.output_schema}`.label_slice WHERE done_at IS NULL")
    assert owners == [(None,)]
    assert stat_of(task) is Stat.STARTED
    task.run_to_success()
    task.check()


def test_a_worker_told_to_stop_before_it_has_begun_says_that_it_may_run_again(stage: Stage) -> None:
    stage.load(generate_posts(2_000, seed=2))
    task = stage.task(batch_rows=5)
    run = task.start()
    # From here on the signal is kept, long before the program is there.
    eventually(lambda: holds_signals(run), pause_seconds=0.001)
    run.send(signal.SIGTERM)
    ended = run.wait(30)
    assert ended.code == 75
    assert ended.termination is not None
    assert ended.termination["reason"] == "Interrupted"
    task.run_to_success()
    task.check()


def holds_signals(run: Running) -> bool:
    status = Path(f"/proc/{run.process.pid}/status").read_text()
    (blocked,) = [line.split()[1] for line in status.splitlines() if line.startswith("SigBlk")]
    return bool(int(blocked, 16) >> (signal.SIGTERM - 1) & 1)


def test_a_worker_told_to_stop_in_the_countdown_stops_at_once(stage: Stage) -> None:
    stage.load(generate_posts(300, seed=1))
    task = stage.task(countdown_seconds=600)
    run = task.start()
    eventually(lambda: "all slices are done" in run.log())
    run.send(signal.SIGTERM)
    assert run.wait().code == 75
    assert stat_of(task) is Stat.SUCCESS


def test_a_worker_told_to_stop_while_the_database_does_not_answer_ends_all_the_same(stage: Stage) -> None:
    stage.load(generate_posts(2_000, seed=3))
    task = stage.task(batch_rows=50)
    with task.hold(rows=100) as hold:
        run = task.start()
        hold.reached()
        run.send(signal.SIGTERM)
        ended = run.wait()
    assert ended.code == 75
    task.run_to_success()
    task.check()


def test_four_workers_share_a_task_and_write_each_row_once(stage: Stage) -> None:
    stage.load(generate_posts(6_000, seed=4))
    task = stage.task(parallelism=4, slice_rows=300, batch_rows=100, policy="all")
    with task.hold(rows=1) as hold:
        runs = [task.start(index=index) for index in range(4)]
        # Each with a slice of its own, or one of them might do all before the next has started.
        hold.reached(workers=4)
    assert [run.wait().code for run in runs] == [0, 0, 0, 0]
    task.check()
    owners = stage.server.execute(f"SELECT DISTINCT owner_index FROM `{stage.output_schema}`.label_slice ORDER BY 1")
    assert owners == [(0,), (1,), (2,), (3,)]


def test_the_other_workers_finish_when_one_of_four_is_killed_and_replaced(stage: Stage) -> None:
    stage.load(generate_posts(6_000, seed=5))
    task = stage.task(parallelism=4, slice_rows=500, batch_rows=50)
    with task.hold(rows=250) as hold:
        runs = [task.start(index=index) for index in range(4)]
        hold.reached(workers=4)
        runs[0].kill()
        runs[2].kill()
    runs += [task.start(index=2), task.start(index=0)]
    assert [run.wait().code for run in (runs[1], *runs[3:])] == [0, 0, 0, 0]
    task.check()


def test_a_worker_that_was_frozen_and_replaced_stops_without_writing(stage: Stage) -> None:
    stage.load(generate_posts(8_000, seed=6))
    task = stage.task(batch_rows=20)
    with task.hold(rows=500) as hold:
        frozen = task.start()
        hold.reached()
        frozen.send(signal.SIGSTOP)
    end_transactions(stage.server)
    replacement = task.start()
    eventually(lambda: stage.server.execute(f"SELECT owner FROM `{stage.output_schema}`.label_slice") == [("pod-1",)])
    frozen.send(signal.SIGCONT)
    ended = frozen.wait()
    if replacement.process.poll() is None:
        assert ended.code == 75
        assert "another worker took over" in ended.log
    assert replacement.wait().code == 0
    task.check()


def test_a_worker_that_was_frozen_until_its_task_was_over_changes_nothing(stage: Stage) -> None:
    stage.load(generate_posts(4_000, seed=6))
    task = stage.task(batch_rows=50, policy="all")
    with task.hold(rows=500) as hold:
        frozen = task.start()
        hold.reached()
        frozen.send(signal.SIGSTOP)
    end_transactions(stage.server)
    task.run_to_success()
    row = task.state()
    frozen.send(signal.SIGCONT)
    # Whether it asks for its claim or for the task's row first.
    assert frozen.wait().code in (0, 75)
    task.check()
    assert task.state() == row


def test_a_finished_task_that_is_started_again_changes_nothing(stage: Stage) -> None:
    stage.load(generate_posts(500, seed=7))
    task = stage.task()
    task.run_to_success()
    first = task.state(), task.stored(), task.stored("wh_panel_mapping_")
    stage.load([post._replace(id="late_" + post.id[:20]) for post in generate_posts(10, seed=7)])
    task.run_to_success()
    assert (task.state(), task.stored(), task.stored("wh_panel_mapping_")) == first


def test_a_phase_two_that_runs_again_replaces_what_the_first_one_wrote(stage: Stage) -> None:
    stage.load(generate_posts(1_000, seed=7))
    task = stage.task(policy="all")
    task.run_to_success()
    results = task.stored()
    # As after a worker that was killed just before it said that it was through.
    stage.server.execute(
        f"UPDATE `{stage.output_schema}`.state SET prod_stat = NULL, length_prod_table = NULL",
        f"UPDATE `{stage.output_schema}`.wh_panel_mapping_fbfans SET panel = '/stale' ORDER BY id LIMIT 3",
    )
    task.run_to_success()
    assert task.stored() == results
    assert task.stored("wh_panel_mapping_") == {name: rows for name, rows in task.expected().production.items() if rows}


def test_a_task_whose_rows_were_left_without_a_ledger_is_labelled_anew_without_a_row_twice(stage: Stage) -> None:
    stage.load(generate_posts(1_000, seed=8))
    task = stage.task()
    task.run_to_success()
    schema = stage.output_schema
    stage.server.execute(
        f"DELETE FROM `{schema}`.label_slice", f"UPDATE `{schema}`.state SET stat = 'STARTED', prod_stat = NULL"
    )
    task.run_to_success()
    task.check()


def test_a_ledger_that_is_lost_halfway_takes_digests_and_rule_hits_of_the_task_with_it(stage: Stage) -> None:
    stage.load(generate_posts(4_000, seed=8))
    task = stage.task(batch_rows=5, rule_report=True)
    with task.hold(rows=300) as hold:
        run = task.start()
        hold.reached()
        run.kill()
    wait_until_its_sessions_are_gone(stage)
    assert stat_of(task) is Stat.STARTED
    stage.server.execute(f"DELETE FROM `{stage.output_schema}`.label_slice")
    task.run_to_success()
    expected = task.check()
    counted = f"SELECT rows_matched FROM `{stage.output_schema}`.label_rule_hit WHERE label_no = -1"
    assert stage.server.execute(counted) == [(expected.state["length_output_table"],)]


def test_an_aborted_task_stays_aborted_and_its_worker_leaves(stage: Stage) -> None:
    stage.load(generate_posts(3_000, seed=9, nulls=0))
    task = stage.task(batch_rows=10)
    with task.hold(rows=200) as hold:
        run = task.start()
        hold.reached()
        stage.server.execute(f"UPDATE `{stage.output_schema}`.state SET stat = 'BREAK'")
        # Longer ago than the second after which a worker looks at its row again.
        since = (
            f"SELECT MAX(heartbeat_at) < UTC_TIMESTAMP(6) - INTERVAL 2 SECOND FROM `{stage.output_schema}`.label_slice"
        )
        eventually(lambda: stage.server.execute(since) == [(1,)])
    assert run.wait().code == 0
    assert rows_committed(task) == 200
    assert stat_of(task) is Stat.BREAK


def test_beside_an_expression_that_runs_away_another_task_goes_on_and_an_abort_works(stage: Stage) -> None:
    stage.load(generate_posts(500, seed=13))
    # In a month of its own, for the task that runs away.
    stage.load(
        post._replace(id=f"evil_{number}", author="a" * 40 + "x", post_time=datetime(2020, 3, 1))
        for number, post in enumerate(generate_posts(100, seed=13, nulls=0))
    )
    evil = stage.task(
        {"甲": ["^(a+)+$"]},
        number=2,
        model_type="rule_model",
        start_time="2020-03-01",
        end_time="2020-03-02",
        row_budget_seconds=600,
    )
    run = evil.start()
    eventually(lambda: "range cut" in run.log(), seconds=60)
    task = stage.task()
    task.run_to_success()
    task.check()
    assert run.process.poll() is None
    assert stat_of(evil) is Stat.STARTED
    # What the operator does: the row first, then the pod is told to stop, and is killed if it does not.
    stage.server.execute(
        f"UPDATE `{stage.output_schema}`.state SET stat = 'BREAK' WHERE task_id = '{evil.document.task_id}'"
    )
    run.send(signal.SIGTERM)
    try:
        assert run.wait().code == 75
    finally:
        assert stat_of(evil) is Stat.BREAK
        assert evil.stored() == {}


def test_nothing_of_a_batch_is_visible_when_the_worker_is_killed_between_insert_and_commit(stage: Stage) -> None:
    stage.load(generate_posts(4_000, seed=10))
    task = stage.task(batch_rows=50, policy="all")
    with task.hold(rows=300) as hold:
        run = task.start()
        # The ledger comes last: whoever waits for it has inserted and not committed.
        hold.reached()
        inserted = "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_rows_modified > 1"
        assert stage.server.execute(inserted) == [(1,)]
        run.kill()
    wait_until_its_sessions_are_gone(stage)
    row = stage.server.execute(
        f"SELECT SUM(rows_labelled) FROM `{stage.output_schema}`.label_slice WHERE task_id = '{task.document.task_id}'"
    )
    assert sum(len(rows) for rows in task.stored().values()) == row[0][0]
    task.run_to_success()
    task.check()


def test_a_slice_whose_lease_is_over_is_taken_over_by_another_index(stage: Stage) -> None:
    stage.load(generate_posts(3_000, seed=11))
    task = stage.task(batch_rows=50, parallelism=2)
    with task.hold(rows=300) as hold:
        first = task.start(index=0)
        hold.reached()
        first.kill()
    other = task.start(index=1)
    eventually(
        lambda: "trying again" in other.log() or (other.process.poll() is None and stat_of(task) is Stat.STARTED)
    )
    assert rows_committed(task) < 3_000
    stage.server.execute(f"UPDATE `{stage.output_schema}`.label_slice SET lease_until = UTC_TIMESTAMP(6)")
    assert other.wait().code == 0
    assert stat_of(task) is Stat.SUCCESS
    assert stage.server.execute(f"SELECT DISTINCT owner_index FROM `{stage.output_schema}`.label_slice") == [(1,)]
    # Index 1 leaves phase 2 to the replacement of index 0.
    assert task.stored("wh_panel_mapping_") == {}
    task.run_to_success()
    task.check()


def test_a_worker_that_waits_long_for_the_first_row_of_a_slice_keeps_it(stage: Stage) -> None:
    stage.load(generate_posts(2_000, seed=12))
    task = stage.task(batch_rows=500, slice_rows=1_000)
    ledger = f"`{stage.output_schema}`.label_slice"

    def lease_of_second() -> datetime | None:
        rows = stage.server.execute(f"SELECT lease_until FROM {ledger} WHERE slice_no = 1 AND rows_read = 0")
        return rows[0][0] if rows else None

    with stage.server.admin() as db, db.cursor() as cursor, task.hold(rows=500) as hold:
        run = task.start()
        hold.reached()
        # The first slice has been read by then, and the second is claimed behind the commit that is held.
        cursor.execute(f"LOCK TABLES `{stage.input_schema}`.ts_page_content WRITE")
        hold.release()
        eventually(lambda: lease_of_second() is not None)
        first = lease_of_second()
        assert first is not None
        eventually(lambda: (lease_of_second() or first) > first, seconds=60)
        cursor.execute("UNLOCK TABLES")
        assert run.wait().code == 0
    task.check()
