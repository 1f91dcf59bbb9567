"""The services of a node taken away and given back: static pods, kubelet, containerd."""

from collections.abc import Iterator
from contextlib import contextmanager

from labeltask_testing.installation import wait_until
from labeltask_testing.node_faults import containers, on_node

_MANIFESTS = "/etc/kubernetes/manifests"


@contextmanager
def without_control_plane_program(name: str) -> Iterator[None]:
    """No process of kube-apiserver, kube-controller-manager or kube-scheduler runs meanwhile."""
    manifest, kept = f"{_MANIFESTS}/{name}.yaml", f"/root/{name}.yaml"
    on_node("mv", manifest, kept)
    try:
        wait_until(lambda: containers(name), lambda seen: not seen, seconds=120, what=f"{name} to be gone")
        yield
    finally:
        on_node("mv", kept, manifest)
        wait_until(lambda: containers(name), lambda seen: len(seen) == 1, seconds=180, what=f"{name} to run again")


def restart_service(name: str) -> None:
    """Restart kubelet or containerd; the containers run on."""
    on_node("systemctl", "restart", name)
