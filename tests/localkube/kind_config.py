"""The kind configuration: how many nodes, of which image, and which of their ports this machine can reach.

Written as JSON, which kind reads as the YAML that it also is. `LABELTASK_CLUSTER=2` (or 3, …) means a second cluster
beside the first, with ports of its own: what is tried on one can't disturb the other.
"""

import json
import os
from dataclasses import dataclass
from typing import Any

from localkube.reporting import ComponentError


def cluster_number(setting: str) -> int:
    """Return which of the machine's clusters a value of LABELTASK_CLUSTER means.

    Raises ComponentError for anything but 1 to 99: the ports of a hundredth would meet those that Linux hands out.
    """
    if not (setting.isascii() and setting.isdigit() and 1 <= int(setting) <= 99):
        raise ComponentError("cluster", f"LABELTASK_CLUSTER is {setting!r}; it has to be a number from 1 to 99")
    return int(setting)


_NUMBER = cluster_number(os.environ.get("LABELTASK_CLUSTER", "1"))
CLUSTER_NAME = "labeltask" if _NUMBER == 1 else f"labeltask-{_NUMBER}"


@dataclass(frozen=True)
class PortMapping:
    """A NodePort of the cluster, reachable at a port of 127.0.0.1."""

    node_port: int
    host_port: int


def own_port(port: int) -> int:
    """Return this cluster's own port for the first cluster's."""
    return port + 100 * (_NUMBER - 1)


DEMO_GATEWAY = PortMapping(node_port=30080, host_port=own_port(18080))
TEST_GATEWAY = PortMapping(node_port=30081, host_port=own_port(18081))
DEMO_DATABASE = PortMapping(node_port=30306, host_port=own_port(13306))
TEST_DATABASE = PortMapping(node_port=30307, host_port=own_port(13307))
PORT_MAPPINGS = (DEMO_GATEWAY, TEST_GATEWAY, DEMO_DATABASE, TEST_DATABASE)


def render_kind_config(node_count: int, image: str) -> str:
    """Return the configuration of one control plane node and node_count - 1 workers."""
    if node_count < 1:
        raise ValueError(f"a cluster needs at least one node, not {node_count}")
    control_plane: dict[str, Any] = {
        "role": "control-plane",
        "image": image,
        # A NodePort answers on every node, so the ports of one node are enough.
        "extraPortMappings": [
            {"containerPort": mapping.node_port, "hostPort": mapping.host_port, "listenAddress": "127.0.0.1"}
            for mapping in PORT_MAPPINGS
        ],
    }
    workers = [{"role": "worker", "image": image} for _ in range(node_count - 1)]
    config = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "name": CLUSTER_NAME,
        "nodes": [control_plane, *workers],
    }
    return json.dumps(config, indent=2) + "\n"
