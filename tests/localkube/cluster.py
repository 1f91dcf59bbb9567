"""Start, reuse, replace and delete the project's cluster, and run commands on its nodes.

`up` may be called at any time by anyone: it ends with a cluster that answers, or with the name of what does not.
"""

from pathlib import Path

from localkube.cluster_state import ClusterState, observe_cluster
from localkube.commands import read, run
from localkube.engine import Engine
from localkube.go_modules import KUBERNETES
from localkube.go_programs import ensure_host_programs
from localkube.host_packages import ensure_host_packages
from localkube.kind_config import CLUSTER_NAME, render_kind_config
from localkube.node_image import ensure_own_node_image, own_node_image_name
from localkube.reporting import ComponentError, say, step
from localkube.toolset import cluster_directory, command_environment, kubeconfig_path

# By tag alone: the digest of a public image can't be known without asking its registry, and this was written without.
PUBLIC_NODE_IMAGE = f"kindest/node:{KUBERNETES.version}"
CONTROL_PLANE_NODE = f"{CLUSTER_NAME}-control-plane"


def ensure_tools(engine: Engine) -> None:
    """Afterwards kind, kubectl, helm and, without Docker, podman can be called."""
    if engine.builds_its_own_images:
        ensure_host_packages()
    ensure_host_programs()


def ensure_cluster(engine: Engine, node_count: int | None = None) -> None:
    """Afterwards a cluster is Ready: the running one if it fits, else a new one (of one node, unless said otherwise).

    A running cluster fits when all its nodes are Ready, their number is the wished one (any, for None), and it was made
    from today's configuration and node image.
    """
    state = observe_cluster(engine)
    wished = node_count or state.node_count or 1
    if state.is_ready and state.node_count == wished and _is_current(engine, wished):
        say(f"  ✓ cluster {CLUSTER_NAME} answers already: {wished} node(s) Ready")
        return
    image = ensure_own_node_image(engine) if engine.builds_its_own_images else PUBLIC_NODE_IMAGE
    if _exists(engine):
        say(f"  … the existing cluster is of no use: {_why_not(state, wished)}")
        delete_cluster(engine)
    _create(engine, render_kind_config(wished, image))


def delete_cluster(engine: Engine) -> None:
    """Afterwards the project's cluster is gone; clusters of other names are left alone."""
    with step(f"delete cluster {CLUSTER_NAME}", expected="1-15 s"):
        run(
            "kind delete cluster",
            ["kind", "delete", "cluster", "--name", CLUSTER_NAME],
            environment=command_environment(engine),
            timeout_seconds=300,
        )
    kubeconfig_path().unlink(missing_ok=True)
    _config_path().unlink(missing_ok=True)


def node_names(engine: Engine) -> list[str]:
    """Return the containers that are the cluster's nodes."""
    listing = read(
        "kind get nodes", ["kind", "get", "nodes", "--name", CLUSTER_NAME], environment=command_environment(engine)
    )
    return listing.split()


def run_on_node(engine: Engine, node: str, *command: str) -> str:
    """Run a command inside a node, as root there, and return what it printed."""
    return read(f"node {node}", [engine.command, "exec", node, *command], environment=engine.environment)


def _create(engine: Engine, config: str) -> None:
    # kind mounts this folder into each node, and a machine without loadable modules has none.
    if engine.builds_its_own_images:
        Path("/lib/modules").mkdir(exist_ok=True)
    environment = command_environment(engine)
    fresh_config = _config_path().with_suffix(".new")
    fresh_config.parent.mkdir(parents=True, exist_ok=True)
    fresh_config.write_text(config)
    try:
        with step("create the nodes with kind", expected="20-40 s"):
            # --retain keeps a node that failed, so that its kubelet can still be asked; the next `up` replaces it.
            run(
                "kind create cluster",
                ["kind", "create", "cluster", "--config", fresh_config, "--wait", "180s", "--retain"],
                environment=environment,
                timeout_seconds=600,
            )
        with step("wait until all nodes and the cluster's DNS are ready", expected="10 s"):
            _wait_for(environment, "nodes", "wait", "--for=condition=Ready", "nodes", "--all", "--timeout=120s")
            for workload in ("daemonset/kube-proxy", "deployment/coredns"):
                _wait_for(environment, workload, "-n", "kube-system", "rollout", "status", workload, "--timeout=120s")
    except ComponentError as error:
        for line in _kubelet_log(engine):
            error.add_note(line)
        raise
    fresh_config.replace(_config_path())


def _wait_for(environment: dict[str, str], component: str, *arguments: str) -> None:
    run(component.replace("/", " "), ["kubectl", *arguments], environment=environment, timeout_seconds=180)


def _kubelet_log(engine: Engine) -> list[str]:
    """Return the end of the kubelet's log on the control plane node; nothing where no such node runs."""
    try:
        log = run_on_node(
            engine, CONTROL_PLANE_NODE, "journalctl", "-u", "kubelet", "--no-pager", "-n", "15", "-o", "cat"
        )
    except ComponentError:
        return []
    return ["  the end of the kubelet's log:", *(f"    {line}" for line in log.splitlines())]


def _exists(engine: Engine) -> bool:
    clusters = read("kind get clusters", ["kind", "get", "clusters"], environment=command_environment(engine))
    return CLUSTER_NAME in clusters.split()


def _is_current(engine: Engine, node_count: int) -> bool:
    image = own_node_image_name() if engine.builds_its_own_images else PUBLIC_NODE_IMAGE
    return _config_path().exists() and _config_path().read_text() == render_kind_config(node_count, image)


def _why_not(state: ClusterState, wished: int) -> str:
    if not state.node_count:
        return "its API server does not answer"
    if state.other_nodes:
        return f"not Ready: {', '.join(state.other_nodes)}"
    if state.node_count != wished:
        return f"it has {state.node_count} node(s), asked for are {wished}"
    return "it was made from an older configuration or node image"


def _config_path() -> Path:
    """Return the configuration that the running cluster was made from; absent while it is half made."""
    return cluster_directory() / "kind.json"
