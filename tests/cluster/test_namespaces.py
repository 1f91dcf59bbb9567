"""One release serves two namespaces and has no right in a third: tasks run where they are, the third is left alone.

The tests follow one another.
"""

import json
import re
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
    run,
)
from labeltask_testing.database_rows import assert_as_expected
from labeltask_testing.installation import Body, Installation, wait_until
from labeltask_testing.operator_process import operator_figures
from labeltask_testing.requests import expected_rows, gender_request, gender_resource
from labeltask_testing.running_tasks import operator_pod, pods, start
from labeltask_testing.source_rows import Post

RELEASE = "labeltask"
HOME, ONE, OTHER, STRANGER = (f"labeltask-{name}" for name in ("home", "team-a", "team-b", "stranger"))
SECRET = "team-connection"
PLACEMENT: dict[str, Any] = {
    "podLabels": {"example.com/team": "data"},
    "podAnnotations": {"example.com/cost-centre": "4711"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}],
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
}


@pytest.fixture(scope="module")
def teams(installation: Installation) -> Iterator[dict[str, Installation]]:
    """The installation as each namespace sees it: the same database."""
    database = installation.database
    connection = {"connection.json": json.dumps(database.site_config)}
    for name in (HOME, ONE, OTHER, STRANGER):
        ensure_namespace(name)
        metadata = {"name": SECRET, "namespace": name}
        apply({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": connection})
    values = {
        "watchNamespaces": [ONE, OTHER],
        "gateway": {"namespace": ONE},
        "image": image_split(installation.images.control),
        "worker": {"image": image_split(installation.images.worker), **PLACEMENT},
        "connections": {"team": {"existingSecret": SECRET}},
        "test": {"site": "team", "inputSchema": database.source_schema, "outputSchema": database.output_schema},
    }
    helm_install(RELEASE, HOME, values)
    yield {name: replace(installation, namespace=name) for name in (HOME, ONE, OTHER, STRANGER)}
    kubectl(
        "delete",
        "namespace",
        HOME,
        ONE,
        OTHER,
        STRANGER,
        "--ignore-not-found",
        "--timeout",
        "180s",
        timeout_seconds=200,
    )


def ended(team: Installation, name: str) -> Body:
    """The status of a task, once it has ended."""
    found: Body = wait_until(
        lambda: team.label_task(name).get("status", {}),
        lambda status: "completionTime" in status,
        seconds=120,
        what=f"{name} in {team.namespace} to end",
    )
    return found


def test_tasks_of_one_name_run_in_their_namespaces_and_a_third_is_left_alone(
    teams: dict[str, Installation], posts: list[Post]
) -> None:
    for name in (STRANGER, ONE, OTHER):
        apply(gender_resource(teams[name], "same", SECRET))
    for name in (ONE, OTHER):
        team = teams[name]
        status = ended(team, "same")
        assert (status["stat"], status["prodStat"]) == ("SUCCESS", "finish")
        job = kubectl_json("get", "job", status["jobName"], "--namespace", name)
        assert job["spec"]["template"]["spec"]["serviceAccountName"] == f"{RELEASE}-worker"
        with team.database.as_root() as db:
            expected = expected_rows(posts, status["taskId"], gender_request(team))
            assert_as_expected(db, team.database.output_schema, status["taskId"], expected)
    # Created before the others, which have ended meanwhile.
    assert "status" not in teams[STRANGER].label_task("same")
    for kind in ("jobs", "configmaps", "events"):
        found = kubectl_json("get", kind, "--namespace", STRANGER)["items"]
        assert [item for item in found if item["metadata"]["name"] != "kube-root-ca.crt"] == []


def test_workers_are_marked_and_placed_as_the_release_says(teams: dict[str, Installation]) -> None:
    task_id = teams[ONE].label_task("same")["status"]["taskId"]
    (pod,) = pods(teams[ONE], task_id)
    assert pod["metadata"]["labels"].items() >= PLACEMENT["podLabels"].items()
    assert pod["metadata"]["annotations"].items() >= PLACEMENT["podAnnotations"].items()
    assert pod["spec"]["nodeSelector"] == PLACEMENT["nodeSelector"]
    assert all(toleration in pod["spec"]["tolerations"] for toleration in PLACEMENT["tolerations"])
    (spread,) = pod["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()


def test_the_gateway_creates_tasks_in_its_namespace(teams: dict[str, Installation]) -> None:
    printed = run("helm", "test", RELEASE, "--namespace", teams[HOME].namespace, "--timeout", "3m", timeout_seconds=200)
    assert "Phase:          Succeeded" in printed


def can(account: str, namespace: str) -> set[str]:
    """What an account may do in a namespace."""
    printed = kubectl("auth", "can-i", "--list", "--no-headers", "--namespace", namespace, f"--as={account}")
    return {re.sub(r"\s+", " ", line) for line in printed.splitlines()}


@pytest.mark.parametrize("account", ["operator", "gateway", "worker"])
def test_no_account_has_a_right_in_its_own_namespace_in_a_third_or_in_the_cluster(
    account: str, teams: dict[str, Installation]
) -> None:
    subject = f"system:serviceaccount:{teams[HOME].namespace}:{RELEASE}-{account}"
    nobody = f"system:serviceaccount:{HOME}:nobody"
    assert {name: can(subject, name) - can(nobody, name) for name in (HOME, STRANGER)} == {HOME: set(), STRANGER: set()}
    bindings = kubectl_json("get", "clusterrolebindings")["items"]
    bound = [subject for binding in bindings for subject in binding.get("subjects") or []]
    assert [found for found in bound if found.get("namespace") in (HOME, ONE, OTHER)] == []


def test_a_namespace_that_is_deleted_with_a_running_task_holds_up_no_other(teams: dict[str, Installation]) -> None:
    start(teams[OTHER], SECRET, "doomed")
    kubectl("delete", "namespace", OTHER, "--timeout", "120s", timeout_seconds=150)
    apply(gender_resource(teams[ONE], "later", SECRET))
    assert ended(teams[ONE], "later")["stat"] == "SUCCESS"
    pod = operator_pod(teams[HOME])
    assert [status["restartCount"] for status in pod["status"]["containerStatuses"]] == [0]
    figures = operator_figures(teams[HOME])
    served = re.findall(r'^labeltask_operator_objects\{.*served_namespace="(.+?)"', figures, re.M)
    assert set(served) == {ONE}
