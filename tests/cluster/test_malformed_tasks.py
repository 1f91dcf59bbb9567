"""Tasks that a loosened definition let in, and statuses that somebody wrote over: each says why, all others go on.

They are judged by an operator that starts among them, under the loose definition and under ours.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from labeltask_testing.cluster_commands import CommandError, apply, kubectl, kubectl_json
from labeltask_testing.failed_tasks import events_of
from labeltask_testing.gated_tasks import GatedTasks, gated_tasks
from labeltask_testing.installation import Body, Installation, wait_until
from labeltask_testing.malformed import GARBAGE_STATUSES, MALFORMED_SPECS, with_spec
from labeltask_testing.operator_process import scale_operator, stop_operator

CRD = "labeltasks.labelapi.io"
ANYTHING = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}


def set_version(version: object) -> None:
    patch = json.dumps([{"op": "replace", "path": "/spec/versions/0", "value": version}])
    kubectl("patch", "crd", CRD, "--type", "json", "--patch", patch)


def loosen(version: Body) -> Body:
    """The same version of the definition, taking anything. Fields can't be selected by then."""
    return {key: value for key, value in version.items() if key != "selectableFields"} | {"schema": ANYTHING}


def wait_schema(installation: Installation, *, loose: bool) -> None:
    """Wait until the API server judges by the new definition: it takes a moment after each change."""
    probe = with_spec({"apiVersion": "labelapi.io/v1", "kind": "LabelTask", "metadata": {"name": "probe"}}, [])

    def taken() -> bool:
        try:
            kubectl(
                *("create", "--dry-run=server", "--validate=false", "--namespace", installation.namespace),
                *("--filename", "-"),
                stdin=json.dumps(probe),
            )
        except CommandError:
            return False
        return True

    wait_until(
        taken, lambda seen: seen is loose, seconds=60, what=f"the definition to be {'loose' if loose else 'ours'}"
    )


def write_status(installation: Installation, name: str, status: Any) -> None:
    patch = json.dumps([{"op": "add", "path": "/status", "value": status}])
    kubectl(
        *("patch", "labeltask", name, "--namespace", installation.namespace, "--subresource=status"),
        *("--type", "json", "--patch", patch),
    )


@dataclass(frozen=True)
class Loosened:
    """The cluster while its definition takes anything."""

    tasks: GatedTasks
    version: Body
    """Of the definition: ours."""

    def put_in(self, mark: str) -> None:
        """Have malformed tasks, and good ones with garbage for status. No operator runs meanwhile."""
        good = self.tasks.resource("any")
        for name, spec in MALFORMED_SPECS.items():
            named = {**good, "metadata": {**good["metadata"], "name": f"{mark}-spec-{name}"}}
            apply(with_spec(named, spec))
        self.tasks.create(*(f"{mark}-status-{name}" for name in GARBAGE_STATUSES))
        for name, status in GARBAGE_STATUSES.items():
            write_status(self.tasks.installation, f"{mark}-status-{name}", status)


@pytest.fixture(scope="module")
def loosened(installation: Installation, connection_secret: str) -> Iterator[Loosened]:
    tasks = gated_tasks(installation, connection_secret, "beside_malformed")
    tasks.start("running-beside")
    version = kubectl_json("get", "crd", CRD)["spec"]["versions"][0]
    set_version(loosen(version))
    try:
        wait_schema(installation, loose=True)
        yield Loosened(tasks, version)
    finally:
        set_version(version)
        scale_operator(installation, 1)


def assert_announced(tasks: GatedTasks, mark: str) -> None:
    """An Event of each malformed task says what is wrong."""
    for name in MALFORMED_SPECS:
        find = partial(events_of, tasks.installation, f"{mark}-spec-{name}")
        events = wait_until(find, bool, seconds=60, what=f"an Event of {mark}-spec-{name}")
        told = [event["message"][:5] for event in events if event["reason"] == "SpecInvalid"]
        assert told[:1] == ["/spec"], events


def assert_failed(tasks: GatedTasks, mark: str) -> None:
    """Each malformed task ends and says what is wrong, in its status and in the list by REST."""
    told: dict[str, tuple[str, str]] = {}
    for name in MALFORMED_SPECS:
        status = tasks.wait_stat(f"{mark}-spec-{name}", "FAILURE")
        assert (status["reason"], status["errorMessage"][:5]) == ("SpecInvalid", "/spec")
        told[status["taskId"]] = ("FAILURE", status["errorMessage"])
    answer = tasks.installation.get("/api/tasks/?limit=100")
    assert answer.status_code == 200, answer.text
    shown = {task["task_id"]: (task["stat"], task["error_message"]) for task in answer.json()["content"]}
    assert {task_id: shown.get(task_id) for task_id in told} == told


def assert_run(tasks: GatedTasks, mark: str) -> None:
    for name in GARBAGE_STATUSES:
        assert tasks.assert_whole(f"{mark}-status-{name}")["attempts"] == 1


def test_an_operator_that_starts_among_malformed_tasks_serves_all_others(loosened: Loosened) -> None:
    tasks = loosened.tasks
    stop_operator(tasks.installation)
    loosened.put_in("loose")
    write_status(tasks.installation, "running-beside", "text")
    scale_operator(tasks.installation, 1)
    assert_announced(tasks, "loose")
    assert_failed(tasks, "loose")
    tasks.open()
    assert tasks.assert_whole("running-beside")["attempts"] == 1
    assert_run(tasks, "loose")


def test_the_same_where_our_own_definition_came_back_meanwhile(loosened: Loosened) -> None:
    tasks = loosened.tasks
    stop_operator(tasks.installation)
    loosened.put_in("strict")
    set_version(loosened.version)
    wait_schema(tasks.installation, loose=False)
    scale_operator(tasks.installation, 1)
    # The API server refuses a status, too, of most that our definition would not let in: the Event is what tells.
    assert_announced(tasks, "strict")
    assert_run(tasks, "strict")
    assert tasks.installation.get("/api/tasks/?limit=100").status_code == 200
    kubectl("delete", "labeltasks", "--all", "--namespace", tasks.installation.namespace, "--timeout", "60s")
