"""Pods deleted, evicted, drained, lost: another one goes on from what is committed, and no try is used up."""

import json
from collections.abc import Callable, Iterator

import pytest

from labeltask_testing.cluster_commands import kill_container_process, kubectl
from labeltask_testing.failed_tasks import assert_failed
from labeltask_testing.gated_tasks import GatedTasks, gated_tasks
from labeltask_testing.installation import Installation, wait_until
from labeltask_testing.running_tasks import pods, running_pods, wait_running_pod
from labeltask_testing.worker_faults import FrozenWorker, cordon, drain_workers, evict, uncordon

NO_TRY = {"backoffLimit": 0}
"""The first failure that counts would end the task."""


@pytest.fixture
def tasks(installation: Installation, connection_secret: str, request: pytest.FixtureRequest) -> Iterator[GatedTasks]:
    yield gated_tasks(installation, connection_secret, request.node.originalname[:60])
    uncordon()


def delete(installation: Installation, pod: str, *more: str) -> None:
    kubectl("delete", "pod", pod, "--namespace", installation.namespace, "--wait=false", *more)


@pytest.mark.parametrize("take", [delete, evict], ids=["deleted", "evicted"])
def test_a_running_pod_that_is_taken_away_is_replaced(
    tasks: GatedTasks, take: Callable[[Installation, str], None]
) -> None:
    name = f"{take.__name__}-while-running"
    task_id = tasks.start(name, **NO_TRY)[name]
    first = wait_running_pod(tasks.installation, task_id)
    take(tasks.installation, first)
    wait_running_pod(tasks.installation, task_id, but={first})
    tasks.open()
    assert tasks.assert_whole(name)["attempts"] == 2
    tasks.close()


def test_a_drained_node_gives_its_workers_back_when_it_returns(tasks: GatedTasks) -> None:
    task_id = tasks.start("drained", **NO_TRY)["drained"]
    first = wait_running_pod(tasks.installation, task_id)
    drain_workers(task_id)
    pending = wait_pending_pod(tasks.installation, task_id)
    assert pending != first
    uncordon()
    tasks.open()
    assert tasks.assert_whole("drained")["attempts"] == 2


def test_a_pod_deleted_while_it_waits_for_a_node_is_replaced(tasks: GatedTasks) -> None:
    cordon()
    tasks.create("deleted-while-pending", **NO_TRY)
    wait_until(
        lambda: tasks.installation.label_task("deleted-while-pending").get("status", {}),
        lambda status: "jobName" in status,
        seconds=60,
        what="its Job",
    )
    task_id = tasks.task_id("deleted-while-pending")
    first = wait_pending_pod(tasks.installation, task_id)
    delete(tasks.installation, first)
    second = wait_pending_pod(tasks.installation, task_id, but=first)
    assert second != first
    uncordon()
    tasks.open()
    tasks.assert_whole("deleted-while-pending")


def wait_pending_pod(installation: Installation, task_id: str, but: str = "") -> str:
    """Wait until one pod of the task waits for a node, and return its name."""

    def waiting() -> list[str]:
        return [
            pod["metadata"]["name"]
            for pod in pods(installation, task_id)
            if pod["status"]["phase"] == "Pending" and pod["metadata"]["name"] != but
        ]

    return wait_until(waiting, lambda names: len(names) == 1, seconds=60, what="a pod that waits")[0]


def test_two_pods_of_one_job_alive_write_each_row_once_and_the_older_one_leaves(tasks: GatedTasks) -> None:
    installation = tasks.installation
    task_id = tasks.start("twice")["twice"]
    first = wait_running_pod(installation, task_id)
    frozen = FrozenWorker(installation, first)
    try:
        delete(installation, first, "--grace-period=0", "--force")
        # The Job waits for the end of a pod that it counts, so it takes more than force to make it believe in one.
        patch = json.dumps({"metadata": {"finalizers": None}})
        kubectl("patch", "pod", first, "--namespace", installation.namespace, "--type", "merge", "--patch", patch)
        wait_running_pod(installation, task_id, but={first})
        frozen.thaw()
        frozen.wait_ended()
    finally:
        frozen.release()
    tasks.open()
    tasks.assert_whole("twice")


def test_a_worker_killed_with_no_try_left_is_the_reason_and_not_the_one_that_was_stopped_after_it(
    tasks: GatedTasks,
) -> None:
    installation = tasks.installation
    task_id = tasks.start("one-of-two", parallelism=2, **NO_TRY)["one-of-two"]
    both = wait_until(
        lambda: running_pods(installation, task_id), lambda names: len(names) == 2, seconds=90, what="two workers"
    )
    kill_container_process(sorted(both)[0], installation.namespace, "worker")
    message = "the worker ended with exit code 137 (killed by SIGKILL)"
    assert_failed(installation, "one-of-two", "Internal", message, schema=tasks.schema, seconds=90)
