"""What can happen to a node: its programs killed and started again, what it remembers dropped."""

import json
from typing import Any

from labeltask_testing.cluster_commands import CommandError, engine, kubectl
from labeltask_testing.installation import wait_until
from localkube.cluster import CONTROL_PLANE_NODE, run_on_node

_ETCD_KEYS = "/etc/kubernetes/pki/etcd"


def on_node(*command: str) -> str:
    """Run a command on the control plane node."""
    return run_on_node(engine(), CONTROL_PLANE_NODE, *command)


def kill_control_plane_program(name: str) -> None:
    """Send SIGKILL to kube-apiserver or etcd; the kubelet starts it again.

    Afterwards a new process of it runs, which need not answer yet.
    """
    (container,) = containers(name)
    process_id = int(json.loads(on_node("crictl", "inspect", container))["info"]["pid"])
    on_node("kill", "-9", str(process_id))
    wait_until(
        lambda: containers(name),
        lambda seen: len(seen) == 1 and seen != [container],
        seconds=180,
        what=f"{name} to be started again",
    )


def compact_etcd() -> None:
    """Drop all versions of all objects but the present ones; a watch that goes on from an older one gets 410 Gone."""
    now = _call_etcd("range", {"key": "AA=="})["header"]["revision"]
    _call_etcd("compaction", {"revision": now, "physical": True})


def wait_cluster() -> None:
    """Wait until the API server says that it is ready and the node is too."""

    ready = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"

    def answer() -> str:
        try:
            return kubectl("get", "--raw", "/readyz") + kubectl("get", "node", CONTROL_PLANE_NODE, "--output", ready)
        except CommandError as error:
            return str(error)

    wait_until(answer, lambda seen: seen == "okTrue", seconds=240, what="the API server to be ready")


def containers(name: str) -> list[str]:
    """Ids of the running containers of that name."""
    return on_node("crictl", "ps", "--quiet", "--name", f"^{name}$").split()


def _call_etcd(method: str, body: dict[str, Any]) -> Any:
    account = f"{_ETCD_KEYS}/healthcheck-client"
    keys = ("--cacert", f"{_ETCD_KEYS}/ca.crt", "--cert", f"{account}.crt", "--key", f"{account}.key")
    url = f"https://127.0.0.1:2379/v3/kv/{method}"
    return json.loads(on_node("curl", "--silent", "--show-error", "--fail", *keys, "--data", json.dumps(body), url))
