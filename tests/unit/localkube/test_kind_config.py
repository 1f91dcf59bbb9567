"""The kind configuration for one node and for three."""

import json

import pytest

from localkube.kind_config import render_kind_config

CONTROL_PLANE = {
    "role": "control-plane",
    "image": "node:1",
    "extraPortMappings": [
        {"containerPort": 30080, "hostPort": 18080, "listenAddress": "127.0.0.1"},
        {"containerPort": 30081, "hostPort": 18081, "listenAddress": "127.0.0.1"},
        {"containerPort": 30306, "hostPort": 13306, "listenAddress": "127.0.0.1"},
        {"containerPort": 30307, "hostPort": 13307, "listenAddress": "127.0.0.1"},
    ],
}
WORKER = {"role": "worker", "image": "node:1"}


@pytest.mark.parametrize(("count", "workers"), [(1, []), (3, [WORKER, WORKER])])
def test_the_first_node_is_the_control_plane_and_has_the_ports(count: int, workers: list[dict[str, str]]) -> None:
    assert json.loads(render_kind_config(count, "node:1")) == {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "name": "labeltask",
        "nodes": [CONTROL_PLANE, *workers],
    }


def test_no_node_is_no_cluster() -> None:
    with pytest.raises(ValueError, match="at least one node"):
        render_kind_config(0, "node:1")
