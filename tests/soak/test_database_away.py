"""A database that stays silent for longer than a worker waits: the task fails and names it, and not before."""

import time

from labeltask_testing.cluster_commands import kill_container_process, kubectl_json
from labeltask_testing.failed_tasks import assert_failed
from labeltask_testing.gated_tasks import gated_tasks
from labeltask_testing.installation import Installation

PATIENCE_SECONDS = 120
"""RETRY_SECONDS of the worker's database module, after the first silence was noticed."""


def test_a_database_that_does_not_come_back_in_time_is_a_connection_lost(
    installation: Installation, connection_secret: str
) -> None:
    tasks = gated_tasks(installation, connection_secret, "database_away")
    tasks.start("database-away", backoffLimit=0)
    chosen = ("--namespace", installation.namespace, "--selector", "app.kubernetes.io/name=database")
    (server,) = kubectl_json("get", "pods", *chosen)["items"]
    name, since = server["metadata"]["name"], time.monotonic()
    kill_container_process(name, installation.namespace, "database", "STOP")
    try:
        status = tasks.wait_stat("database-away", "FAILURE", seconds=420)
    finally:
        kill_container_process(name, installation.namespace, "database", "CONT")
    assert time.monotonic() - since > PATIENCE_SECONDS
    assert status["reason"] == "ConnectionLost"
    address = f"{installation.database.host_in_cluster}:3306"
    assert_failed(installation, "database-away", "ConnectionLost", address, "tried again for", schema=tasks.schema)
