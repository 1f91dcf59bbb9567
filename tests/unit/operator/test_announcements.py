"""Events on a task: one for each turn of its life, in its conditions' words, never twice."""

import pytest

from labeltask_contract.names import job_name
from labeltask_contract.stat import ProdStat, Stat
from labeltask_operator.announcements import find_announcements
from labeltask_operator.cluster import ApiFailure
from labeltask_testing.builders import (
    DUMP_NAME,
    TASK_ID,
    UID,
    make_job,
    make_kubernetes_event,
    make_labeldump,
    make_labeltask,
    make_pod,
    make_progress,
    waiting_pod,
)
from labeltask_testing.operator_fakes import Bench, DumpBench, make_settings

JOB = job_name(TASK_ID)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def told(bench: Bench | DumpBench) -> list[tuple[str, str, str]]:
    return [(event["type"], event["reason"], event["message"]) for event in bench.cluster.events.values()]


ACCEPTED = ("Normal", "Accepted", "settings, rules and connection were found and are right")
STARTED = ("Normal", "Started", f"the first worker pod of Job {JOB} runs")


def test_a_task_that_succeeds_is_told_of_three_times(bench: Bench) -> None:
    name = bench.create(make_labeltask().manifest)
    bench.look(name)
    bench.put_pod(make_pod())
    for rows in (250, 500, 750):
        bench.store.rows[TASK_ID] = make_progress(Stat.STARTED, rows=(rows, 20, 1000), heartbeat_age=1)
        bench.controller.poll()
        bench.look(name)
        bench.wait(10)
    bench.store.rows[TASK_ID] = make_progress(Stat.SUCCESS, ProdStat.FINISH, rows=(1000, 80, 1000))
    bench.controller.poll()
    bench.look(name, times=3)
    assert told(bench) == [ACCEPTED, STARTED, ("Normal", "Succeeded", "1000 rows read, 80 labelled")]


def test_an_event_names_its_task_and_has_a_name_that_a_repeat_has_too(bench: Bench) -> None:
    bench.look(bench.create(make_labeltask().manifest))
    (event,) = bench.cluster.events.values()
    assert event == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{UID}.accepted.accepted", "namespace": "labels"},
        "involvedObject": {
            "apiVersion": "labelapi.io/v1",
            "kind": "LabelTask",
            "namespace": "labels",
            "name": TASK_ID,
            "uid": UID,
        },
        "type": "Normal",
        "reason": "Accepted",
        "message": "settings, rules and connection were found and are right",
        "source": {"component": "labeltask-operator"},
        "reportingComponent": "labeltask-operator",
        "firstTimestamp": "2026-03-01T12:00:00Z",
        "lastTimestamp": "2026-03-01T12:00:00Z",
        "count": 1,
    }


def test_a_fault_is_told_when_it_stalls_the_task_and_when_it_ends_it(bench: Bench) -> None:
    name = bench.create(make_labeltask().manifest)
    bench.look(name)
    bench.put_pod(waiting_pod("ImagePullBackOff", "Back-off pulling image"))
    for _ in range(3):
        bench.look(name)
        bench.wait(20)
    bench.look(name)
    message = bench.status(name)["errorMessage"]
    assert told(bench) == [
        ACCEPTED,
        ("Warning", "ImagePull", f"stalled: {message}"),
        ("Warning", "ImagePull", message),
    ]


def test_a_quota_is_told_in_its_own_words(bench: Bench) -> None:
    name = bench.create(make_labeltask().manifest)
    bench.look(name)
    bench.put_job(make_job(created_ago=0).with_status(active=0).manifest)
    refusal = 'Error creating: pods "x" is forbidden: exceeded quota: small'
    bench.cluster.events["refused"] = make_kubernetes_event(f"job-of-{UID}", "FailedCreate", refusal, -15)
    bench.wait(16)
    bench.look(name)
    assert bench.condition(name, "Stalled")["reason"] == "QuotaExceeded"
    assert told(bench)[-1] == ("Warning", "QuotaExceeded", f"stalled: the namespace refuses the worker pod: {refusal}")


def test_an_abort_a_queue_and_doubtful_rules_are_told() -> None:
    bench = Bench(settings=make_settings(queues={"default": 0}))
    pattern = [{"label": "A", "expressions": ["I"]}]
    name = bench.create(make_labeltask().with_spec(modelType="rule_model", pattern=pattern).manifest)
    bench.look(name)
    bench.change(name, abort=True)
    bench.look(name)
    kinds = [(kind, reason) for kind, reason, _ in told(bench)]
    assert kinds == [("Normal", "Accepted"), ("Normal", "Queued"), ("Warning", "RuleWarning"), ("Normal", "Aborted")]
    assert 'label "A", position 0' in told(bench)[2][2]
    assert told(bench)[3][2] == "aborted by spec.abort"


def test_a_task_that_waits_for_its_secret_says_so(bench: Bench) -> None:
    reference = {"secretKeyRef": {"name": "late", "key": "c"}}
    name = bench.create(make_labeltask(created_ago=0).with_spec(connectionFrom=reference).manifest)
    bench.look(name, times=3)
    missing = 'Secret "late" does not exist in this namespace; create it with key "c"'
    assert told(bench) == [("Warning", "SecretMissing", missing)]


def test_a_dump_is_told_of_alike() -> None:
    bench = DumpBench()
    bench.put(bench.cluster.tasks, make_labeldump().with_spec(group="NONE").manifest)
    bench.look(DUMP_NAME)
    assert [(kind, reason) for kind, reason, _ in told(bench)] == [
        ("Warning", "SpecInvalid"),
        ("Warning", "SpecInvalid"),
    ]
    assert {event["involvedObject"]["kind"] for event in bench.cluster.events.values()} == {"LabelDump"}


def test_a_restarted_operator_tells_nothing_again(bench: Bench) -> None:
    name = bench.create(make_labeltask().manifest)
    bench.look(name)
    before = told(bench)
    bench.restart().start()
    bench.look(name, times=3)
    assert told(bench) == before


def test_an_api_server_that_refuses_events_keeps_no_task_from_its_status(bench: Bench) -> None:
    bench.cluster.refuse["ensure_event"] = ApiFailure(403, "events is forbidden")
    bench.cluster.refuse["iter_events"] = ApiFailure(403, "events is forbidden")
    name = bench.create(make_labeltask().manifest)
    bench.look(name)
    bench.put_job(make_job(created_ago=0).with_status(active=0).manifest)
    bench.wait(16)
    bench.look(name)
    assert bench.condition(name, "Stalled")["reason"] == "PodNotStarting"


def test_figures_alone_are_no_event() -> None:
    before = {"conditions": [{"type": "Stalled", "status": "False", "reason": "Progressing", "message": ""}]}
    assert find_announcements(before, {**before, "progress": {"rowsRead": 5}, "attempts": 2}) == ()
