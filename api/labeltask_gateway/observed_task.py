"""One LabelTask as the API server returns it, read as far as answers need it."""

from dataclasses import dataclass
from typing import Any

from labeltask_contract.names import task_id_of
from labeltask_contract.spec import Account, CamelModel, InputTable, OutputSchema
from labeltask_contract.stat import Stat, is_final
from labeltask_contract.status import LabelTaskStatus
from labeltask_contract.stored_objects import mapping_of, read_fields, read_whole
from labeltask_gateway.manifests import creator_of


class SeenSpec(CamelModel):
    """What answers tell of a spec. Words, not closed sets: a newer CRD may know more of them than this gateway."""

    model_type: str
    predict_type: str
    start_time: str
    end_time: str
    input: InputTable
    output: OutputSchema
    connection_from: Account = None


@dataclass(frozen=True)
class ObservedTask:
    """A task and what is known of it. ``created`` is RFC 3339 in UTC; conditions are left out of ``status``."""

    task_id: str
    name: str
    created: str
    spec: SeenSpec | None
    """Without the rules; None where it is malformed."""
    abort: bool
    """``spec.abort``, readable even where the rest of the spec is not; ``suspend`` likewise."""
    suspend: bool
    status: LabelTaskStatus
    created_by: str
    """The caller who had it created; empty for nobody known."""

    @property
    def stat(self) -> Stat:
        """PENDING until the operator has seen the task."""
        return self.status.stat or Stat.PENDING

    @property
    def is_final(self) -> bool:
        """Whether nothing changes any more."""
        return is_final(self.status.stat, self.status.prod_stat)


def read_label_task(manifest: dict[str, Any]) -> ObservedTask:
    """Read a LabelTask; what a newer version added is passed over, so that versions may differ for a while."""
    metadata = manifest["metadata"]
    spec = mapping_of(manifest.get("spec"))
    status = {key: value for key, value in mapping_of(manifest.get("status")).items() if key != "conditions"}
    return ObservedTask(
        task_id=task_id_of(metadata["name"], metadata["uid"]),
        name=metadata["name"],
        created=metadata["creationTimestamp"],
        spec=read_whole(SeenSpec, spec),  # what is wrong with it stands in its status
        abort=spec.get("abort") is True,
        suspend=spec.get("suspend") is True,
        status=read_fields(LabelTaskStatus, status),
        created_by=creator_of(manifest),
    )
