"""One failure, looked up wherever it must stand: in the same words."""

from datetime import datetime
from typing import Any

from labeltask_testing.cluster_commands import kubectl_json
from labeltask_testing.database_rows import state
from labeltask_testing.installation import Body, Installation, wait_until


def wait_failed(installation: Installation, name: str, reason: str, *words: str, seconds: float = 60) -> Body:
    """Wait for a task's end; CR, condition, Event and REST tell of this reason, in words with these among them.

    Return the status.
    """
    status: Body = wait_until(
        lambda: installation.label_task(name).get("status", {}),
        lambda seen: "completionTime" in seen,
        seconds=seconds,
        what=f"{name} to fail",
    )
    assert (status["stat"], status["reason"]) == ("FAILURE", reason), status
    message = status["errorMessage"]
    assert [word for word in words if word not in message] == [], message
    failed = [c for c in status["conditions"] if c["type"] == "Failed"]
    assert [(c["status"], c["reason"], c["message"]) for c in failed] == [("True", reason, message)]
    told = [event["message"] for event in events_of(installation, name) if event["reason"] == reason]
    assert message[:1_000] in told
    answer = installation.status(status["taskId"])
    assert (answer["stat"], answer["error_message"]) == ("FAILURE", message)
    return status


def assert_failed(
    installation: Installation, name: str, reason: str, *words: str, schema: str | None = None, seconds: float = 60
) -> None:
    """The same, and the state table says so too."""
    status = wait_failed(installation, name, reason, *words, seconds=seconds)

    def stored() -> dict[str, Any]:
        with installation.database.as_root() as db:
            return state(db, schema or installation.database.output_schema, status["taskId"])

    row = wait_until(stored, lambda seen: seen["stat"] == "FAILURE", seconds=30, what="FAILURE in the state table")
    assert row["error_message"] == status["errorMessage"]


def events_of(installation: Installation, name: str) -> list[Body]:
    """The Events on a LabelTask."""
    about = f"involvedObject.kind=LabelTask,involvedObject.name={name}"
    found: list[Body] = kubectl_json("get", "events", "--namespace", installation.namespace, "--field-selector", about)[
        "items"
    ]
    return found


def stalled_at(installation: Installation, name: str, reason: str) -> datetime:
    """When an Event first told that the task stalls for ``reason``."""
    (event,) = [
        event
        for event in events_of(installation, name)
        if event["reason"] == reason and event["message"].startswith("stalled: ")
    ]
    return datetime.fromisoformat(event["firstTimestamp"])


def running_pod(installation: Installation, name: str) -> str:
    """Wait until the one worker of a task runs; return its pod's name."""

    def found() -> list[str]:
        task_id = installation.label_task(name).get("status", {}).get("taskId", "none-yet")
        chosen = ("--selector", f"labelapi.io/task-id={task_id}", "--field-selector", "status.phase=Running")
        pods = kubectl_json("get", "pods", "--namespace", installation.namespace, *chosen)["items"]
        return [pod["metadata"]["name"] for pod in pods]

    return wait_until(found, lambda names: len(names) == 1, seconds=90, what=f"the worker of {name} to run")[0]
