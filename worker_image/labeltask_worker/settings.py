"""The pod's identity and files, from the environment, read once."""

import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_TERMINATION_LOG = Path("/dev/termination-log")


@dataclass(frozen=True)
class Settings:
    """What the Job tells a worker besides its task."""

    pod_uid: str = field(default_factory=lambda: str(uuid.uuid4()))
    """Who holds a claim. Unset: a random one, so that a process started again is somebody else."""
    index: int = 0
    """Completion index of the pod; index 0 cuts the range and runs phase 2."""
    termination_log: Path | None = None
    """Where the outcome is left for the kubelet; None: nowhere."""


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read ``POD_UID``, ``JOB_COMPLETION_INDEX`` and ``LABELTASK_TERMINATION_LOG``."""
    log = environment.get("LABELTASK_TERMINATION_LOG")
    # Never made by us: outside a pod /dev is no place for a file.
    default = DEFAULT_TERMINATION_LOG if DEFAULT_TERMINATION_LOG.exists() else None
    return Settings(
        pod_uid=environment.get("POD_UID") or str(uuid.uuid4()),
        index=int(environment.get("JOB_COMPLETION_INDEX") or 0),
        termination_log=Path(log) if log else default,
    )
