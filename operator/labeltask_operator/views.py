"""What the operator remembers of its own custom resources: thin, typed views over their JSON.

Input: manifests as events and lists bring them. Output: frozen views without what only costs memory. Jobs and pods,
whose shape is Kubernetes' own, are in ``job_views``, LabelDumps in ``dump_view``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from labeltask_contract.names import task_id_of
from labeltask_contract.pattern import problems_of
from labeltask_contract.spec import LabelTaskSpec
from labeltask_contract.stat import Stat
from labeltask_contract.status import LabelTaskStatus
from labeltask_contract.stored_objects import mapping_of, readable_fields
from labeltask_operator.moments import parse_moment
from labeltask_operator.packed import Packed

Manifest = dict[str, Any]


@dataclass(frozen=True)
class View:
    """One object of the API server: what all of them have in common."""

    body: Manifest

    @property
    def name(self) -> str:
        """Name of the object."""
        return str(self.body["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """Namespace of the object."""
        return str(self.body["metadata"]["namespace"])

    @property
    def uid(self) -> str:
        """Uid of the object: another object of the same name has another one."""
        return str(self.body["metadata"]["uid"])

    @property
    def created(self) -> datetime:
        """When the object was created."""
        return parse_moment(self.body["metadata"].get("creationTimestamp")) or datetime.fromtimestamp(0, UTC)

    @property
    def deleting(self) -> bool:
        """Whether somebody deleted the object, and it only waits for what has to go before it."""
        return self.body["metadata"].get("deletionTimestamp") is not None


@dataclass(frozen=True)
class ObjectView(View):
    """A custom resource that becomes one Job: what both kinds have in common."""

    @property
    def generation(self) -> int:
        """Counts changes of the spec."""
        return int(self.body["metadata"].get("generation", 1))

    @property
    def task_id(self) -> str:
        """The id by which its Job and pods are labelled."""
        return task_id_of(self.name, self.uid)

    @property
    def status(self) -> Mapping[str, Any]:
        """The status as last seen; None in place of what nobody could read, which is written anew."""
        status: Mapping[str, Any] = self.body["status"]
        return status

    @property
    def abort(self) -> bool:
        """Whether it shall end, readable even where the rest of the spec is not."""
        return self.body["spec"].get("abort") is True


@dataclass(frozen=True)
class TaskView(ObjectView):
    """One LabelTask. An inline pattern is left out: it may be large and is read once, when the task is accepted."""

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "TaskView":
        """Take over what is needed from a LabelTask's manifest."""
        spec: Mapping[str, Any] = {k: value for k, value in mapping_of(body.get("spec")).items() if k != "pattern"}
        status = readable_fields(LabelTaskStatus, body.get("status"))
        if status.get("completionTime") is not None:
            # Thousands of finished tasks may lie in the cluster, and hardly anything of them is ever read.
            # Stat and reason are: for the metrics, of each task at each scrape.
            spec, status = Packed(spec), Packed(status, at_hand=("stat", "prodStat", "reason"))
        return cls({"metadata": slim_metadata(body), "spec": spec, "status": status})

    @property
    def recorded_stat(self) -> Stat | None:
        """``status.stat``."""
        found = self.status.get("stat")
        return Stat(found) if found in set(Stat) else None

    @property
    def may_expire(self) -> bool:
        """Whether the spec names a time after which the finished task goes."""
        return "ttlSecondsAfterFinished" in self.body["spec"]

    @property
    def queue(self) -> str:
        """The queue, readable even where the rest of the spec is not."""
        return str(self.body["spec"].get("queue", "default"))

    @property
    def suspend(self) -> bool:
        """Whether the task shall pause."""
        return self.body["spec"].get("suspend") is True

    @cached_property
    def spec(self) -> LabelTaskSpec | None:
        """The spec without its inline pattern; None where it is malformed (``spec_problems`` says how)."""
        return self._parsed[0]

    @property
    def spec_problems(self) -> str:
        """What is wrong with a malformed spec."""
        return self._parsed[1]

    @cached_property
    def _parsed(self) -> tuple[LabelTaskSpec | None, str]:
        try:
            return LabelTaskSpec.model_validate(dict(self.body["spec"])), ""
        except ValidationError as error:
            return None, "; ".join(str(problem) for problem in problems_of(error, ("spec",)))


def slim_metadata(body: Mapping[str, Any]) -> Manifest:
    """Return the part of an object's metadata that the operator reads."""
    metadata = body["metadata"]
    kept = (
        "name",
        "namespace",
        "uid",
        "resourceVersion",
        "generation",
        "creationTimestamp",
        "deletionTimestamp",
        "labels",
        "ownerReferences",
    )
    return {key: metadata[key] for key in kept if key in metadata}
