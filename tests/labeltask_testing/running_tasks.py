"""Tasks that are disturbed while they run: started slowly, watched, and compared with an undisturbed run at the end."""

import json
from collections.abc import Set
from typing import Any

from labeltask_testing.cluster_commands import apply, kubectl, kubectl_json
from labeltask_testing.database_rows import assert_as_expected, state
from labeltask_testing.holds import SMALL_BATCH
from labeltask_testing.installation import Body, Installation, wait_until
from labeltask_testing.requests import expected_rows, gender_request, gender_resource
from labeltask_testing.source_rows import Post

# Some 1,300 commits that take 13 s at least, long enough to be disturbed at any point.
SLOW = {"batchRows": SMALL_BATCH}


def start(installation: Installation, connection_secret: str, name: str, **changes: Any) -> str:
    """Create a slow task and wait until it has committed rows; return its id."""
    apply(gender_resource(installation, name, connection_secret, **{**SLOW, **changes}))
    wait_rows(installation, name, more_than=0)
    task_id: str = installation.label_task(name)["status"]["taskId"]
    return task_id


def wait_rows(installation: Installation, name: str, more_than: int) -> int:
    """Wait until a task has read more rows than that, and return how many."""

    def rows_read() -> int:
        status = installation.label_task(name).get("status", {})
        assert status.get("stat") in (None, "PENDING", "STARTED"), status
        return int(status.get("progress", {}).get("rowsRead", 0))

    return wait_until(rows_read, lambda rows: rows > more_than, seconds=90, what=f"{name} to read > {more_than} rows")


def pods(installation: Installation, task_id: str) -> list[Body]:
    """The task's pods."""
    found: list[Body] = kubectl_json(
        "get", "pods", "--namespace", installation.namespace, "--selector", f"labelapi.io/task-id={task_id}"
    )["items"]
    return found


def running_pods(installation: Installation, task_id: str) -> set[str]:
    """Names of the task's pods that run."""
    return {p["metadata"]["name"] for p in pods(installation, task_id) if p["status"]["phase"] == "Running"}


def wait_running_pod(installation: Installation, task_id: str, but: Set[str] = frozenset()) -> str:
    """Wait until one pod of the task runs beside those of ``but``, and return its name."""
    return wait_until(
        lambda: running_pods(installation, task_id) - but,
        lambda names: len(names) == 1,
        seconds=90,
        what="one running pod",
    ).pop()


def job_uid(installation: Installation, task_id: str) -> str:
    """Uid of the task's Job."""
    job = kubectl_json("get", "job", f"lt-{task_id}", "--namespace", installation.namespace)
    return str(job["metadata"]["uid"])


def operator_pod(installation: Installation) -> Body:
    """The operator's one pod."""
    selector = "app.kubernetes.io/component=operator"
    (found,) = kubectl_json("get", "pods", "--namespace", installation.namespace, "--selector", selector)["items"]
    pod: Body = found
    return pod


def stored_state(installation: Installation, task_id: str) -> dict[str, Any]:
    """The task's row of the state table."""
    with installation.database.as_root() as db:
        return state(db, installation.database.output_schema, task_id)


def change(installation: Installation, name: str, **spec: Any) -> None:
    """Change fields of a task's spec."""
    patch = json.dumps({"spec": spec})
    kubectl("patch", "labeltask", name, "--namespace", installation.namespace, "--type", "merge", "--patch", patch)


def assert_whole(installation: Installation, task_id: str, posts: list[Post], seconds: float = 180) -> None:
    """The task ends in SUCCESS with exactly the rows of an undisturbed run."""
    status = installation.wait_final(task_id, seconds=seconds)
    assert (status["stat"], status["error_message"]) == ("SUCCESS", None)
    with installation.database.as_root() as db:
        expected = expected_rows(posts, task_id, gender_request(installation))
        assert_as_expected(db, installation.database.output_schema, task_id, expected)
