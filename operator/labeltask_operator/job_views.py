"""What the operator remembers of Jobs and pods: thin, typed views over Kubernetes' own JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from labeltask_contract.names import DATABASE_ANNOTATION, WORKER_CONTAINER
from labeltask_operator.moments import parse_moment
from labeltask_operator.views import View, slim_metadata


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
