"""Creating a Job, what a refusal by the API server means, and what Events tell of one that does not start.

For both kinds of object.
"""

from collections.abc import Sequence
from datetime import datetime

import structlog

from labeltask_contract.reasons import Reason
from labeltask_operator.cluster import ApiFailure, Cluster
from labeltask_operator.job_outcome import Fault, JobPhase
from labeltask_operator.job_views import JobView, PodView
from labeltask_operator.start_faults import Warned, read_warnings, silent_object
from labeltask_operator.views import Manifest

_log = structlog.get_logger(__name__)
TRY_AGAIN_SECONDS = 10


def create_job(cluster: Cluster, manifest: Manifest) -> Manifest | Fault:
    """Return the Job that now bears the name, whoever owns it; or why there can be none (``hard``: for good).

    :raises ApiFailure: when the API server did not answer.
    """
    try:
        return cluster.ensure_job(manifest)
    except ApiFailure as failure:
        if not failure.refused:
            raise
        if failure.code == 403:
            return Fault(Reason.QUOTA_EXCEEDED, f"the namespace refuses the Job: {failure.message}", hard=False)
        return Fault(Reason.SPEC_INVALID, f"the API server refuses the Job: {failure.message}")


def find_warnings(
    cluster: Cluster,
    job: JobView | None,
    phase: JobPhase,
    pods: Sequence[PodView],
    now: datetime,
    patience_seconds: float,
) -> tuple[Warned, ...]:
    """Return what Events say of an active Job whose pods have not started for ``patience_seconds``."""
    uid = silent_object(job, pods, now, patience_seconds) if job is not None and phase is JobPhase.ACTIVE else None
    if uid is None:
        return ()
    try:
        return read_warnings(cluster.iter_events(uid))
    except ApiFailure as failure:
        if not failure.refused:
            raise
        _log.warning("Events can't be read, so a task that does not start says less", error=failure.message)
        return ()
