"""The operator's liveness: a process or watch that is dead gets it restarted, an API server that is away does not."""

import os
import threading
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from labeltask_testing.cluster_commands import (
    CommandError,
    container_process,
    engine,
    kill_container_process,
    wait_rollout,
)
from labeltask_testing.gated_tasks import GatedTasks, gated_tasks
from labeltask_testing.installation import Installation, wait_until
from labeltask_testing.node_faults import kill_control_plane_program, wait_cluster
from labeltask_testing.node_services import without_control_plane_program
from labeltask_testing.operator_process import DEPLOYMENT, operator_figures, operator_pods
from labeltask_testing.swallowed_packets import hanging_connections, swallowed_packets
from labeltask_testing.withheld_rights import without_right
from localkube.cluster import run_on_node

OUTAGE_SECONDS = int(os.environ.get("LABELTASK_OUTAGE_SECONDS", "300"))
pytestmark = pytest.mark.timeout(OUTAGE_SECONDS + 900)


@pytest.fixture
def tasks(installation: Installation, connection_secret: str) -> GatedTasks:
    tasks = gated_tasks(installation, connection_secret, "liveness")
    tasks.open()
    return tasks


def restarts(installation: Installation) -> tuple[str, int]:
    """The operator's pod and how often its container was restarted."""
    (pod,) = operator_pods(installation)
    return pod["metadata"]["name"], pod["status"]["containerStatuses"][0]["restartCount"]


def wait_restarted(installation: Installation, before: tuple[str, int], seconds: float) -> None:
    since = time.monotonic()
    wait_until(
        lambda: restarts(installation), lambda seen: seen > before, seconds=seconds, what="the operator to be restarted"
    )
    print(f"restarted after {time.monotonic() - since:.0f} s")
    wait_rollout(installation.namespace, DEPLOYMENT)


def test_a_frozen_operator_is_restarted_and_serves_again(tasks: GatedTasks) -> None:
    before = restarts(tasks.installation)
    kill_container_process(before[0], tasks.installation.namespace, "operator", "STOP")
    tasks.create("created-while-frozen")
    wait_restarted(tasks.installation, before, seconds=240)
    tasks.assert_whole("created-while-frozen")


def test_a_dead_watch_gets_the_operator_restarted_and_tasks_are_served_meanwhile(tasks: GatedTasks) -> None:
    installation = tasks.installation
    before = restarts(installation)
    with without_right(installation, "watch", "labeltasks"):
        kill_control_plane_program("kube-apiserver")
        wait_cluster()
        tasks.create("told-by-a-list-alone")
        tasks.wait_stat("told-by-a-list-alone", "SUCCESS", seconds=120)
        wait_restarted(installation, before, seconds=400)
    # It dies of it again and again until it may watch; then it lives.
    wait_rollout(installation.namespace, DEPLOYMENT)
    tasks.create("watched-again")
    tasks.assert_whole("watched-again", seconds=120)


def watch_age(installation: Installation) -> float:
    """Seconds since a watch of LabelTasks told the operator anything; endless while it does not answer."""
    try:
        page = operator_figures(installation)
    except CommandError:
        return float("inf")
    (age,) = [
        sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == "labeltask_operator_watch_age_seconds" and sample.labels["kind"] == "LabelTask"
    ]
    return float(age)


def test_connections_that_hang_without_being_closed_are_given_up_and_tasks_are_served_meanwhile(
    tasks: GatedTasks,
) -> None:
    installation = tasks.installation
    before = restarts(installation)
    with hanging_connections(installation) as swallowed:
        since = time.monotonic()
        tasks.create("told-by-no-watch")
        tasks.assert_whole("told-by-no-watch", seconds=180)
        print(f"served {time.monotonic() - since:.0f} s after the connections began to hang")
        # The connections hang on: who hears of anything now has made new ones.
        wait_until(
            lambda: watch_age(installation) - (time.monotonic() - since),
            lambda older: older < 0,
            seconds=400,
            what="a watch to tell something",
        )
        print(f"watched again after {time.monotonic() - since:.0f} s, restarted: {restarts(installation) != before}")
        assert swallowed() > 0
        tasks.create("told-by-a-new-watch")
        tasks.assert_whole("told-by-a-new-watch", seconds=120)


def test_a_network_that_swallows_everything_for_minutes_restarts_no_operator(tasks: GatedTasks) -> None:
    installation = tasks.installation
    tasks.close()
    task_id = tasks.start("through-silence")["through-silence"]
    before = restarts(installation)
    with swallowed_packets(installation):
        tasks.open()
        tasks.wait_finished_row(task_id)
        tasks.create("created-in-silence")
        # The length of the silence is the fault: longer than every probe and time-out together.
        threading.Event().wait(OUTAGE_SECONDS)
    since = time.monotonic()
    tasks.assert_whole("created-in-silence", seconds=180)
    print(f"served {time.monotonic() - since:.0f} s after the network was back")
    assert tasks.assert_whole("through-silence")["attempts"] == 1
    assert restarts(installation) == before


@pytest.mark.parametrize("killed", [False, True], ids=["running", "starting-meanwhile"])
def test_an_api_server_that_is_away_restarts_no_operator(tasks: GatedTasks, *, killed: bool) -> None:
    installation = tasks.installation
    tasks.close()
    task, later = f"through-outage-{killed}".lower(), f"after-outage-{killed}".lower()
    tasks.start(task)
    name, count = restarts(installation)
    node, process = container_process(name, installation.namespace, "operator")
    with without_control_plane_program("kube-apiserver"):
        if killed:
            run_on_node(engine(), node, "kill", "-9", str(process))
        # The length of the outage is the fault: longer than every probe and time-out together.
        threading.Event().wait(OUTAGE_SECONDS)
    wait_cluster()
    since = time.monotonic()
    tasks.create(later)
    tasks.open()
    tasks.wait_stat(later, "SUCCESS", seconds=120)
    print(f"served {time.monotonic() - since:.0f} s after the API server was back")
    assert restarts(installation) == (name, count + killed)
    assert tasks.assert_whole(task)["attempts"] == 1
