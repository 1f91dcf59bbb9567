"""Controller manager, kubelet and containerd away or restarted while tasks run: caught up, no row lost or repeated."""

import os
import threading

import pytest

from labeltask_testing.gated_tasks import GatedTasks, gated_tasks
from labeltask_testing.installation import Installation, wait_until
from labeltask_testing.node_faults import wait_cluster
from labeltask_testing.node_services import restart_service, without_control_plane_program
from labeltask_testing.operator_kills import job_uids
from labeltask_testing.running_tasks import pods

OUTAGE_SECONDS = int(os.environ.get("LABELTASK_OUTAGE_SECONDS", "300"))
pytestmark = pytest.mark.timeout(OUTAGE_SECONDS + 900)


@pytest.fixture
def tasks(installation: Installation, connection_secret: str, request: pytest.FixtureRequest) -> GatedTasks:
    return gated_tasks(installation, connection_secret, request.node.originalname[:60].strip("_"))


def test_a_controller_manager_that_is_away_is_named_and_what_came_meanwhile_is_caught_up(tasks: GatedTasks) -> None:
    task_id = tasks.start("running")["running"]
    with without_control_plane_program("kube-controller-manager"):
        tasks.create("created-meanwhile")
        stalled = wait_until(
            lambda: tasks.installation.label_task("created-meanwhile").get("status", {}).get("conditions", []),
            lambda seen: any(c["type"] == "Stalled" and c["status"] == "True" for c in seen),
            seconds=60,
            what="the status to say that no pod comes",
        )
        (told,) = [condition for condition in stalled if condition["type"] == "Stalled"]
        assert (told["reason"], "is the Job controller running" in told["message"]) == ("PodNotStarting", True)
        tasks.open()
        tasks.wait_finished_row(task_id)
        assert tasks.wait_stat("running", "SUCCESS")["attempts"] == 1
        # The length of the outage is the fault: leases run out, back-offs grow.
        threading.Event().wait(OUTAGE_SECONDS)
    assert tasks.assert_whole("created-meanwhile", seconds=120)["attempts"] == 1
    assert tasks.assert_whole("running")["attempts"] == 1


@pytest.mark.parametrize("service", ["kubelet", "containerd"])
def test_a_restart_of_the_nodes_own_services_costs_a_running_task_nothing(tasks: GatedTasks, service: str) -> None:
    tasks.close()
    name = f"through-{service}"
    task_id = tasks.start(name)[name]
    (job,) = job_uids(tasks, name)
    restart_service(service)
    wait_cluster()
    tasks.create(f"after-{service}")
    tasks.open()
    assert tasks.assert_whole(name, seconds=180)["attempts"] == 1
    assert (job_uids(tasks, name), len(pods(tasks.installation, task_id))) == ([job], 1)
    tasks.assert_whole(f"after-{service}", seconds=120)
