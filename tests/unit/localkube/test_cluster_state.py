"""What counts as a cluster that is ready."""

from typing import Any

from localkube.cluster_state import ClusterState, parse_nodes


def node(name: str, *conditions: tuple[str, str]) -> dict[str, Any]:
    """Return a Node as the API server lists it."""
    return {
        "metadata": {"name": name},
        "status": {"conditions": [{"type": kind, "status": status} for kind, status in conditions]},
    }


def test_nodes_are_sorted_by_their_condition_ready() -> None:
    nodes = [
        node("c", ("Ready", "True"), ("DiskPressure", "False")),
        node("b", ("Ready", "Unknown")),
        node("a", ("Ready", "True")),
        {"metadata": {"name": "d"}, "status": {}},
    ]
    state = parse_nodes({"items": nodes})
    assert state == ClusterState(ready_nodes=("a", "c"), other_nodes=("b", "d"))
    assert state.node_count == 4
    assert not state.is_ready


def test_a_cluster_without_nodes_is_not_ready() -> None:
    assert not ClusterState().is_ready
    assert ClusterState(ready_nodes=("a",)).is_ready
