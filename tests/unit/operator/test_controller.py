"""The controller with a cluster and a state table in memory: a task's life, told by what is written where."""

from dataclasses import replace

import pytest

from labeltask_contract.names import job_name
from labeltask_contract.stat import ProdStat, Stat
from labeltask_operator.cluster import ApiFailure
from labeltask_testing.builders import (
    TASK_ID,
    ended_pod,
    make_job,
    make_labeltask,
    make_pod,
    make_progress,
    waiting_pod,
)
from labeltask_testing.operator_fakes import Bench, make_settings

JOB = job_name(TASK_ID)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def started(bench: Bench) -> str:
    """A task whose worker runs and has read 250 of 1,000 rows."""
    name = bench.create(make_labeltask().manifest)
    bench.look(name)
    bench.put_pod(make_pod())
    bench.store.rows[TASK_ID] = make_progress(Stat.STARTED, rows=(250, 20, 1000), heartbeat_age=1)
    bench.controller.poll()
    bench.look(name)
    return name


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
    name = started(bench)
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
    name = started(bench)
    before = len(bench.cluster.patches)
    bench.wait(1)
    bench.store.rows[TASK_ID] = make_progress(Stat.STARTED, rows=(260, 20, 1000), heartbeat_age=1)
    bench.controller.poll()
    assert bench.look(name) == pytest.approx(3)
    assert len(bench.cluster.patches) == before
    bench.wait(3)
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
    name = started(bench)
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


def test_a_finished_task_never_gets_a_second_job(bench: Bench) -> None:
    name = bench.create(make_labeltask().with_status(jobName=JOB, stat="STARTED").manifest)
    bench.store.rows[TASK_ID] = make_progress(Stat.SUCCESS, ProdStat.NO_DATA)
    bench.look(name, times=2)
    assert bench.status(name)["stat"] == "SUCCESS"
    assert bench.condition(name, "Produced")["reason"] == "NoData"
    assert bench.cluster.jobs == {}


def test_a_row_that_is_final_before_the_first_job_is_the_outcome(bench: Bench) -> None:
    name = bench.create(make_labeltask().manifest)
    bench.store.rows[TASK_ID] = make_progress(Stat.SUCCESS, ProdStat.FINISH)
    bench.look(name, times=2)
    assert bench.status(name)["stat"] == "SUCCESS"
    assert bench.cluster.jobs == {}


def test_an_image_that_does_not_exist_stalls_then_fails_in_status_and_row(bench: Bench) -> None:
    name = bench.create(make_labeltask().manifest)
    bench.look(name)
    bench.put_pod(waiting_pod("ImagePullBackOff", "Back-off pulling image"))
    bench.look(name)
    assert bench.condition(name, "Stalled")["reason"] == "ImagePull"
    assert bench.status(name)["reason"] == "ImagePull"
    bench.wait(46)
    bench.look(name, times=2)
    status = bench.status(name)
    assert (status["stat"], status["reason"]) == ("FAILURE", "ImagePull")
    assert "registry/worker:1" in status["errorMessage"]
    assert bench.store.rows[TASK_ID].state.stat is Stat.FAILURE
    assert bench.store.rows[TASK_ID].state.error_message == status["errorMessage"]
    assert ("delete_job", JOB) in bench.cluster.calls


def test_a_killed_worker_is_left_to_the_job(bench: Bench) -> None:
    name = started(bench)
    bench.put_pod(ended_pod(137, "Error"))
    bench.look(name)
    assert bench.status(name)["stat"] == "STARTED"
    assert ("delete_job", JOB) not in bench.cluster.calls


def test_a_worker_killed_for_its_memory_ends_the_task(bench: Bench) -> None:
    name = started(bench)
    bench.put_job(make_job().manifest)
    bench.put_pod(ended_pod(137, "OOMKilled"))
    bench.look(name, times=2)
    assert bench.status(name)["reason"] == "OutOfMemory"
    assert "OOMKilled" in bench.status(name)["errorMessage"]
    assert "64Mi" in bench.status(name)["errorMessage"]
    assert bench.store.rows[TASK_ID].state.stat is Stat.FAILURE
    assert ("delete_job", JOB) in bench.cluster.calls


