"""Creating a Job, and what a refusal by the API server means. For both kinds."""

from labeltask_contract.reasons import Reason
from labeltask_operator.cluster import ApiFailure, Cluster
from labeltask_operator.job_outcome import Fault
from labeltask_operator.views import Manifest

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
