"""The kind configuration for one node and for three."""

import json

import pytest

from localkube.kind_config import CLUSTER_NAME, cluster_number, own_port, render_kind_config
from localkube.reporting import ComponentError

CONTROL_PLANE = {
    "role": "control-plane",
    "image": "node:1",
    "extraPortMappings": [
        {"containerPort": 30080, "hostPort": own_port(18080), "listenAddress": "127.0.0.1"},
        {"containerPort": 30081, "hostPort": own_port(18081), "listenAddress": "127.0.0.1"},
        {"containerPort": 30306, "hostPort": own_port(13306), "listenAddress": "127.0.0.1"},
        {"containerPort": 30307, "hostPort": own_port(13307), "listenAddress": "127.0.0.1"},
    ],
}
WORKER = {"role": "worker", "image": "node:1"}


@pytest.mark.parametrize(("count", "workers"), [(1, []), (3, [WORKER, WORKER])])
def test_the_first_node_is_the_control_plane_and_has_the_ports(count: int, workers: list[dict[str, str]]) -> None:
    assert json.loads(render_kind_config(count, "node:1")) == {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "name": CLUSTER_NAME,
        "nodes": [CONTROL_PLANE, *workers],
    }


def test_no_node_is_no_cluster() -> None:
    with pytest.raises(ValueError, match="at least one node"):
        render_kind_config(0, "node:1")


@pytest.mark.parametrize(("setting", "number"), [("1", 1), ("2", 2), ("99", 99)])
def test_labeltask_cluster_says_which_of_the_clusters_is_meant(setting: str, number: int) -> None:
    assert cluster_number(setting) == number


@pytest.mark.parametrize("setting", ["", "0", "100", "-1", "two", "2.0", "²"])
def test_a_cluster_that_is_no_number_is_refused_by_name(setting: str) -> None:
    with pytest.raises(ComponentError, match="LABELTASK_CLUSTER"):
        cluster_number(setting)
