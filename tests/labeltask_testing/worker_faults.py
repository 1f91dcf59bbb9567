"""What people and nodes do to worker pods: deleted, evicted, drained, frozen behind the kubelet's back."""

import json

from labeltask_testing.cluster_commands import container_process, kubectl
from labeltask_testing.installation import Installation, wait_until
from labeltask_testing.node_faults import on_node
from localkube.cluster import CONTROL_PLANE_NODE


def evict(installation: Installation, pod: str) -> None:
    """Ask the API server to evict a pod, as a drain, a descheduler or an autoscaler does."""
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    path = f"/api/v1/namespaces/{installation.namespace}/pods/{pod}/eviction"
    kubectl("create", "--raw", path, "--filename", "-", stdin=json.dumps(eviction))


def drain_workers(task_id: str) -> None:
    """Drain the node of a task's pods; nothing is scheduled there until :func:`uncordon`."""
    chosen = f"labelapi.io/task-id={task_id}"
    kubectl("drain", CONTROL_PLANE_NODE, "--pod-selector", chosen, "--delete-emptydir-data", "--timeout", "60s")


def cordon() -> None:
    """Have new pods wait."""
    kubectl("cordon", CONTROL_PLANE_NODE)


def uncordon() -> None:
    """Let them start."""
    kubectl("uncordon", CONTROL_PLANE_NODE)


class FrozenWorker:
    """A worker that stands still and that the kubelet can't end: its process is stopped, and containerd's shim too."""

    def __init__(self, installation: Installation, pod: str) -> None:
        self._worker = container_process(pod, installation.namespace, "worker")[1]
        self._shim = int(on_node("ps", "-o", "ppid=", "-p", str(self._worker)))
        on_node("kill", "-STOP", str(self._shim), str(self._worker))

    def thaw(self) -> None:
        """Let the worker go on; nobody can end it yet."""
        on_node("kill", "-CONT", str(self._worker))

    def wait_ended(self) -> None:
        """Wait until it has ended by itself."""
        wait_until(
            lambda: on_node("sh", "-c", f"ps -o stat= -p {self._worker} || true").strip(),
            lambda state: state == "" or state.startswith("Z"),
            seconds=60,
            what="the thawed worker to end",
        )

    def release(self) -> None:
        """Let the kubelet tidy up."""
        on_node("sh", "-c", f"kill -CONT {self._shim} {self._worker} || true")