def test_the_workers_last_word_is_the_reason_and_the_rows_words_the_message(bench: Bench) -> None:
    name = started(bench)
    bench.put_pod(ended_pod(65, message='{"reason": "AccessDenied", "message": "資料庫 refuses the account"}'))
    bench.put_job(make_job().finished("Failed", "PodFailurePolicy", "exit code 65").manifest)
    bench.look(name)
    assert bench.status(name)["reason"] == "AccessDenied"
    assert bench.status(name)["errorMessage"] == "資料庫 refuses the account"
    assert bench.store.rows[TASK_ID].state.error_message == "資料庫 refuses the account"


def test_abort_waits_for_the_pods_and_then_breaks(bench: Bench) -> None:
    name = started(bench)
    bench.change(name, abort=True)
    bench.look(name)
    assert ("delete_job", JOB) in bench.cluster.calls
    bench.put_job(bench.cluster.jobs[JOB])
    bench.look(name)
    assert bench.status(name)["stat"] == "STARTED"
    bench.remove_pod("pod-0")
    bench.remove_job(JOB)
    bench.look(name, times=2)
    assert bench.status(name)["stat"] == "BREAK"
    assert bench.condition(name, "Aborted")["status"] == "True"
    assert bench.store.rows[TASK_ID].state.stat is Stat.BREAK


def test_a_completion_that_wins_over_an_abort_wins_everywhere(bench: Bench) -> None:
    name = started(bench)
    bench.change(name, abort=True)
    bench.look(name)
    bench.remove_pod("pod-0")
    bench.remove_job(JOB)
    bench.store.rows[TASK_ID] = make_progress(Stat.SUCCESS, ProdStat.FINISH)
    bench.wait(0.1)
    bench.look(name, times=2)
    assert bench.status(name)["stat"] == "SUCCESS"
    assert bench.store.rows[TASK_ID].state.stat is Stat.SUCCESS
    assert not bench.condition(name, "Aborted")


def test_an_abort_before_there_is_a_job_breaks_at_once(bench: Bench) -> None:
    name = bench.create(make_labeltask().with_spec(abort=True).manifest)
    bench.look(name)
    assert bench.status(name)["stat"] == "BREAK"
    assert bench.cluster.jobs == {}


def test_a_deleted_task_leaves_break_in_its_row(bench: Bench) -> None:
    name = started(bench)
    bench.delete(name)
    bench.look(name)
    row = bench.store.rows[TASK_ID].state
    assert (row.stat, row.error_message) == (Stat.BREAK, "the LabelTask was deleted")


def test_a_job_removed_by_hand_is_a_failure(bench: Bench) -> None:
    name = started(bench)
    bench.remove_job(JOB)
    bench.remove_pod("pod-0")
    bench.look(name)
    assert bench.status(name)["reason"] == "JobRemoved"
    assert "removed outside" in bench.status(name)["errorMessage"]
    assert bench.cluster.jobs == {}


def test_a_picture_that_lags_behind_is_not_taken_for_a_removed_job(bench: Bench) -> None:
    name = started(bench)
    bench.controller.mirror.remove_job(make_job().manifest | {"metadata": {**bench.cluster.jobs[JOB]["metadata"]}})
    bench.look(name)
    assert bench.status(name)["stat"] == "STARTED"


def test_a_foreign_job_is_named_and_left_alone(bench: Bench) -> None:
    bench.cluster.jobs[JOB] = make_job(owner_uid="somebody-else").manifest
    name = bench.create(make_labeltask().manifest)
    bench.look(name, times=3)
    assert (bench.status(name)["stat"], bench.status(name)["reason"]) == ("FAILURE", "JobConflict")
    assert JOB in bench.status(name)["errorMessage"]
    assert "jobName" not in bench.status(name)
    assert [call for call, _ in bench.cluster.calls if call == "delete_job"] == []


