"""Objects that no definition of ours would let in: each says what is wrong with it, and none holds up another."""

from typing import Any

import pytest

from labeltask_testing.builders import TASK_ID, make_labeldump, make_labeltask
from labeltask_testing.malformed import GARBAGE_STATUSES, MALFORMED_SPECS, with_spec
from labeltask_testing.operator_fakes import Bench, DumpBench

OTHER = "b" * 32


@pytest.mark.parametrize("spec", MALFORMED_SPECS.values(), ids=MALFORMED_SPECS)
def test_a_malformed_task_says_what_is_wrong_and_the_one_beside_it_runs(spec: Any) -> None:
    bench = Bench()
    bench.cluster.tasks[OTHER] = with_spec(make_labeltask(OTHER, "uid-other").manifest, spec)
    bench.cluster.tasks[TASK_ID] = make_labeltask().manifest
    bench.restart().start()
    assert bench.wanted == {OTHER, TASK_ID}
    for name in (OTHER, TASK_ID):
        bench.look(name, times=2)
    status = bench.status(OTHER)
    assert (status["stat"], status["reason"]) == ("FAILURE", "SpecInvalid")
    assert status["errorMessage"].startswith("/spec")
    assert bench.status(TASK_ID)["jobName"]
    assert sorted(bench.controller.states()) == [("FAILURE", "SpecInvalid"), ("PENDING", "")]


@pytest.mark.parametrize("status", GARBAGE_STATUSES.values(), ids=GARBAGE_STATUSES)
def test_a_garbage_status_is_written_anew_and_the_task_runs(status: Any) -> None:
    clean, bench = Bench(), Bench()
    for tried in (clean, bench):
        tried.cluster.tasks[TASK_ID] = make_labeltask().manifest
    bench.cluster.tasks[TASK_ID]["status"] = status
    for tried in (clean, bench):
        tried.restart().start()
        tried.look(TASK_ID, times=2)
    written = bench.status(TASK_ID)
    assert {key: value for key, value in written.items() if key not in ("phase", "tables")} == clean.status(TASK_ID)


def test_garbage_patched_into_the_status_of_a_running_task_is_written_anew() -> None:
    bench = Bench()
    name = bench.started()
    before = bench.status(name)
    bench.wait(10)
    for garbage in GARBAGE_STATUSES.values():
        task = bench.cluster.tasks[name]
        bench.cluster.version += 1
        task["metadata"]["resourceVersion"] = str(bench.cluster.version)
        task["status"] = {**before, **garbage} if isinstance(garbage, dict) else garbage
        bench.controller.mirror.put_task(task)
        bench.look(name)
        found = bench.status(name)
        assert (found["stat"], found["jobName"], found["progress"]["rowsRead"]) == ("STARTED", before["jobName"], 250)


@pytest.mark.parametrize("which", ["absent", "a-text", "a-list", "empty", "number-for-schema", "text-for-output"])
def test_a_malformed_dump_says_what_is_wrong_and_the_one_beside_it_runs(which: str) -> None:
    bench = DumpBench()
    bench.cluster.tasks["other"] = with_spec(make_labeldump("other", "uid-other").manifest, MALFORMED_SPECS[which])
    good = make_labeldump().manifest
    bench.cluster.tasks[good["metadata"]["name"]] = good
    bench.restart()
    for name in bench.cluster.tasks:
        bench.look(name, times=2)
    status = bench.status("other")
    assert (status["phase"], status["reason"]) == ("Failed", "SpecInvalid")
    assert status["errorMessage"].startswith("/spec")
    assert bench.status(good["metadata"]["name"])["jobName"]


@pytest.mark.parametrize("status", GARBAGE_STATUSES.values(), ids=GARBAGE_STATUSES)
def test_a_garbage_status_of_a_dump_is_written_anew(status: Any) -> None:
    bench = DumpBench()
    good = make_labeldump().manifest
    name = good["metadata"]["name"]
    bench.cluster.tasks[name] = {**good, "status": status}
    bench.restart()
    bench.look(name, times=2)
    assert (bench.status(name)["phase"], "jobName" in bench.status(name)) == ("Pending", True)
