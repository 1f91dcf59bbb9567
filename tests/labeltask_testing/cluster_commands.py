"""kubectl and helm against the project's own cluster, for demo and cluster tests."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from localkube.cluster import run_on_node
from localkube.engine import Engine, current_engine
from localkube.toolset import command_environment

Manifest = dict[str, Any]
ROOT = Path(__file__).parents[2]


class CommandError(Exception):
    """kubectl or helm said no; the message holds the command and what it printed."""


@cache
def engine() -> Engine:
    """The container engine that runs the nodes."""
    return current_engine()


def command_env() -> dict[str, str]:
    """The environment in which kubectl and helm find the cluster."""
    return {**os.environ, **command_environment(engine())}


def run(*arguments: str, stdin: str | None = None, timeout_seconds: float = 120) -> str:
    """Run one program and return what it printed.

    :raises CommandError: when it ends with another status than 0.
    """
    done = subprocess.run(
        arguments,
        input=stdin,
        capture_output=True,
        text=True,
        env=command_env(),
        timeout=timeout_seconds,
        check=False,
    )
    if done.returncode:
        raise CommandError(f"{' '.join(arguments)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def kubectl(*arguments: str, stdin: str | None = None, timeout_seconds: float = 120) -> str:
    """Run kubectl."""
    return run("kubectl", *arguments, stdin=stdin, timeout_seconds=timeout_seconds)


def kubectl_json(*arguments: str) -> Any:
    """Run kubectl with ``--output json`` and return what it printed as a value."""
    return json.loads(kubectl(*arguments, "--output", "json"))


def apply(*manifests: Manifest) -> str:
    """Create the objects or bring them to the given state."""
    return kubectl(
        "apply", "--filename", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
    )


def ensure_namespace(name: str) -> None:
    """Make a namespace that enforces Pod Security ``restricted``."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted", "app.kubernetes.io/part-of": "labeltask"}
    apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})


def helm_install(release: str, namespace: str, values: Mapping[str, Any], settings: Sequence[str] = ()) -> None:
    """Install or upgrade the project's chart and wait until everything in it is ready.

    :raises CommandError: with the state of the pods and the end of their logs.
    """
    # One cluster holds several releases here, and only one may own the CRDs: none does.
    kubectl("apply", "--server-side", "--force-conflicts", "--filename", str(ROOT / "manifests" / "crd.yaml"))
    if release in run("helm", "list", "--namespace", namespace, "--pending", "--short").split():
        # Left by an installation that was cut off; helm would refuse to go on.
        run("helm", "uninstall", release, "--namespace", namespace)
    chart = ("helm", "upgrade", "--install", release, str(ROOT / "charts" / "labeltask"), "--namespace", namespace)
    more = [argument for setting in ("crds.install=false", *settings) for argument in ("--set-json", setting)]
    waiting = ("--wait", "--timeout", "3m")
    try:
        run(*chart, "--values", "-", *more, *waiting, stdin=json.dumps(values), timeout_seconds=240)
    except CommandError as error:
        raise CommandError(f"{error}\n{_state_of_pods(release, namespace)}") from None


def _state_of_pods(release: str, namespace: str) -> str:
    selector = ("--namespace", namespace, "--selector", f"app.kubernetes.io/instance={release}")
    logs = kubectl("logs", *selector, "--all-containers", "--prefix", "--tail", "15", "--ignore-errors")
    return kubectl("get", "pods", *selector, "--output", "wide") + logs


def container_process(pod: str, namespace: str, container: str) -> tuple[str, int]:
    """Return node and process id, as the node counts, of the main process of a container.

    :raises CommandError: when it runs none any more.
    """
    found = kubectl_json("get", "pod", pod, "--namespace", namespace)
    (status,) = [s for s in found["status"]["containerStatuses"] if s["name"] == container]
    container_id = status["containerID"].removeprefix("containerd://")
    node = found["spec"]["nodeName"]
    process_id = int(json.loads(run_on_node(engine(), node, "crictl", "inspect", container_id))["info"]["pid"])
    if process_id <= 0:
        raise CommandError(f"container {container} of pod {pod} runs no process any more")
    return node, process_id


def kill_container_process(pod: str, namespace: str, container: str, signal: str = "KILL") -> None:
    """Send a signal to the main process of a container, on its node, behind Kubernetes' back."""
    node, process_id = container_process(pod, namespace, container)
    run_on_node(engine(), node, "kill", f"-{signal}", str(process_id))


def image_split(reference: str) -> dict[str, str]:
    """Split ``repository:tag`` for the chart's values."""
    repository, _, tag = reference.rpartition(":")
    return {"repository": repository, "tag": tag}


def wait_rollout(namespace: str, workload: str) -> None:
    """Wait until a Deployment is wholly up."""
    kubectl("rollout", "status", workload, "--namespace", namespace, "--timeout", "180s", timeout_seconds=200)
