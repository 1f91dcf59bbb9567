"""What is told of a Job kept from starting, and until when."""

from typing import Any

import pytest

from labeltask_contract.reasons import Reason
from labeltask_operator.job_guards import Held, held_from_start
from labeltask_operator.job_outcome import Fault
from labeltask_operator.job_views import JobView, PodView
from labeltask_operator.views import TaskView
from labeltask_testing.builders import NOW, ago, make_job, make_labeltask, make_pod, waiting_pod
from labeltask_testing.operator_fakes import make_settings

TOLD = Held(Fault(Reason.UNSCHEDULABLE, "told before", hard=False), for_good=False, recheck_seconds=10)
LEAVING = make_pod({}, phase="Pending")
LEAVING["metadata"]["deletionTimestamp"] = ago(1)


def held(reason: str, since: float, pods: list[Any], active: int = 1) -> Held | None:
    stalled = {
        "type": "Stalled",
        "status": "True",
        "reason": reason,
        "message": "told before",
        "lastTransitionTime": ago(since),
    }
    task = TaskView.of(make_labeltask().with_status(conditions=[stalled]).manifest)
    job = JobView.of(make_job(created_ago=60).with_status(active=active).manifest)
    return held_from_start(task, job, [PodView.of(pod) for pod in pods], (), NOW, make_settings())


NOTHING_NEW: dict[str, list[Any]] = {
    "a pod that is being removed, as at a deadline": [LEAVING],
    "no pod any more, though the Job does not say yet that it failed": [],
}


@pytest.mark.parametrize("pods", NOTHING_NEW.values(), ids=NOTHING_NEW.keys())
@pytest.mark.parametrize("active", [0, 1])
def test_a_fault_stays_told_until_a_pod_says_otherwise(pods: list[Any], active: int) -> None:
    assert held("Unschedulable", 30, pods, active) == TOLD


OVER: dict[str, tuple[str, float, list[Any]]] = {
    "a pod that runs": ("Unschedulable", 30, [make_pod()]),
    "a pod that starts": ("Unschedulable", 30, [waiting_pod("ContainerCreating")]),
    "a fault from before the Job": ("QuotaExceeded", 100, []),
    "a heartbeat that came late": ("HeartbeatLate", 30, []),
}


@pytest.mark.parametrize(("reason", "since", "pods"), OVER.values(), ids=OVER.keys())
def test_a_fault_is_over_with(reason: str, since: float, pods: list[Any]) -> None:
    assert held(reason, since, pods) is None
