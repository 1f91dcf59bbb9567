"""The controller with a cluster and a state table in memory: from a new task to its success and after it."""

from dataclasses import replace

import pytest

from labeltask_contract.names import job_name
from labeltask_contract.stat import ProdStat, Stat
from labeltask_operator.cluster import ApiFailure
from labeltask_testing.builders import (
    TASK_ID,
    make_job,
    make_labeltask,
    make_progress,
)
from labeltask_testing.operator_fakes import Bench, make_settings

JOB = job_name(TASK_ID)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_new_task_gets_config_map_row_job_and_status(bench: Bench) -> None:
    name = bench.create(make_labeltask().manifest)
    bench.look(name)
    assert [call for call, _ in bench.cluster.calls] == ["ensure_config_map", "ensure_job", "patch_status"]
    assert bench.store.rows[TASK_ID].state.stat is Stat.PENDING
    status = bench.status(name)
    assert (status["stat"], status["jobName"], status["taskId"]) == ("PENDING", JOB, TASK_ID)
    assert status["pattern"]["labels"] == ["男性", "女性"]
    assert bench.condition(name, "Accepted")["status"] == "True"
    assert bench.condition(name, "Running")["reason"] == "PodStarting"


def test_looking_twice_writes_once(bench: Bench) -> None:
    name = bench.create(make_labeltask().manifest)
    bench.look(name, times=5)
    assert [call for call, _ in bench.cluster.calls].count("ensure_job") == 1
    assert len(bench.cluster.patches) <= 2


def test_a_job_made_just_before_a_crash_is_adopted(bench: Bench) -> None:
    name = bench.create(make_labeltask().manifest)
    bench.cluster.refuse["patch_status"] = ApiFailure(None, "cut off")
    with pytest.raises(ApiFailure):
        bench.look(name)
    bench.cluster.refuse.clear()
    bench.restart().start()
    bench.look(name)
    assert bench.status(name)["jobName"] == JOB
    assert bench.status(name)["pattern"]["rules"] == 2
    assert list(bench.cluster.jobs) == [JOB]


def test_progress_is_mirrored_from_the_row(bench: Bench) -> None:
    name = bench.started()
    progress = bench.status(name)["progress"]
    assert bench.status(name)["stat"] == "STARTED"
    assert (progress["rowsRead"], progress["rowsLabelled"], progress["percent"]) == (250, 20, 25)
    bench.wait(10)
    bench.store.rows[TASK_ID] = make_progress(Stat.STARTED, rows=(450, 40, 1000), heartbeat_age=1)
    bench.controller.poll()
    bench.look(name)
    progress = bench.status(name)["progress"]
    assert (progress["rowsPerSecond"], progress["etaSeconds"]) == (20, 27)


def test_figures_are_written_at_most_once_in_status_seconds_and_with_nothing_else_in_the_patch(bench: Bench) -> None:
    name = bench.started()
    before = len(bench.cluster.patches)
    bench.wait(1)
    bench.store.rows[TASK_ID] = make_progress(Stat.STARTED, rows=(260, 20, 1000), heartbeat_age=1)
    bench.controller.poll()
    assert bench.look(name) == pytest.approx(2)
    assert len(bench.cluster.patches) == before
    bench.wait(2)
    bench.look(name)
    (patch,) = bench.cluster.patches[before:]
    assert set(patch) == {"progress"}
    assert patch["progress"]["rowsRead"] == 260
    assert "rowsLabelled" not in patch["progress"]


def test_a_poll_asks_each_database_once(bench: Bench) -> None:
    names = [f"{index:032x}" for index in range(5)]
    for index, name in enumerate(names):
        bench.create(make_labeltask(name, f"uid-{index}").manifest)
        bench.look(name)
    before = bench.store.queries
    bench.controller.poll()
    assert bench.store.queries == before + 1


