"""The database killed under a running task: the same pod waits for it and goes on."""

import subprocess

from labeltask_testing.cluster_commands import command_env, kill_container_process, kubectl_json
from labeltask_testing.gated_tasks import gated_tasks
from labeltask_testing.installation import Body, Installation, wait_until
from labeltask_testing.running_tasks import pods, wait_rows, wait_running_pod


def server(installation: Installation) -> Body:
    """The database's pod."""
    chosen = ("--namespace", installation.namespace, "--selector", "app.kubernetes.io/name=database")
    (pod,) = kubectl_json("get", "pods", *chosen)["items"]
    found: Body = pod
    return found


def test_a_database_killed_and_started_again_costs_a_running_task_neither_pod_nor_row(
    installation: Installation, connection_secret: str
) -> None:
    tasks = gated_tasks(installation, connection_secret, "database_killed")
    task_id = tasks.start("database-killed", backoffLimit=0)["database-killed"]
    before = wait_running_pod(installation, task_id)
    place = ("--namespace", installation.namespace)
    each = 'jsonpath={.status.stat}{"\\n"}'
    with subprocess.Popen(
        ("kubectl", "get", "labeltask", "database-killed", *place, "--watch", "--output", each),
        env=command_env(),
        stdout=subprocess.PIPE,
        text=True,
    ) as told:
        try:
            kill_container_process(server(installation)["metadata"]["name"], installation.namespace, "database")
            wait_until(
                lambda: server(installation)["status"]["containerStatuses"][0],
                lambda status: status["restartCount"] > 0 and status["ready"],
                seconds=90,
                what="the database to be started again",
            )
            wait_rows(installation, "database-killed", more_than=int(tasks.row(task_id)["length_receive_table"]))
            tasks.open()
            assert tasks.assert_whole("database-killed")["attempts"] == 1
        finally:
            told.terminate()
        assert told.stdout is not None
        assert set(told.stdout.read().split()) == {"STARTED", "SUCCESS"}
    (pod,) = pods(installation, task_id)
    (worker,) = pod["status"]["containerStatuses"]
    assert (pod["metadata"]["name"], worker["restartCount"]) == (before, 0)
