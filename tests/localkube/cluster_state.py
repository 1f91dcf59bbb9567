"""Look at the cluster: does its API server answer, how many nodes has it, are they Ready?

The API server is the judge, never the engine's list of containers: when all processes of a cluster were ended behind
the engine's back, that list still says that everything runs.
"""

import json
from dataclasses import dataclass
from typing import Any

from localkube.commands import read, succeeds
from localkube.engine import Engine
from localkube.reporting import ComponentError
from localkube.toolset import command_environment, kubeconfig_path


@dataclass(frozen=True)
class ClusterState:
    """What the API server said; no nodes when it said nothing."""

    ready_nodes: tuple[str, ...] = ()
    other_nodes: tuple[str, ...] = ()

    @property
    def is_ready(self) -> bool:
        """True when there are nodes and all are Ready."""
        return bool(self.ready_nodes) and not self.other_nodes

    @property
    def node_count(self) -> int:
        """Nodes of any state."""
        return len(self.ready_nodes) + len(self.other_nodes)


def observe_cluster(engine: Engine) -> ClusterState:
    """Ask the cluster's API server; every failure to answer in time counts as no cluster."""
    environment = command_environment(engine)
    if not kubeconfig_path().exists():
        return ClusterState()
    if not succeeds(["kubectl", "get", "--raw", "/readyz", "--request-timeout=5s"], environment=environment):
        return ClusterState()
    try:
        listing = read(
            "kubectl get nodes",
            ["kubectl", "get", "nodes", "--request-timeout=10s", "--output=json"],
            environment=environment,
        )
    except ComponentError:
        return ClusterState()
    return parse_nodes(json.loads(listing))


def parse_nodes(node_list: dict[str, Any]) -> ClusterState:
    """Sort the nodes of a NodeList by their condition Ready."""
    ready: list[str] = []
    other: list[str] = []
    for node in node_list["items"]:
        conditions = {entry["type"]: entry["status"] for entry in node["status"].get("conditions", [])}
        (ready if conditions.get("Ready") == "True" else other).append(node["metadata"]["name"])
    return ClusterState(tuple(sorted(ready)), tuple(sorted(other)))
