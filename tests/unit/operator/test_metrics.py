"""The whole exposition, after a life in small."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from labeltask_contract.names import LABEL_DUMP, LABEL_TASK
from labeltask_contract.stat import ProdStat, Stat
from labeltask_operator.controller import Controller
from labeltask_operator.dump_controller import DumpController
from labeltask_operator.engine import Engine
from labeltask_operator.metrics import Held, Metrics
from labeltask_testing.builders import DUMP_NAME, TASK_ID, make_labeldump, make_labeltask, make_pod, make_progress
from labeltask_testing.operator_fakes import Bench, DumpBench, make_settings


def samples(metrics: Metrics) -> dict[str, float]:
    """All samples but the times of creation and the buckets, by name and labels as they stand in the text."""
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(generate_latest(metrics.registry).decode()):
        for name, labels, value, *_ in family.samples:
            if not name.endswith(("_created", "_bucket")):
                found[name + "".join(f" {key}={text}" for key, text in sorted(labels.items()))] = value
    return found


def test_an_operator_that_has_done_nothing_shows_these_and_no_more() -> None:
    metrics = Metrics()
    metrics.watch(lambda: [Held("labels", "LabelTask", [], 0, 1.5, 0.0)], dict)
    assert samples(metrics) == {
        "labeltask_operator_poll_seconds_count": 0,
        "labeltask_operator_poll_seconds_sum": 0,
        "labeltask_operator_poll_errors_total": 0,
        "labeltask_operator_rows_read_total": 0,
        "labeltask_operator_rows_labelled_total": 0,
        "labeltask_operator_reconcile_queue_length kind=LabelTask served_namespace=labels": 0,
        "labeltask_operator_watch_age_seconds kind=LabelTask served_namespace=labels": 1.5,
        "labeltask_operator_watch_lag_seconds kind=LabelTask served_namespace=labels": 0,
    }


def test_tasks_by_stat_and_reason_queues_rows_and_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    for module in ("metrics", "row_follower"):
        monkeypatch.setattr(f"labeltask_operator.{module}.time.perf_counter", lambda: clock[0])
    monkeypatch.setattr("labeltask_operator.mirror.time.monotonic", lambda: clock[0])
    bench, shelf, metrics = Bench(settings=make_settings(queues={"default": 1})), DumpBench(), Metrics()

    def tasks(enqueue: Callable[[str], None]) -> Controller:
        return Controller(bench.settings, bench.cluster, bench.store, enqueue, lambda: bench.now, metrics)

    def dumps(enqueue: Callable[[str], None]) -> DumpController:
        return DumpController(shelf.settings, shelf.cluster, enqueue, lambda: shelf.now, metrics)

    bench.cluster.tasks = {
        name: make_labeltask(name, f"uid-{name}", created_ago=age).with_spec(**spec).manifest
        for name, age, spec in ((TASK_ID, 30, {}), ("b" * 32, 20, {}), ("c" * 32, 10, {"modelType": "oracle"}))
    }
    shelf.cluster.tasks = {DUMP_NAME: make_labeldump().manifest}
    engines = (
        Engine("labels", LABEL_TASK, bench.settings, tasks, ThreadPoolExecutor(1), metrics),
        Engine("labels", LABEL_DUMP, shelf.settings, dumps, ThreadPoolExecutor(1), metrics),
    )
    metrics.watch(lambda: [engine.held() for engine in engines], lambda: engines[0].controller.places.lengths())
    bench.controller = engines[0].controller
    for engine in engines:
        engine.controller.start()
    for name in bench.cluster.tasks:
        engines[0].queue._handle(name)
    engines[1].queue._handle(DUMP_NAME)
    bench.put_pod(make_pod())
    for read, labelled in ((0, 0), (250, 20), (400, 30)):
        bench.store.rows[TASK_ID] = make_progress(Stat.STARTED, rows=(read, labelled, 1000), heartbeat_age=1)
        bench.controller.poll()
    bench.store.down = True
    bench.controller.poll()
    clock[0] += 7
    found = samples(metrics)
    assert {name: value for name, value in found.items() if "seconds" not in name} == {
        "labeltask_operator_objects kind=LabelTask reason= served_namespace=labels stat=PENDING": 2,
        "labeltask_operator_objects kind=LabelTask reason=SpecInvalid served_namespace=labels stat=FAILURE": 1,
        "labeltask_operator_objects kind=LabelDump reason= served_namespace=labels stat=Pending": 1,
        "labeltask_operator_queue_tasks queue=default state=running": 1,
        "labeltask_operator_queue_tasks queue=default state=waiting": 1,
        "labeltask_operator_reconcile_queue_length kind=LabelTask served_namespace=labels": 3,
        "labeltask_operator_reconcile_queue_length kind=LabelDump served_namespace=labels": 1,
        "labeltask_operator_status_writes_total kind=LabelTask": 3,
        "labeltask_operator_status_writes_total kind=LabelDump": 1,
        "labeltask_operator_rows_read_total": 400,
        "labeltask_operator_rows_labelled_total": 30,
        "labeltask_operator_poll_errors_total": 1,
    }
    assert {name: value for name, value in found.items() if "seconds" in name} == {
        "labeltask_operator_reconcile_seconds_count kind=LabelTask": 3,
        "labeltask_operator_reconcile_seconds_sum kind=LabelTask": 0,
        "labeltask_operator_reconcile_seconds_count kind=LabelDump": 1,
        "labeltask_operator_reconcile_seconds_sum kind=LabelDump": 0,
        "labeltask_operator_poll_seconds_count": 4,
        "labeltask_operator_poll_seconds_sum": 0,
        "labeltask_operator_watch_age_seconds kind=LabelTask served_namespace=labels": 7,
        "labeltask_operator_watch_age_seconds kind=LabelDump served_namespace=labels": 7,
        "labeltask_operator_watch_lag_seconds kind=LabelTask served_namespace=labels": 7,
        "labeltask_operator_watch_lag_seconds kind=LabelDump served_namespace=labels": 7,
    }


def test_a_look_that_fails_is_counted_and_timed() -> None:
    metrics = Metrics()

    def fail() -> None:
        with metrics.reconciling("LabelTask"):
            raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - any OSError is the one above
        fail()
    found = samples(metrics)
    assert found["labeltask_operator_reconcile_errors_total kind=LabelTask"] == 1
    assert found["labeltask_operator_reconcile_seconds_count kind=LabelTask"] == 1


def test_rows_from_before_a_restart_are_no_burst_of_work() -> None:
    bench = Bench()
    name = bench.create(make_labeltask().with_status(jobName=f"lt-{TASK_ID}", stat="STARTED").manifest)
    bench.store.rows[TASK_ID] = make_progress(Stat.SUCCESS, ProdStat.FINISH, rows=(1000, 80, 1000))
    metrics = Metrics()
    controller = Controller(bench.settings, bench.cluster, bench.store, bench.wanted.add, lambda: bench.now, metrics)
    controller.start()
    controller.reconcile(name)
    assert samples(metrics)["labeltask_operator_rows_read_total"] == 0
