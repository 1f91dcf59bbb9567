"""The operator killed between a Job's creation and the status that tells of it."""

from functools import partial

from labeltask_testing.cluster_commands import kubectl_json
from labeltask_testing.gated_tasks import GatedTasks
from labeltask_testing.installation import wait_until
from labeltask_testing.operator_process import kill_operator
from labeltask_testing.running_tasks import pods
from labeltask_testing.withheld_rights import without_right


def kill_before_status(tasks: GatedTasks, *names: str) -> dict[str, str]:
    """Create a task a kill, and kill the operator when the Job is there and the status does not know of it.

    The API server refuses the status meanwhile, so the moment is never missed. Return the uids of the Jobs by task.
    """
    made: dict[str, str] = {}
    for name in names:
        with without_right(tasks.installation, "patch", "labeltasks/status"):
            tasks.create(name)
            find = partial(job_uids, tasks, name)
            made[name] = wait_until(find, lambda uids: len(uids) == 1, seconds=60, what=f"the Job of {name}")[0]
            assert "status" not in tasks.installation.label_task(name)
            kill_operator(tasks.installation)
    return made


def assert_one_job_each(tasks: GatedTasks, jobs: dict[str, str]) -> None:
    """Each task ends whole, by the one pod of the Job that was there at the kill."""
    for name, uid in jobs.items():
        status = tasks.assert_whole(name)
        assert job_uids(tasks, name) == [uid]
        assert (status["attempts"], len(pods(tasks.installation, status["taskId"]))) == (1, 1)


def job_uids(tasks: GatedTasks, name: str) -> list[str]:
    """Uids of the Jobs that a task owns."""
    found = kubectl_json("get", "jobs", "--namespace", tasks.installation.namespace)["items"]
    return [
        job["metadata"]["uid"]
        for job in found
        if name in [owner["name"] for owner in job["metadata"].get("ownerReferences", [])]
    ]
