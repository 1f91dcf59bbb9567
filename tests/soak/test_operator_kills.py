"""The operator killed twenty times between a Job's creation and its status."""

from labeltask_testing.gated_tasks import gated_tasks
from labeltask_testing.installation import Installation
from labeltask_testing.operator_kills import assert_one_job_each, kill_before_status

KILLS = 20


def test_killed_twenty_times_it_makes_one_job_a_task(installation: Installation, connection_secret: str) -> None:
    tasks = gated_tasks(installation, connection_secret, "killed_twenty_times")
    tasks.open()
    jobs = kill_before_status(tasks, *(f"killed-{number}" for number in range(KILLS)))
    assert_one_job_each(tasks, jobs)