def test_success_comes_from_the_row_and_the_job_stays(bench: Bench) -> None:
    name = bench.started()
    bench.store.rows[TASK_ID] = make_progress(
        Stat.SUCCESS,
        ProdStat.FINISH,
        rows=(1000, 80, 1000),
        result="Ptt,fbfans",
        length_prod_table="30,4",
        uniq_source_author="100,9",
        rate_of_label="30.0,44.44",
        peak_memory=57.5,
    )
    bench.controller.poll()
    bench.look(name, times=3)
    status = bench.status(name)
    assert (status["stat"], status["prodStat"], status["progress"]["percent"]) == ("SUCCESS", "finish", 100)
    assert status["resultTables"] == [
        {"name": "Ptt", "productionRows": 30, "uniqSourceAuthors": 100, "rateOfLabel": "30.0"},
        {"name": "fbfans", "productionRows": 4, "uniqSourceAuthors": 9, "rateOfLabel": "44.44"},
    ]
    assert status["peakMemoryMiB"] == 57.5
    assert "completionTime" in status
    assert bench.condition(name, "Complete")["status"] == "True"
    assert JOB in bench.cluster.jobs
    assert "deletionTimestamp" not in bench.cluster.jobs[JOB]["metadata"]


def test_a_row_that_is_final_before_the_first_job_is_the_outcome(bench: Bench) -> None:
    name = bench.create(make_labeltask().manifest)
    bench.store.rows[TASK_ID] = make_progress(Stat.SUCCESS, ProdStat.FINISH)
    bench.look(name, times=2)
    assert bench.status(name)["stat"] == "SUCCESS"
    assert bench.cluster.jobs == {}


def test_a_picture_that_lags_behind_is_not_taken_for_a_removed_job(bench: Bench) -> None:
    name = bench.started()
    bench.controller.mirror.remove_job(make_job().manifest | {"metadata": {**bench.cluster.jobs[JOB]["metadata"]}})
    bench.look(name)
    assert bench.status(name)["stat"] == "STARTED"


def test_a_database_that_does_not_answer_does_not_keep_the_job_from_being_created(bench: Bench) -> None:
    bench.store.down = True
    name = bench.create(make_labeltask().manifest)
    bench.look(name)
    assert JOB in bench.cluster.jobs
    assert bench.status(name)["stat"] == "PENDING"


def test_a_queue_lets_through_the_oldest_first_and_tells_the_others_their_place() -> None:
    bench = Bench(settings=make_settings(queues={"default": 1}))
    names = [f"{index:032x}" for index in range(3)]
    for index, name in enumerate(names):
        bench.create(make_labeltask(name, f"uid-{index}", created_ago=100 - index).manifest)
    bench.controller.start()
    for name in reversed(names):
        bench.look(name)
    assert list(bench.cluster.jobs) == [job_name(names[0])]
    assert [bench.status(name).get("queuePosition") for name in names] == [None, 1, 2]
    assert bench.condition(names[1], "Queued")["reason"] == "QueueFull"
    bench.store.rows[names[0]] = make_progress(Stat.SUCCESS, ProdStat.FINISH, task_id=names[0])
    bench.controller.poll()
    bench.wanted.clear()
    bench.look(names[0], times=2)
    assert bench.status(names[0])["stat"] == "SUCCESS"
    assert names[1] not in bench.wanted, "its last pod still ends"
    bench.put_job(make_job(names[0], "uid-0").finished("Complete").manifest)
    bench.look(names[0])
    assert {names[1], names[2]} <= bench.wanted
    bench.wait(5)
    for name in names[1:]:
        bench.look(name)
    assert job_name(names[1]) in bench.cluster.jobs
    assert [bench.status(name).get("queuePosition") for name in names] == [None, None, 1]


def test_a_database_serves_no_more_tasks_than_it_may_also_after_a_restart() -> None:
    bench = Bench(settings=make_settings(max_running_per_host=1))
    names = [f"{index:032x}" for index in range(2)]
    for index, name in enumerate(names):
        bench.create(make_labeltask(name, f"uid-{index}", created_ago=100 - index).manifest)
    for looked_at in (names, names[::-1]):
        bench.controller.start()
        for name in looked_at:
            bench.look(name)
        assert list(bench.cluster.jobs) == [job_name(names[0])]
        queued = bench.condition(names[1], "Queued")
        assert (queued["status"], queued["reason"], queued["message"]) == (
            "True",
            "HostFull",
            "database db.example:3306 serves 1 tasks at once",
        )
        assert bench.status(names[1])["queuePosition"] == 1
        bench.restart()


