"""The operator killed at the worst moment, refused by the API server, there twice: one Job a task, each row once."""

import json
from collections.abc import Iterator

import pytest

from labeltask_testing.cluster_commands import kubectl, kubectl_json
from labeltask_testing.gated_tasks import GatedTasks, gated_tasks
from labeltask_testing.installation import Installation, wait_until
from labeltask_testing.operator_kills import assert_one_job_each, job_uids, kill_before_status
from labeltask_testing.operator_process import DEPLOYMENT, SELECTOR, operator_pods, scale_operator
from labeltask_testing.withheld_rights import without_right


@pytest.fixture
def tasks(installation: Installation, connection_secret: str, request: pytest.FixtureRequest) -> GatedTasks:
    return gated_tasks(installation, connection_secret, request.node.name[:60])


def test_killed_before_the_status_it_adopts_the_job(tasks: GatedTasks) -> None:
    jobs = kill_before_status(tasks, "killed-1", "killed-2", "killed-3")
    tasks.open()
    assert_one_job_each(tasks, jobs)


def test_refused_by_the_api_server_it_tries_again_and_writes_nothing_but_its_own_fields(tasks: GatedTasks) -> None:
    installation = tasks.installation
    tasks.open()
    with without_right(installation, "create", "configmaps"):
        tasks.create("refused")
        wait_until(
            lambda: kubectl("logs", DEPLOYMENT, "--namespace", installation.namespace),
            lambda log: "looking at a task failed, trying again" in log and '"refused"' in log,
            seconds=60,
            what="the operator to be refused",
        )
        assert job_uids(tasks, "refused") == []
    tasks.assert_whole("refused")
    found = installation.label_task("refused")
    schema = kubectl_json("get", "crd", "labeltasks.labelapi.io")["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert set(found["status"]) <= set(schema["properties"]["status"]["properties"])
    assert (found["metadata"].get("finalizers"), found["metadata"].get("annotations", {}).keys()) == (
        None,
        {"kubectl.kubernetes.io/last-applied-configuration"},
    )
    assert "inconsistenc" not in kubectl("logs", DEPLOYMENT, "--namespace", installation.namespace)


@pytest.fixture
def rolling(installation: Installation) -> Iterator[None]:
    """A Deployment that starts the new operator before the old one ends, as ours does not."""

    def set_strategy(strategy: object) -> None:
        patch = json.dumps([{"op": "replace", "path": "/spec/strategy", "value": strategy}])
        kubectl("patch", DEPLOYMENT, "--namespace", installation.namespace, "--type", "json", "--patch", patch)

    set_strategy({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}})
    yield
    scale_operator(installation, 1)
    set_strategy({"type": "Recreate"})


@pytest.mark.usefixtures("rolling")
def test_two_at_once_and_a_rolling_update_make_one_job_a_task_and_hang_nowhere(tasks: GatedTasks) -> None:
    installation = tasks.installation
    tasks.start("before-two")
    scale_operator(installation, 2)
    names = ["among-two-1", "among-two-2", "among-two-3"]
    tasks.create(*names)
    tasks.create("aborted-by-two")
    kubectl("rollout", "restart", DEPLOYMENT, "--namespace", installation.namespace)
    tasks.create("during-update")
    kubectl("rollout", "status", DEPLOYMENT, "--namespace", installation.namespace, "--timeout", "180s")
    both = [pod for pod in operator_pods(installation) if "deletionTimestamp" not in pod["metadata"]]
    assert len(both) == 2
    tasks.start("after-update")
    abort = json.dumps({"spec": {"abort": True}})
    kubectl(
        *("patch", "labeltask", "aborted-by-two", "--namespace", installation.namespace),
        *("--type", "merge", "--patch", abort),
    )
    tasks.open()
    assert tasks.wait_stat("aborted-by-two", "BREAK")["reason"] == "Aborted"
    for name in ("before-two", *names, "during-update", "after-update"):
        assert tasks.assert_whole(name)["attempts"] == 1
        assert len(job_uids(tasks, name)) == 1
    log = kubectl("logs", "--selector", SELECTOR, "--namespace", installation.namespace, "--tail=-1")
    refused = [line for line in log.splitlines() if "looking at a task failed" in line and "did not answer" not in line]
    assert refused == []
    for pod in operator_pods(installation):
        assert [status["restartCount"] for status in pod["status"]["containerStatuses"]] == [0]
