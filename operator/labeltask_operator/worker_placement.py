"""Where worker pods may run and what marks them, as the deployment says it; no task and no caller has a word in it.

Input: settings. Output: parts of a pod template. What Kubernetes alone can judge (affinity, tolerations, spread) is
passed on as it stands.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator
from pydantic.alias_generators import to_camel

from labeltask_contract.names import (
    COMPONENT_LABEL,
    GROUP,
    MANAGED_BY_LABEL,
    MANAGER,
    PART_OF_LABEL,
    WORKER_COMPONENT,
)

_OWN_LABELS = (COMPONENT_LABEL, PART_OF_LABEL, MANAGED_BY_LABEL)


class WorkerPlacement(BaseModel):
    """Fields as in a pod's spec, labels and annotations as in its metadata."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)

    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    node_selector: dict[str, str] = {}
    tolerations: tuple[dict[str, Any], ...] = ()
    affinity: dict[str, Any] = {}
    priority_class_name: str = ""
    topology_spread_constraints: tuple[dict[str, Any], ...] = ()
    """Without a labelSelector of its own one counts the workers of all tasks of the namespace."""

    @field_validator("labels")
    @classmethod
    def _leaves_the_operators_labels(cls, labels: dict[str, str]) -> dict[str, str]:
        taken = sorted(name for name in labels if name in _OWN_LABELS or name.startswith(f"{GROUP}/"))
        if taken:
            raise ValueError(
                f"the operator sets {', '.join(taken)} itself and finds its pods by it; choose another name"
            )
        return labels

    def metadata(self, own_labels: Mapping[str, str]) -> dict[str, Any]:
        """Return the metadata of a pod that has ``own_labels`` besides."""
        metadata: dict[str, Any] = {"labels": {**self.labels, **own_labels}}
        return metadata | ({"annotations": self.annotations} if self.annotations else {})

    def spec_fields(self) -> dict[str, Any]:
        """Return the fields of a pod's spec that say where it runs."""
        fields = {
            "nodeSelector": self.node_selector,
            "tolerations": list(self.tolerations),
            "affinity": self.affinity,
            "priorityClassName": self.priority_class_name,
            "topologySpreadConstraints": [_ALL_WORKERS | constraint for constraint in self.topology_spread_constraints],
        }
        return {name: value for name, value in fields.items() if value}


_ALL_WORKERS: dict[str, Any] = {
    "labelSelector": {"matchLabels": {COMPONENT_LABEL: WORKER_COMPONENT, MANAGED_BY_LABEL: MANAGER}}
}
