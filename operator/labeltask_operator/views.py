"""What the operator remembers of the API server's objects: thin, typed views over their JSON.

Input: manifests as events and lists bring them. Output: frozen views without what only costs memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from labeltask_contract.names import DATABASE_ANNOTATION, WORKER_CONTAINER, task_id_of
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
            spec, status = Packed(spec), Packed(status)
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


@dataclass(frozen=True)
class JobView(View):
    """One Job."""

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "JobView":
        """Take over what is needed from a Job's manifest."""
        metadata = slim_metadata(body)
        if database := (body["metadata"].get("annotations") or {}).get(DATABASE_ANNOTATION):
            metadata["annotations"] = {DATABASE_ANNOTATION: database}
        return cls({"metadata": metadata, "spec": body.get("spec") or {}, "status": body.get("status") or {}})

    @property
    def owner_uid(self) -> str | None:
        """Uid of the controlling owner."""
        owners = self.body["metadata"].get("ownerReferences") or []
        return next((str(owner["uid"]) for owner in owners if owner.get("controller")), None)

    @property
    def database(self) -> str:
        """``host:port`` of the database that the workers use; empty where the Job does not tell."""
        return str(self.body["metadata"].get("annotations", {}).get(DATABASE_ANNOTATION, ""))

    @property
    def parallelism(self) -> int:
        """How many workers the Job runs."""
        return int(self.body["spec"].get("parallelism", 1))

    @property
    def suspended(self) -> bool:
        """Whether the Job shall run no pod."""
        return self.body["spec"].get("suspend") is True

    @property
    def started(self) -> datetime:
        """When the Job was created or last resumed."""
        return parse_moment(self.body["status"].get("startTime")) or self.created

    def condition(self, kind: str) -> Mapping[str, Any] | None:
        """Return the condition of type ``kind`` where it is True."""
        for condition in self.body["status"].get("conditions") or []:
            if condition.get("type") == kind and condition.get("status") == "True":
                found: Mapping[str, Any] = condition
                return found
        return None

    @property
    def finished(self) -> bool:
        """Whether the Job is complete or failed for good."""
        return self.condition("Complete") is not None or self.condition("Failed") is not None

    @property
    def finished_at(self) -> datetime | None:
        """When it became so."""
        condition = self.condition("Complete") or self.condition("Failed") or {}
        return parse_moment(condition.get("lastTransitionTime"))

    @property
    def pods_counted(self) -> int:
        """Pods that the Job controller knows of, running or ended."""
        status = self.body["status"]
        return sum(int(status.get(field) or 0) for field in ("active", "succeeded", "failed"))

    @property
    def _container(self) -> Mapping[str, Any]:
        containers = self.body["spec"].get("template", {}).get("spec", {}).get("containers") or [{}]
        first: Mapping[str, Any] = containers[0]
        return first

    @property
    def image(self) -> str:
        """The worker image."""
        return str(self._container.get("image", "unknown"))

    @property
    def memory_limit(self) -> str | None:
        """Memory limit of each worker pod."""
        found = self._container.get("resources", {}).get("limits", {}).get("memory")
        return None if found is None else str(found)


@dataclass(frozen=True)
class PodView(View):
    """One worker pod."""

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "PodView":
        """Take over what is needed from a pod's manifest."""
        return cls({"metadata": slim_metadata(body), "status": body.get("status") or {}})

    @property
    def phase(self) -> str:
        """Pending, Running, Succeeded, Failed or Unknown."""
        return str(self.body["status"].get("phase", "Pending"))

    @property
    def active(self) -> bool:
        """Whether the pod has not ended yet."""
        return self.phase not in ("Succeeded", "Failed")

    @property
    def status_reason(self) -> str:
        """Why the whole pod ended, e.g. Evicted."""
        return str(self.body["status"].get("reason", ""))

    @property
    def status_message(self) -> str:
        """The same for people."""
        return str(self.body["status"].get("message", ""))

    def condition(self, kind: str) -> Mapping[str, Any]:
        """Return the condition of type ``kind``; an empty one where there is none."""
        found: Mapping[str, Any]
        for found in self.body["status"].get("conditions") or []:
            if found.get("type") == kind:
                return found
        return {}

    @property
    def waiting(self) -> Mapping[str, Any]:
        """Why the worker container waits; empty where it does not."""
        found: Mapping[str, Any] = self._worker.get("state", {}).get("waiting") or {}
        return found

    @property
    def terminated(self) -> Mapping[str, Any]:
        """How the worker container ended; empty where it did not."""
        found: Mapping[str, Any] = self._worker.get("state", {}).get("terminated") or {}
        return found

    @property
    def running(self) -> bool:
        """Whether the worker container runs."""
        return self._worker.get("state", {}).get("running") is not None

    @property
    def container_started(self) -> datetime | None:
        """When the worker container started, if it has."""
        state = self._worker.get("state", {})
        return parse_moment((state.get("running") or state.get("terminated") or {}).get("startedAt"))

    @property
    def _worker(self) -> Mapping[str, Any]:
        found: Mapping[str, Any]
        for found in self.body["status"].get("containerStatuses") or []:
            if found.get("name") == WORKER_CONTAINER:
                return found
        return {}


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
