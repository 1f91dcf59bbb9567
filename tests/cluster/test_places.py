"""Places and numbers of workers: a database's limit, a change of parallelism, a Job that went while nobody looked."""

import json
from collections.abc import Iterator

import pytest

from cluster.conftest import SETTINGS
from labeltask_testing.cluster_commands import apply, kubectl, kubectl_json, wait_rollout
from labeltask_testing.database_rows import assert_as_expected, state
from labeltask_testing.gated_tasks import gated_tasks
from labeltask_testing.installation import Body, Installation, wait_until
from labeltask_testing.requests import expected_rows, gender_request, gender_resource
from labeltask_testing.running_tasks import SLOW, running_pods
from labeltask_testing.source_rows import Post

OPERATOR = "deployment/labeltask-operator"


@pytest.fixture(scope="module")
def one_at_a_database(installation: Installation) -> Iterator[None]:
    installation.install(*SETTINGS, "maxRunningPerHost=1")
    yield
    installation.install(*SETTINGS)


def patch(installation: Installation, name: str, **spec: object) -> None:
    change = json.dumps({"spec": spec})
    kubectl("patch", "labeltask", name, "--namespace", installation.namespace, "--type", "merge", "--patch", change)


def status(installation: Installation, name: str) -> Body:
    found: Body = installation.label_task(name).get("status", {})
    return found


def wait_stat(installation: Installation, name: str, stat: str) -> Body:
    return wait_until(
        lambda: status(installation, name), lambda seen: seen.get("stat") == stat, seconds=120, what=f"{name}: {stat}"
    )


def queued(found: Body) -> Body:
    condition: Body = next((c for c in found.get("conditions", []) if c["type"] == "Queued"), {})
    return condition


@pytest.mark.usefixtures("one_at_a_database")
def test_a_task_waits_while_its_database_serves_as_many_as_it_may(
    installation: Installation, connection_secret: str
) -> None:
    apply(gender_resource(installation, "first-at-database", connection_secret, **SLOW))
    wait_stat(installation, "first-at-database", "STARTED")
    apply(gender_resource(installation, "second-at-database", connection_secret, queue="another"))
    seen = wait_until(
        lambda: status(installation, "second-at-database"),
        lambda found: queued(found).get("status") == "True",
        seconds=60,
        what="the second task to queue",
    )
    host = installation.database.host_in_cluster
    condition = queued(seen)
    assert (condition["reason"], condition["message"]) == ("HostFull", f"database {host}:3306 serves 1 tasks at once")
    assert (seen["queuePosition"], seen["stat"], "jobName" in seen) == (1, "PENDING", False)
    patch(installation, "first-at-database", abort=True)
    assert "queuePosition" not in wait_stat(installation, "second-at-database", "SUCCESS")


@pytest.mark.usefixtures("one_at_a_database")
def test_a_resumed_task_waits_like_any_other_while_its_database_serves_as_many_as_it_may(
    installation: Installation, connection_secret: str
) -> None:
    tasks = gated_tasks(installation, connection_secret, "resumed")
    tasks.start("to-resume")
    patch(installation, "to-resume", suspend=True)
    tasks.start("meanwhile")
    patch(installation, "to-resume", suspend=False)
    seen = wait_until(
        lambda: status(installation, "to-resume"),
        lambda found: queued(found).get("reason") == "HostFull",
        seconds=60,
        what="the resumed task to queue",
    )
    job = kubectl_json("get", "job", seen["jobName"], "--namespace", installation.namespace)
    assert (seen["queuePosition"], seen["stat"], job["spec"]["suspend"]) == (1, "STARTED", True)
    tasks.open()
    tasks.assert_whole("meanwhile")
    assert tasks.assert_whole("to-resume")["attempts"] == 2


def test_fewer_workers_end_a_task_with_each_row_once(installation: Installation, connection_secret: str) -> None:
    tasks = gated_tasks(installation, connection_secret, "narrowed")
    task_id = tasks.start("to-narrow", parallelism=3)["to-narrow"]
    wait_until(
        lambda: running_pods(installation, task_id), lambda names: len(names) == 3, seconds=90, what="three workers"
    )
    patch(installation, "to-narrow", parallelism=1)
    wait_until(lambda: running_pods(installation, task_id), lambda names: len(names) == 1, seconds=60, what="one")
    tasks.open()
    tasks.assert_whole("to-narrow")
    job = kubectl_json("get", "job", f"lt-{task_id}", "--namespace", installation.namespace)
    assert (job["spec"]["parallelism"], job["spec"]["completions"]) == (1, 1)


def test_more_workers_join_a_running_task_and_each_row_is_there_once(
    installation: Installation, connection_secret: str, posts: list[Post]
) -> None:
    apply(gender_resource(installation, "to-widen", connection_secret, **SLOW))
    task_id = wait_stat(installation, "to-widen", "STARTED")["taskId"]
    patch(installation, "to-widen", parallelism=3)
    wait_stat(installation, "to-widen", "SUCCESS")
    job = wait_until(
        lambda: kubectl_json("get", "job", f"lt-{task_id}", "--namespace", installation.namespace),
        lambda found: found["status"].get("completionTime") is not None,
        seconds=60,
        what="the Job to complete",
    )
    assert (job["spec"]["parallelism"], job["spec"]["completions"], job["status"]["completedIndexes"]) == (3, 3, "0-2")
    installation.wait_final(task_id)
    with installation.database.as_root() as db:
        expected = expected_rows(posts, task_id, gender_request(installation))
        assert_as_expected(db, installation.database.output_schema, task_id, expected)


def test_a_job_gone_while_the_operator_was_down_leaves_success_and_no_second_job(
    installation: Installation, connection_secret: str
) -> None:
    # Longer than any label or Job name may be, and with dots: Job and pods are named by the task's id.
    name = ".".join(["a" * 49] * 4)
    apply(gender_resource(installation, name, connection_secret, **SLOW))
    task_id = wait_stat(installation, name, "STARTED")["taskId"]
    kubectl("scale", OPERATOR, "--replicas", "0", "--namespace", installation.namespace)

    def row() -> Body:
        with installation.database.as_root() as db:
            return state(db, installation.database.output_schema, task_id)

    try:
        wait_until(row, lambda found: found["prod_stat"] == "finish", seconds=90, what="the row to be final")
        kubectl("delete", "job", f"lt-{task_id}", "--namespace", installation.namespace, "--wait")
    finally:
        kubectl("scale", OPERATOR, "--replicas", "1", "--namespace", installation.namespace)
        wait_rollout(installation.namespace, OPERATOR)
    found = wait_stat(installation, name, "SUCCESS")
    assert (found["prodStat"], found.get("reason")) == ("finish", None)
    jobs = kubectl("get", "jobs", "--namespace", installation.namespace, "--output", "name")
    assert task_id not in jobs
