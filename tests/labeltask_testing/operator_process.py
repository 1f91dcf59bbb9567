"""The operator's own process on the cluster: stopped, started, doubled, killed."""

from labeltask_testing.cluster_commands import kill_container_process, kubectl, kubectl_json, wait_rollout
from labeltask_testing.installation import Body, Installation, wait_until

DEPLOYMENT = "deployment/labeltask-operator"
SELECTOR = "app.kubernetes.io/component=operator"


def operator_pods(installation: Installation) -> list[Body]:
    """All pods of the operator that are there, ending ones too."""
    chosen = ("--namespace", installation.namespace, "--selector", SELECTOR)
    found: list[Body] = kubectl_json("get", "pods", *chosen)["items"]
    return found


def operator_figures(installation: Installation) -> str:
    """The page of metrics of the one operator.

    :raises CommandError: while it does not answer.
    """
    (pod,) = operator_pods(installation)
    path = f"/api/v1/namespaces/{installation.namespace}/pods/{pod['metadata']['name']}:8082/proxy/metrics"
    return kubectl("get", "--raw", path)


def stop_operator(installation: Installation) -> None:
    """Afterwards no process of the operator runs."""
    scale_operator(installation, 0)
    wait_until(
        lambda: [pod["metadata"]["name"] for pod in operator_pods(installation)],
        lambda names: not names,
        seconds=90,
        what="the operator to be gone",
    )


def scale_operator(installation: Installation, count: int) -> None:
    """Have so many operators, all of them up."""
    kubectl("scale", DEPLOYMENT, f"--replicas={count}", "--namespace", installation.namespace)
    if count:
        wait_rollout(installation.namespace, DEPLOYMENT)


def kill_operator(installation: Installation) -> None:
    """Send SIGKILL to the operator's process; a new pod takes over at once, without the kubelet's back-off.

    Afterwards the new one is up.
    """
    (pod,) = operator_pods(installation)
    name = pod["metadata"]["name"]
    kill_container_process(name, installation.namespace, "operator")
    kubectl("delete", "pod", name, "--namespace", installation.namespace, "--grace-period=0", "--force")
    wait_rollout(installation.namespace, DEPLOYMENT)
