"""One LabelTask as the API server returns it, read into the contract's models."""

from dataclasses import dataclass
from typing import Any

from labeltask_contract.names import task_id_of
from labeltask_contract.spec import LabelTaskSpec
from labeltask_contract.stat import Stat, is_final
from labeltask_contract.status import LabelTaskStatus


@dataclass(frozen=True)
class ObservedTask:
    """A task and what is known of it. ``created`` is RFC 3339 in UTC; the rules are left out of ``spec``."""

    task_id: str
    name: str
    created: str
    spec: LabelTaskSpec
    status: LabelTaskStatus

    @property
    def stat(self) -> Stat:
        """PENDING until the operator has seen the task."""
        return self.status.stat or Stat.PENDING

    @property
    def is_final(self) -> bool:
        """Whether nothing changes any more."""
        return is_final(self.status.stat, self.status.prod_stat)


def read_label_task(manifest: dict[str, Any]) -> ObservedTask:
    """Read a LabelTask; fields that a newer operator added are passed over, so that versions may differ for a while."""
    metadata = manifest["metadata"]
    spec = {key: value for key, value in manifest["spec"].items() if key != "pattern"}
    return ObservedTask(
        task_id=task_id_of(metadata["name"], metadata["uid"]),
        name=metadata["name"],
        created=metadata["creationTimestamp"],
        spec=LabelTaskSpec.model_validate(spec, extra="ignore"),
        status=LabelTaskStatus.model_validate(manifest.get("status") or {}, extra="ignore"),
    )