def test_a_missing_secret_is_waited_for_then_named(bench: Bench) -> None:
    reference = {"secretKeyRef": {"name": "late", "key": "connection.json"}}
    name = bench.create(make_labeltask(created_ago=0).with_spec(connectionFrom=reference).manifest)
    assert bench.look(name) == 1
    assert bench.condition(name, "Accepted")["reason"] == "SecretMissing"
    assert bench.status(name)["stat"] == "PENDING"
    bench.wait(61)
    bench.look(name)
    assert bench.status(name)["stat"] == "FAILURE"
    assert 'Secret "late"' in bench.status(name)["errorMessage"]
    assert '"connection.json"' in bench.status(name)["errorMessage"]


def test_a_secret_that_comes_late_lets_the_task_go_on(bench: Bench) -> None:
    reference = {"secretKeyRef": {"name": "late", "key": "c"}}
    name = bench.create(make_labeltask(created_ago=0).with_spec(connectionFrom=reference).manifest)
    bench.look(name)
    bench.cluster.secrets["late"] = {"c": bench.cluster.secrets["main-db"]["connection.json"]}
    bench.look(name)
    assert bench.condition(name, "Accepted")["status"] == "True"
    assert JOB in bench.cluster.jobs


def test_wrong_rules_fail_with_label_and_position(bench: Bench) -> None:
    pattern = [{"label": "男性", "expressions": ["ok", "(unclosed"]}]
    name = bench.create(make_labeltask().with_spec(modelType="rule_model", pattern=pattern).manifest)
    bench.look(name)
    status = bench.status(name)
    assert (status["stat"], status["reason"]) == ("FAILURE", "RuleInvalid")
    assert 'label "男性", position 1' in status["errorMessage"]
    assert bench.condition(name, "Accepted")["status"] == "False"
    assert bench.cluster.jobs == {}


def test_a_database_that_does_not_answer_does_not_keep_the_job_from_being_created(bench: Bench) -> None:
    bench.store.down = True
    name = bench.create(make_labeltask().manifest)
    bench.look(name)
    assert JOB in bench.cluster.jobs
    assert bench.status(name)["stat"] == "PENDING"


def test_an_outcome_stands_in_the_status_though_the_database_is_away_and_reaches_the_row_later(bench: Bench) -> None:
    name = started(bench)
    bench.store.down = True
    bench.put_job(make_job().finished("Failed", "DeadlineExceeded").manifest)
    bench.look(name)
    assert bench.status(name)["reason"] == "DeadlineExceeded"
    bench.store.down = False
    bench.controller.poll()
    assert bench.store.rows[TASK_ID].state.stat is Stat.FAILURE
    bench.look(name, times=2)
    assert bench.status(name)["stat"] == "FAILURE"


def test_a_success_found_in_the_row_later_corrects_the_status(bench: Bench) -> None:
    name = started(bench)
    bench.store.down = True
    bench.put_job(make_job().finished("Failed", "DeadlineExceeded").manifest)
    bench.look(name)
    bench.store.down = False
    bench.store.rows[TASK_ID] = make_progress(Stat.SUCCESS, ProdStat.FINISH)
    bench.controller.poll()
    bench.look(name, times=2)
    status = bench.status(name)
    assert status["stat"] == "SUCCESS"
    assert "errorMessage" not in status
    assert "reason" not in status
    assert not bench.condition(name, "Failed")


def test_a_job_that_completed_waits_for_the_row_while_the_database_is_away(bench: Bench) -> None:
    name = started(bench)
    bench.store.down = True
    bench.put_job(make_job().finished("Complete").manifest)
    bench.controller.poll()
    bench.look(name)
    assert bench.condition(name, "Stalled")["reason"] == "SourceUnreachable"
    bench.store.down = False
    bench.store.rows[TASK_ID] = make_progress(Stat.SUCCESS, ProdStat.FINISH)
    bench.wait(2)
    bench.look(name)
    assert bench.status(name)["stat"] == "SUCCESS"


def test_suspend_stops_the_job_and_resume_lets_it_go_on(bench: Bench) -> None:
    name = started(bench)
    bench.change(name, suspend=True)
    bench.look(name)
    assert bench.cluster.jobs[JOB]["spec"]["suspend"] is True
    bench.remove_pod("pod-0")
    bench.look(name)
    assert bench.condition(name, "Running")["reason"] == "Suspended"
    bench.change(name, suspend=False)
    bench.look(name)
    assert bench.cluster.jobs[JOB]["spec"]["suspend"] is False
    assert bench.status(name)["stat"] == "STARTED"


