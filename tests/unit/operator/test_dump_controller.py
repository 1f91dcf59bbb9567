"""The dump controller with a cluster in memory: a dump's life, told by what is written where."""

import pytest

from labeltask_contract.dump_status import DumpTable, pack_outcome
from labeltask_operator.cluster import ApiFailure
from labeltask_testing.builders import DUMP_ID, DUMP_NAME, ended_pod, make_dump_job, make_labeldump, make_pod, of_dump
from labeltask_testing.operator_fakes import DumpBench

JOB = f"ld-{DUMP_ID}"
COUNTS = DumpTable(name="fb", rows_kept=1, rows_added=2, rows_replaced=3)


@pytest.fixture
def bench() -> DumpBench:
    return DumpBench()


def conditions(bench: DumpBench) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in bench.status(DUMP_NAME)["conditions"]}


def created(bench: DumpBench) -> str:
    name = bench.put(bench.cluster.tasks, make_labeldump().manifest)
    bench.look(name, times=2)
    return name


def test_a_new_dump_gets_config_map_job_and_status(bench: DumpBench) -> None:
    name = created(bench)
    assert bench.cluster.calls == [("ensure_config_map", JOB), ("ensure_job", JOB), ("patch_status", name)]
    status = bench.status(name)
    assert (status["phase"], status["jobName"]) == ("Pending", JOB)
    assert conditions(bench) == {
        "Accepted": ("True", "Valid"), "Running": ("False", "PodStarting"), "Stalled": ("False", "Progressing")
    }  # fmt: skip


def test_a_dump_that_succeeds_shows_its_counts_and_stays(bench: DumpBench) -> None:
    name = created(bench)
    bench.put(bench.cluster.pods, of_dump(make_pod()))
    bench.look(name)
    assert (bench.status(name)["phase"], "startTime" in bench.status(name)) == ("Running", True)
    bench.put(bench.cluster.pods, of_dump(ended_pod(0, message=pack_outcome([COUNTS]).decode())))
    bench.put(bench.cluster.jobs, make_dump_job().finished("Complete").manifest)
    bench.look(name, times=3)
    status = bench.status(name)
    assert status["phase"] == "Succeeded"
    assert status["tables"] == [
        {"name": "fb", "rowsKept": 1, "rowsAdded": 2, "rowsReplaced": 3, "authorsUndecided": 0}
    ]  # fmt: skip
    assert conditions(bench)["Complete"] == ("True", "Succeeded")
    assert "completionTime" in status
    assert [call for call, _ in bench.cluster.calls].count("patch_status") == 3
    assert JOB in bench.cluster.jobs


def test_a_refused_dump_says_why(bench: DumpBench) -> None:
    name = created(bench)
    message = '{"reason": "TaskNotFinished", "message": "1 of 1 tasks"}'
    bench.put(bench.cluster.pods, of_dump(ended_pod(79, message=message)))
    bench.put(bench.cluster.jobs, make_dump_job().finished("Failed", "PodFailurePolicy").manifest)
    bench.look(name, times=2)
    status = bench.status(name)
    assert (status["phase"], status["reason"], status["errorMessage"]) == (
        "Failed", "TaskNotFinished", "1 of 1 tasks"
    )  # fmt: skip
    assert conditions(bench)["Failed"] == ("True", "TaskNotFinished")


def test_a_restarted_operator_makes_no_second_job(bench: DumpBench) -> None:
    name = bench.put(bench.cluster.tasks, make_labeldump().manifest)
    bench.cluster.refuse["patch_status"] = ApiFailure(None, "cut off")
    with pytest.raises(ApiFailure):
        bench.look(name)
    bench.cluster.refuse.clear()
    bench.restart()
    assert bench.wanted == {name}
    bench.look(name, times=2)
    assert [call for call, _ in bench.cluster.calls].count("ensure_job") == 1
    assert bench.status(name)["jobName"] == JOB


def test_an_abort_deletes_the_job_and_then_ends_the_dump(bench: DumpBench) -> None:
    name = created(bench)
    bench.cluster.tasks[name]["spec"]["abort"] = True
    bench.put(bench.cluster.tasks, bench.cluster.tasks[name])
    bench.look(name)
    assert ("delete_job", JOB) in bench.cluster.calls
    assert bench.status(name)["phase"] == "Pending"
    del bench.cluster.jobs[JOB]
    bench.controller.resync()
    bench.look(name)
    status = bench.status(name)
    assert (status["phase"], status["reason"]) == ("Failed", "Aborted")
    assert conditions(bench)["Aborted"] == ("True", "Aborted")


def test_a_quota_that_refuses_the_job_is_told_and_waited_for(bench: DumpBench) -> None:
    bench.cluster.refuse["ensure_job"] = ApiFailure(403, "exceeded quota")
    name = bench.put(bench.cluster.tasks, make_labeldump().manifest)
    assert bench.look(name) == 10
    assert (bench.status(name)["phase"], bench.status(name)["reason"]) == ("Pending", "QuotaExceeded")
    bench.cluster.refuse.clear()
    bench.look(name)
    assert "reason" not in bench.status(name)
    assert JOB in bench.cluster.jobs


def test_a_job_that_the_api_server_refuses_fails_the_dump(bench: DumpBench) -> None:
    bench.cluster.refuse["ensure_job"] = ApiFailure(422, "Invalid value")
    name = bench.put(bench.cluster.tasks, make_labeldump().manifest)
    bench.look(name)
    assert (bench.status(name)["phase"], bench.status(name)["reason"]) == ("Failed", "SpecInvalid")


def test_a_dump_whose_time_is_over_goes(bench: DumpBench) -> None:
    made = make_labeldump().with_spec(ttlSecondsAfterFinished={"succeeded": 0})
    name = bench.put(
        bench.cluster.tasks, made.with_status(phase="Succeeded", completionTime="2026-03-01T11:59:59Z").manifest
    )
    bench.look(name)
    assert bench.cluster.tasks == {}


def test_a_dump_that_is_gone_is_none_to_look_at(bench: DumpBench) -> None:
    assert bench.look("gone") is None
