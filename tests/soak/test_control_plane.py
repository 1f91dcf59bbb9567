"""The API server, etcd and the controllers fail while tasks run: workers go on, the operator catches up by itself."""

import json
import time

from labeltask_testing.cluster_commands import apply, kubectl
from labeltask_testing.gated_tasks import gated_tasks
from labeltask_testing.installation import Body, Installation, wait_until
from labeltask_testing.node_faults import (
    compact_etcd,
    kill_control_plane_program,
    wait_cluster,
)
from labeltask_testing.requests import gender_resource
from labeltask_testing.running_tasks import (
    assert_whole,
    job_uid,
    pods,
    start,
    wait_rows,
)
from labeltask_testing.source_rows import Post


def begin(installation: Installation, secret: str, *names: str) -> dict[str, str]:
    """Start slow tasks; return their Jobs' uids by task id."""
    tasks = [start(installation, secret, name) for name in names]
    return {task_id: job_uid(installation, task_id) for task_id in tasks}


def assert_undisturbed(installation: Installation, jobs: dict[str, str], posts: list[Post]) -> None:
    """Each task ends with the rows of an undisturbed run, made by the one pod of its one Job."""
    for task_id, uid in jobs.items():
        assert_whole(installation, task_id, posts, seconds=300)
        assert job_uid(installation, task_id) == uid
        assert len(pods(installation, task_id)) == 1


def assert_new_task_starts(installation: Installation, secret: str, name: str, seconds: float) -> str:
    """A task that is created now starts in time; return its id."""
    since = time.monotonic()
    apply(gender_resource(installation, name, secret))
    status: Body = wait_until(
        lambda: installation.label_task(name).get("status", {}),
        lambda seen: seen.get("stat") in ("STARTED", "SUCCESS"),
        seconds=seconds,
        what=f"{name} to start",
    )
    print(f"{name}: STARTED after {time.monotonic() - since:.1f} s")
    return str(status["taskId"])


def test_an_api_server_killed_three_times_costs_twenty_running_tasks_nothing_and_a_new_one_starts(
    installation: Installation, connection_secret: str, posts: list[Post]
) -> None:
    tasks = gated_tasks(installation, connection_secret, "api_server_killed")
    # Enough for the twenty to run on, however long the API server takes to come back.
    tasks.close(seconds=20)
    small = {"requests": {"cpu": "10m", "memory": "64Mi"}}
    ids = tasks.start(*(f"api-{number}" for number in range(20)), resources=small)
    jobs = {name: job_uid(installation, task_id) for name, task_id in ids.items()}
    for _ in range(3):
        kill_control_plane_program("kube-apiserver")
        wait_cluster()
    new = assert_new_task_starts(installation, connection_secret, "api-new", seconds=90)
    assert {tasks.row(task_id)["stat"] for task_id in ids.values()} == {"STARTED"}
    tasks.open()
    for name, task_id in ids.items():
        assert tasks.assert_whole(name, seconds=300)["attempts"] == 1
        assert (job_uid(installation, task_id), len(pods(installation, task_id))) == (jobs[name], 1)
    assert_whole(installation, new, posts)


def test_watches_go_on_when_the_versions_they_know_are_compacted_away(
    installation: Installation, connection_secret: str, posts: list[Post]
) -> None:
    jobs = begin(installation, connection_secret, "compacted")
    known = installation.label_task("compacted")["metadata"]["resourceVersion"]
    wait_rows(installation, "compacted", more_than=500)
    compact_etcd()
    kill_control_plane_program("kube-apiserver")
    wait_cluster()
    path = f"/apis/labelapi.io/v1/namespaces/{installation.namespace}/labeltasks"
    (event,) = kubectl("get", "--raw", f"{path}?watch=1&timeoutSeconds=5&resourceVersion={known}").splitlines()
    assert json.loads(event)["object"]["code"] == 410
    new = assert_new_task_starts(installation, connection_secret, "compacted-new", seconds=90)
    assert_undisturbed(installation, jobs, posts)
    assert_whole(installation, new, posts)


def test_an_etcd_that_is_killed_costs_running_tasks_nothing(
    installation: Installation, connection_secret: str, posts: list[Post]
) -> None:
    jobs = begin(installation, connection_secret, "etcd")
    kill_control_plane_program("etcd")
    wait_cluster()
    new = assert_new_task_starts(installation, connection_secret, "etcd-new", seconds=90)
    assert_undisturbed(installation, jobs, posts)
    assert_whole(installation, new, posts)