def test_pods_that_a_pause_has_taken_away_are_still_counted(bench: Bench) -> None:
    name = started(bench)
    assert bench.status(name)["attempts"] == 1
    bench.change(name, suspend=True)
    bench.look(name)
    bench.remove_pod("pod-0")
    bench.put_job(make_job().with_spec(suspend=True).with_status(active=0).manifest)
    bench.look(name)
    bench.change(name, suspend=False)
    bench.look(name)
    bench.put_job(make_job().with_spec(suspend=False).manifest)
    bench.put_pod(make_pod(name="pod-1"))
    bench.wait(10)
    bench.look(name)
    assert bench.status(name)["attempts"] == 2


def test_a_restart_counts_no_pod_twice_and_goes_on_counting(bench: Bench) -> None:
    name = started(bench)
    bench.remove_pod("pod-0")
    bench.put_pod(make_pod(name="pod-1"))
    bench.wait(10)
    bench.look(name)
    bench.restart().start()
    bench.look(name)
    assert bench.status(name)["attempts"] == 2
    bench.put_pod(make_pod(name="pod-2"))
    bench.wait(10)
    bench.look(name)
    assert bench.status(name)["attempts"] == 3


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


def test_a_malformed_task_fails_alone(bench: Bench) -> None:
    bad = make_labeltask("c" * 32, "uid-c").with_spec(modelType="oracle").manifest
    good = make_labeltask().manifest
    for manifest in (bad, good):
        bench.look(bench.create(manifest))
    assert bench.status("c" * 32)["reason"] == "SpecInvalid"
    assert "/spec/modelType" in bench.status("c" * 32)["errorMessage"]
    assert JOB in bench.cluster.jobs


def test_a_job_that_the_api_server_refuses_says_why(bench: Bench) -> None:
    bench.cluster.refuse["ensure_job"] = ApiFailure(422, "spec.template: cpu must not be negative")
    name = bench.create(make_labeltask().manifest)
    bench.look(name)
    assert bench.status(name)["reason"] == "SpecInvalid"
    assert "cpu must not be negative" in bench.status(name)["errorMessage"]
    assert bench.store.rows[TASK_ID].state.stat is Stat.FAILURE


def test_a_quota_on_jobs_is_waited_for(bench: Bench) -> None:
    bench.cluster.refuse["ensure_job"] = ApiFailure(403, "exceeded quota: jobs")
    name = bench.create(make_labeltask().manifest)
    bench.look(name)
    assert bench.condition(name, "Stalled")["reason"] == "QuotaExceeded"
    assert bench.status(name)["stat"] == "PENDING"
    bench.cluster.refuse.clear()
    bench.look(name)
    assert JOB in bench.cluster.jobs


def test_the_password_is_written_nowhere(bench: Bench) -> None:
    name = started(bench)
    written = repr((bench.cluster.tasks[name], bench.cluster.jobs, bench.cluster.config_maps, bench.cluster.patches))
    assert "hunter2-canary" not in written


def test_a_heartbeat_alone_is_seldom_written(bench: Bench) -> None:
    name = started(bench)
    before = len(bench.cluster.patches)
    row = bench.store.rows[TASK_ID]
    for _ in range(10):
        bench.wait(2)
        bench.store.rows[TASK_ID] = replace(row, seconds_since_heartbeat=0.5)
        bench.controller.poll()
        bench.look(name)
    assert len(bench.cluster.patches) - before <= 2


def test_an_account_that_the_database_refuses_is_not_tried_for_an_hour(bench: Bench) -> None:
    name = started(bench)
    bench.store.down = True
    bench.store.lasting = True
    bench.put_job(make_job().finished("Failed", "DeadlineExceeded").manifest)
    bench.look(name)
    bench.controller.poll()
    before = bench.store.queries
    for _ in range(5):
        bench.wait(2)
        bench.controller.poll()
        bench.look(name)
    assert bench.store.queries == before
    assert bench.status(name)["stat"] == "FAILURE"
