"""What the gateway asks of Kubernetes: the narrow seam before ``kubernetes_cluster.py`` and the tests' fake.

Objects are plain dicts as the API server sends them.
"""

from dataclasses import dataclass
from typing import Protocol

from labeltask_contract.names import ResourceKind
from labeltask_gateway.manifests import Manifest
from labeltask_gateway.recent import Wanted


@dataclass(frozen=True)
class Identity:
    """Whom the API server takes a token for."""

    username: str
    uid: str = ""
    groups: tuple[str, ...] = ()


class Cluster(Protocol):
    """What the gateway asks of Kubernetes.

    Each call may raise ``ClusterUnavailable`` or ``ClusterRefused``; create also ``InvalidTask``.
    """

    def create(self, kind: ResourceKind, manifest: Manifest) -> str:
        """Create a custom resource and return its uid.

        :raises AlreadyThere: when there is one of this name.
        """

    def create_secret(self, manifest: Manifest) -> None:
        """Create it.

        :raises AlreadyThere: when there is one of this name.
        """

    def delete(self, kind: ResourceKind, name: str) -> None:
        """Have no custom resource of this name; that there was none is no error."""

    def find(self, kind: ResourceKind, name: str) -> Manifest | None:
        """Return the custom resource of this name, or None."""

    def find_label_task(self, task_id: str) -> Manifest | None:
        """Return the LabelTask whose task id this is, or None."""

    def recent_label_tasks(self, wanted: Wanted) -> list[Manifest]:
        """Return the wanted LabelTasks, youngest first."""

    def patch_spec(self, kind: ResourceKind, name: str, changes: Manifest) -> bool:
        """Set fields of ``spec``; return False when the custom resource is gone."""

    def read_secret_key(self, name: str, key: str) -> bytes:
        """Return what a Secret holds under ``key``.

        :raises SecretMissing: when there is no such Secret, or no such key in it.
        """

    def review_token(self, token: str, audiences: tuple[str, ...]) -> Identity | None:
        """Return whose token it is; None when the API server does not know it for these audiences."""

    def review_access(self, identity: Identity, verb: str, plural: str) -> bool:
        """Tell whether somebody may do ``verb`` to these custom resources in the namespace."""

    def check_reachable(self) -> None:
        """Return when the API server lists LabelTasks, within the readiness timeout."""
