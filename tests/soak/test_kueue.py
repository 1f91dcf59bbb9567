"""The real Kueue in front of the tasks' Jobs: they wait, start, pause, are taken back and end as it and the task say.

Its queue has room for one worker. Kueue is there only for these tests: its webhooks are in everybody's way.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from labeltask_testing.cluster_commands import (
    apply,
    ensure_namespace,
    helm_install,
    image_split,
    kubectl,
    kubectl_json,
)
from labeltask_testing.gated_tasks import GatedTasks, gated_tasks
from labeltask_testing.installation import Body, Installation, wait_until
from labeltask_testing.kueue import kueue_for, make_queue, stop_queue
from labeltask_testing.operator_kills import job_uids
from labeltask_testing.running_tasks import change, pods, running_pods, wait_rows

NAMESPACE, SECRET, QUEUE = "labeltask-kueue", "queued-connection", "one-at-a-time"
WAITS = f"Kueue has not admitted the Job to LocalQueue {QUEUE}"
NO_QUOTA = f"{WAITS}: couldn't assign flavors to pod set main: insufficient unused quota for cpu in flavor default"

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def served(installation: Installation) -> Iterator[Installation]:
    """A release whose Jobs Kueue admits, on the database of the others."""
    with kueue_for(NAMESPACE):
        kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout", "180s", timeout_seconds=200)
        ensure_namespace(NAMESPACE)
        try:
            make_queue(NAMESPACE, QUEUE, cpu="150m")
            connection = {"connection.json": json.dumps(installation.database.site_config)}
            metadata = {"name": SECRET, "namespace": NAMESPACE}
            apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": connection})
            values = {
                "kueue": {"enabled": True},
                "image": image_split(installation.images.control),
                "worker": {"image": image_split(installation.images.worker)},
                "operator": {"pollSeconds": 1, "statusSeconds": 1},
            }
            helm_install("labeltask", NAMESPACE, values)
            yield replace(installation, namespace=NAMESPACE)
        finally:
            # While Kueue runs: it has to let go of its Workloads.
            kubectl("delete", "namespace", NAMESPACE, "--timeout", "180s", timeout_seconds=200)


@pytest.fixture
def tasks(served: Installation, request: pytest.FixtureRequest) -> Iterator[GatedTasks]:
    tasks = gated_tasks(served, SECRET, f"kueue_{request.node.name}"[:60].strip("_"))
    # Seven minutes: Kueue and operator may take their time.
    tasks.close(seconds=6)
    yield tasks
    tasks.open()
    # Whatever is left of a failed test would hold the only place.
    kubectl("delete", "labeltasks", "--all", "--namespace", NAMESPACE, "--timeout", "60s")


def queued(tasks: GatedTasks, name: str) -> tuple[str, str, str]:
    conditions = tasks.installation.label_task(name).get("status", {}).get("conditions", [])
    found: Body = next((c for c in conditions if c["type"] == "Queued"), {})
    return found.get("status", ""), found.get("reason", ""), found.get("message", "")


def wait_queued(tasks: GatedTasks, name: str, status: str, reason: str, message: str = "") -> None:
    wait_until(
        lambda: queued(tasks, name),
        lambda seen: seen[:2] == (status, reason) and seen[2].startswith(message),
        seconds=120,
        what=f"{name} to be Queued={status} with reason {reason}",
    )


def wait_no_pod(tasks: GatedTasks, name: str) -> None:
    task_id = tasks.task_id(name)
    wait_until(
        lambda: running_pods(tasks.installation, task_id),
        lambda names: not names,
        seconds=60,
        what=f"the pods of {name} to be gone",
    )


def job(tasks: GatedTasks, name: str) -> Any:
    return kubectl_json("get", "job", f"lt-{tasks.task_id(name)}", "--namespace", NAMESPACE)


def test_a_task_waits_in_kueues_words_until_the_one_before_it_has_ended(tasks: GatedTasks) -> None:
    tasks.start("first", queue=QUEUE)
    tasks.create("second", queue=QUEUE)
    wait_queued(tasks, "second", "True", "NotAdmitted", NO_QUOTA)
    status = tasks.installation.label_task("second")["status"]
    assert (status["stat"], "queuePosition" in status) == ("PENDING", False)
    assert (job(tasks, "second")["spec"]["suspend"], pods(tasks.installation, status["taskId"])) == (True, [])
    assert queued(tasks, "first")[0] == "False"
    tasks.open()
    assert tasks.assert_whole("first")["attempts"] == 1
    assert tasks.assert_whole("second", seconds=180)["attempts"] == 1
    assert job(tasks, "second")["status"]["startTime"] >= job(tasks, "first")["status"]["completionTime"]


def test_a_task_that_is_aborted_while_it_waits_never_starts_and_holds_up_nobody(tasks: GatedTasks) -> None:
    tasks.start("holds-the-place", queue=QUEUE)
    tasks.create("to-abort", "behind", queue=QUEUE)
    for name in ("to-abort", "behind"):
        wait_queued(tasks, name, "True", "NotAdmitted", NO_QUOTA)
    change(tasks.installation, "to-abort", abort=True)
    status = tasks.wait_stat("to-abort", "BREAK")
    assert (status["reason"], status.get("attempts", 0), tasks.row(status["taskId"])["stat"]) == ("Aborted", 0, "BREAK")
    assert job_uids(tasks, "to-abort") == []
    tasks.open()
    for name in ("holds-the-place", "behind"):
        assert tasks.assert_whole(name, seconds=180)["attempts"] == 1


def test_a_suspended_task_gives_its_place_away_and_waits_for_one_when_it_shall_go_on(tasks: GatedTasks) -> None:
    tasks.start("to-pause", queue=QUEUE)
    (first_job,) = job_uids(tasks, "to-pause")
    change(tasks.installation, "to-pause", suspend=True)
    wait_no_pod(tasks, "to-pause")
    wait_queued(tasks, "to-pause", "False", "Suspended")
    kept = tasks.row(tasks.task_id("to-pause"))["length_receive_table"]
    paused = job(tasks, "to-pause")
    tasks.start("meanwhile", queue=QUEUE)
    # Nobody has undone it: neither Kueue the pause, nor the operator what Kueue did to the Job.
    unchanged = job(tasks, "to-pause")
    assert (unchanged["spec"]["suspend"], unchanged["metadata"]["generation"]) == (
        True,
        paused["metadata"]["generation"],
    )
    change(tasks.installation, "to-pause", suspend=False)
    wait_queued(tasks, "to-pause", "True", "NotAdmitted", WAITS)
    tasks.open()
    assert tasks.assert_whole("meanwhile")["attempts"] == 1
    assert tasks.assert_whole("to-pause", seconds=180)["attempts"] == 2
    assert job_uids(tasks, "to-pause") == [first_job]
    assert tasks.row(tasks.task_id("to-pause"))["length_receive_table"] > kept > 0


def test_a_task_that_kueue_takes_back_keeps_what_is_committed_and_goes_on_when_admitted_again(
    tasks: GatedTasks,
) -> None:
    tasks.start("taken-back", queue=QUEUE)
    (first_job,) = job_uids(tasks, "taken-back")
    stop_queue("HoldAndDrain")
    wait_no_pod(tasks, "taken-back")
    wait_queued(tasks, "taken-back", "True", "NotAdmitted", WAITS)
    kept = tasks.row(tasks.task_id("taken-back"))["length_receive_table"]
    stop_queue("None")
    wait_rows(tasks.installation, "taken-back", more_than=kept)
    tasks.open()
    assert tasks.assert_whole("taken-back", seconds=180)["attempts"] == 2
    assert (job_uids(tasks, "taken-back"), kept > 0) == ([first_job], True)
