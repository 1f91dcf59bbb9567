"""Kueue's side of a Job: its Workload, which says whether and why the Job waits, and by which a Job is paused.

Kueue suspends and resumes the Jobs that carry its label; whoever else did it would be overruled. A Job is paused by
making its Workload inactive: https://kueue.sigs.k8s.io/docs/concepts/workload/#active.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from labeltask_operator.views import View

QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
"""On a Job: the LocalQueue of its namespace that admits it."""
JOB_UID_LABEL = "kueue.x-k8s.io/job-uid"
"""On a Workload: the Job that it stands for."""
WORKLOADS = "apis/kueue.x-k8s.io/v1beta2"


@dataclass(frozen=True)
class WorkloadView(View):
    """One Workload."""

    @property
    def active(self) -> bool:
        """Whether Kueue may admit it."""
        return self.body["spec"].get("active") is not False

    @property
    def why_waiting(self) -> str:
        """Kueue's own words on what it waits for; empty while it has said nothing."""
        for condition in self.body.get("status", {}).get("conditions") or []:
            if condition.get("type") == "QuotaReserved" and condition.get("status") == "False":
                return str(condition.get("message", ""))
        return ""


def pick_workload(bodies: Iterable[Mapping[str, Any]]) -> WorkloadView | None:
    """Return the newest of a Job's Workloads: Kueue replaces one that no longer fits the Job."""
    views = [WorkloadView(dict(body)) for body in bodies]
    return max(views, key=lambda view: (view.created, view.name), default=None)