def test_after_a_restart_running_tasks_hold_their_places() -> None:
    bench = Bench(settings=make_settings(queues={"default": 1}))
    running, waiting = "a" * 32, "b" * 32
    bench.create(make_labeltask(waiting, "uid-b", created_ago=500).manifest)
    bench.create(make_labeltask(running, "uid-a").with_status(jobName=job_name(running)).manifest)
    bench.put_job(make_job(running, "uid-a").manifest)
    bench.restart().start()
    bench.look(waiting)
    assert job_name(waiting) not in bench.cluster.jobs


def test_a_restart_with_finished_tasks_writes_and_asks_nothing(bench: Bench) -> None:
    for index in range(50):
        name = f"{index:032x}"
        bench.create(make_labeltask(name, f"uid-{index}").with_status(stat="SUCCESS", prodStat="finish").manifest)
    bench.restart().start()
    for name in list(bench.wanted):
        bench.look(name)
    assert bench.cluster.calls == []
    assert bench.store.queries == 0


def test_a_finished_task_is_deleted_when_its_time_is_over(bench: Bench) -> None:
    ttl = {"succeeded": 100}
    task = make_labeltask().with_spec(ttlSecondsAfterFinished=ttl)
    done = task.with_status(stat="SUCCESS", prodStat="finish", completionTime="2026-03-01T11:59:00Z")
    name = bench.create(done.manifest)
    assert bench.look(name) == pytest.approx(40)
    bench.wait(41)
    bench.look(name)
    assert bench.cluster.tasks == {}


def test_a_worker_that_writes_nothing_stalls_its_task_until_it_moves_again(bench: Bench) -> None:
    name = bench.started()
    row = bench.store.rows[TASK_ID]
    for age, status in ((59, "False"), (61, "True"), (0.5, "False")):
        bench.wait(20)
        rows = 250 if age > 1 else 251
        bench.store.rows[TASK_ID] = replace(row, rows_read=rows, seconds_since_heartbeat=age)
        bench.controller.poll()
        bench.look(name)
        assert bench.condition(name, "Stalled")["status"] == status
        assert bench.condition(name, "Stalled")["reason"] == ("HeartbeatLate" if status == "True" else "Progressing")


def test_a_failed_or_aborted_task_has_a_time_to_live_of_its_own(bench: Bench) -> None:
    ttl = {"succeeded": 10, "failed": 100}
    for number, stat in enumerate(("FAILURE", "BREAK")):
        task = make_labeltask(f"{number:032x}", f"uid-{number}").with_spec(ttlSecondsAfterFinished=ttl)
        name = bench.create(task.with_status(stat=stat, completionTime="2026-03-01T11:59:00Z").manifest)
        assert bench.look(name) == pytest.approx(40)
    bench.wait(41)
    for name in list(bench.cluster.tasks):
        bench.look(name)
    assert bench.cluster.tasks == {}


def test_a_heartbeat_alone_is_seldom_written(bench: Bench) -> None:
    name = bench.started()
    before = len(bench.cluster.patches)
    row = bench.store.rows[TASK_ID]
    for _ in range(10):
        bench.wait(2)
        bench.store.rows[TASK_ID] = replace(row, seconds_since_heartbeat=0.5)
        bench.controller.poll()
        bench.look(name)
    assert len(bench.cluster.patches) - before <= 2


def test_a_task_that_waits_for_its_place_does_not_ask_the_database_until_it_has_one() -> None:
    bench = Bench(settings=make_settings(queues={"default": 1}))
    first = bench.started()
    waiting = bench.create(make_labeltask("b" * 32, "uid-b").manifest)
    bench.look(waiting)
    assert bench.condition(waiting, "Queued")["reason"] == "QueueFull"
    before = bench.store.queries
    for _ in range(5):
        bench.wait(30)
        bench.look(waiting)
    assert bench.store.queries == before
    # Somebody else may have ended its row meanwhile: that is seen before a Job is made.
    bench.store.rows["b" * 32] = make_progress(Stat.BREAK, task_id="b" * 32)
    bench.store.rows[TASK_ID] = make_progress(Stat.SUCCESS, ProdStat.FINISH)
    bench.put_job(make_job().finished("Complete").manifest)
    bench.remove_pod("pod-0")
    bench.controller.poll()
    bench.look(first, times=2)
    bench.look(waiting, times=2)
    assert bench.status(waiting)["stat"] == "BREAK"
    assert list(bench.cluster.jobs) == [JOB]
