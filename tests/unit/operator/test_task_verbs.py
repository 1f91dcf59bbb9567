"""The controller when somebody aborts, pauses, resumes or deletes a task."""

import pytest

from labeltask_contract.names import job_name
from labeltask_contract.stat import ProdStat, Stat
from labeltask_testing.builders import (
    TASK_ID,
    make_job,
    make_labeltask,
    make_pod,
    make_progress,
)
from labeltask_testing.operator_fakes import Bench

JOB = job_name(TASK_ID)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_abort_waits_for_the_pods_and_then_breaks(bench: Bench) -> None:
    name = bench.started()
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
    name = bench.started()
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
    name = bench.started()
    bench.delete(name)
    bench.look(name)
    row = bench.store.rows[TASK_ID].state
    assert (row.stat, row.error_message) == (Stat.BREAK, "the LabelTask was deleted")


def test_suspend_stops_the_job_and_resume_lets_it_go_on(bench: Bench) -> None:
    name = bench.started()
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
    name = bench.started()
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
    name = bench.started()
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


def test_another_number_of_workers_reaches_the_job_at_once_and_once(bench: Bench) -> None:
    name = bench.create(make_labeltask().manifest)
    bench.look(name)
    bench.change(name, parallelism=3)
    bench.look(name, times=3)
    spec = bench.cluster.jobs[JOB]["spec"]
    assert (spec["parallelism"], spec["completions"]) == (3, 3)
    assert bench.cluster.calls.count(("resize_job", JOB)) == 1
