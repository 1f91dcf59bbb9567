"""The controller when a task can't start or go on: reason and words in status, condition and row."""

import pytest

from labeltask_contract.names import job_name
from labeltask_contract.stat import ProdStat, Stat
from labeltask_operator.cluster import ApiFailure
from labeltask_testing.builders import (
    TASK_ID,
    ended_pod,
    make_job,
    make_labeltask,
    make_progress,
    waiting_pod,
)
from labeltask_testing.operator_fakes import Bench

JOB = job_name(TASK_ID)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_finished_task_never_gets_a_second_job(bench: Bench) -> None:
    name = bench.create(make_labeltask().with_status(jobName=JOB, stat="STARTED").manifest)
    bench.store.rows[TASK_ID] = make_progress(Stat.SUCCESS, ProdStat.NO_DATA)
    bench.look(name, times=2)
    assert bench.status(name)["stat"] == "SUCCESS"
    assert bench.condition(name, "Produced")["reason"] == "NoData"
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
    name = bench.started()
    bench.put_pod(ended_pod(137, "Error"))
    bench.look(name)
    assert bench.status(name)["stat"] == "STARTED"
    assert ("delete_job", JOB) not in bench.cluster.calls


def test_a_worker_killed_for_its_memory_ends_the_task(bench: Bench) -> None:
    name = bench.started()
    bench.put_job(make_job().manifest)
    bench.put_pod(ended_pod(137, "OOMKilled"))
    bench.look(name, times=2)
    assert bench.status(name)["reason"] == "OutOfMemory"
    assert "OOMKilled" in bench.status(name)["errorMessage"]
    assert "64Mi" in bench.status(name)["errorMessage"]
    assert bench.store.rows[TASK_ID].state.stat is Stat.FAILURE
    assert ("delete_job", JOB) in bench.cluster.calls


def test_the_workers_last_word_is_the_reason_and_the_rows_words_the_message(bench: Bench) -> None:
    name = bench.started()
    bench.put_pod(ended_pod(65, message='{"reason": "AccessDenied", "message": "資料庫 refuses the account"}'))
    bench.put_job(make_job().finished("Failed", "PodFailurePolicy", "exit code 65").manifest)
    bench.look(name)
    assert bench.status(name)["reason"] == "AccessDenied"
    assert bench.status(name)["errorMessage"] == "資料庫 refuses the account"
    assert bench.store.rows[TASK_ID].state.error_message == "資料庫 refuses the account"


def test_a_job_removed_by_hand_is_a_failure(bench: Bench) -> None:
    name = bench.started()
    bench.remove_job(JOB)
    bench.remove_pod("pod-0")
    bench.look(name)
    assert bench.status(name)["reason"] == "JobRemoved"
    assert "removed outside" in bench.status(name)["errorMessage"]
    assert bench.cluster.jobs == {}


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


def test_an_outcome_stands_in_the_status_though_the_database_is_away_and_reaches_the_row_later(bench: Bench) -> None:
    name = bench.started()
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
    name = bench.started()
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
    name = bench.started()
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


def test_a_quota_on_jobs_that_lasts_as_long_as_the_task_might_run_ends_it(bench: Bench) -> None:
    bench.cluster.refuse["ensure_job"] = ApiFailure(403, "exceeded quota: jobs")
    name = bench.create(make_labeltask().with_spec(deadlineSeconds=600).manifest)
    for seconds in (0, 599):
        bench.wait(seconds)
        bench.look(name)
        assert bench.status(name)["stat"] == "PENDING"
    bench.wait(1)
    bench.look(name)
    assert (bench.status(name)["stat"], bench.status(name)["reason"]) == ("FAILURE", "DeadlineExceeded")
    assert bench.status(name)["errorMessage"] == (
        "no Job could be created within deadlineSeconds (600); it was held by QuotaExceeded: "
        "the namespace refuses the Job: exceeded quota: jobs"
    )


def test_the_password_is_written_nowhere(bench: Bench) -> None:
    name = bench.started()
    written = repr((bench.cluster.tasks[name], bench.cluster.jobs, bench.cluster.config_maps, bench.cluster.patches))
    assert "hunter2-canary" not in written


def test_an_account_that_the_database_refuses_is_not_tried_for_an_hour(bench: Bench) -> None:
    name = bench.started()
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
