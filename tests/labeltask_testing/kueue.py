"""The real Kueue in the test cluster: built from its Go module, installed by the chart that comes with it, removed.

It looks after one namespace alone: nobody else's Job waits for it, not even where a run that was killed left it behind.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager

from labeltask_testing.cluster_commands import apply, engine, kubectl, kubectl_json, run
from localkube.cache import exclusive_lock, scratch_directory
from localkube.go_modules import KUEUE
from localkube.go_programs import ensure_programs, module_source
from localkube.image_archive import StaticImage, write_archive
from localkube.images import load_archives
from localkube.machine import image_architecture

RELEASE, NAMESPACE = "kueue", "kueue-system"
REPOSITORY, TAG = "localhost/kueue", f"{KUEUE.version}-{KUEUE.key}"
LABEL = "app.kubernetes.io/name=kueue"
CLUSTER_QUEUE = "labeltask"
API = "kueue.x-k8s.io/v1beta2"
CALLED_BY_OTHERS = "mutatingwebhookconfigurations,validatingwebhookconfigurations,apiservices"
CLUSTER_WIDE = f"{CALLED_BY_OTHERS},crds,clusterroles,clusterrolebindings"


@contextmanager
def kueue_for(namespace: str) -> Iterator[None]:
    """Have Kueue look after the Jobs of a namespace, which has to be gone again before the end."""
    _load_image()
    remove_kueue()
    try:
        _install(namespace)
        yield
    finally:
        remove_kueue()


def make_queue(namespace: str, name: str, cpu: str) -> None:
    """Have a LocalQueue that admits Jobs as long as their pods request no more CPU together."""
    resources = [{"name": "cpu", "nominalQuota": cpu}, {"name": "memory", "nominalQuota": "4Gi"}]
    flavor = {"name": "default", "resources": resources}
    group = {"coveredResources": ["cpu", "memory"], "flavors": [flavor]}
    queue = {"namespaceSelector": {}, "resourceGroups": [group]}
    apply(
        {"apiVersion": API, "kind": "ResourceFlavor", "metadata": {"name": "default"}},
        {"apiVersion": API, "kind": "ClusterQueue", "metadata": {"name": CLUSTER_QUEUE}, "spec": queue},
        {
            "apiVersion": API,
            "kind": "LocalQueue",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"clusterQueue": CLUSTER_QUEUE},
        },
    )


def stop_queue(policy: str) -> None:
    """Have the ClusterQueue admit again (None), or take back what it has admitted (HoldAndDrain)."""
    patch = json.dumps({"spec": {"stopPolicy": policy}})
    kubectl("patch", "clusterqueue", CLUSTER_QUEUE, "--type", "merge", "--patch", patch)


def remove_kueue() -> None:
    """Afterwards nothing of Kueue is in the cluster, however it was left."""
    # First what would refuse or hold up others once nothing answers it any more.
    kubectl("delete", CALLED_BY_OTHERS, "--selector", LABEL, "--ignore-not-found")
    run("helm", "uninstall", RELEASE, "--namespace", NAMESPACE, "--ignore-not-found")
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout", "120s", timeout_seconds=150)
    for crd in kubectl_json("get", "crds", "--selector", LABEL)["items"]:
        _let_go(crd["metadata"]["name"])
    kubectl("delete", "crds", "--selector", LABEL, "--ignore-not-found", "--timeout", "60s")
    left = kubectl("get", CLUSTER_WIDE, "--selector", LABEL, "--output", "name")
    assert left == "", left


def _let_go(kind: str) -> None:
    """Take away the finalizers of Kueue, which is gone, from what is left of a kind."""
    for found in kubectl_json("get", kind, "--all-namespaces")["items"]:
        metadata = found["metadata"]
        scope = ("--namespace", metadata["namespace"]) if "namespace" in metadata else ()
        patch = json.dumps({"metadata": {"finalizers": None}})
        kubectl("patch", kind, metadata["name"], *scope, "--type", "merge", "--patch", patch)


def _load_image() -> None:
    with exclusive_lock(), scratch_directory("kueue") as scratch:
        archive = scratch / "kueue.tar"
        program = ensure_programs(KUEUE)["kueue"]
        image = StaticImage(f"{REPOSITORY}:{TAG}", {"manager": program}, ("/manager",))
        write_archive(archive, [image], image_architecture())
        load_archives(engine(), [archive])


def _install(namespace: str) -> None:
    configuration = {
        "apiVersion": "config.kueue.x-k8s.io/v1beta2",
        "kind": "Configuration",
        "health": {"healthProbeBindAddress": ":8081"},
        "metrics": {"bindAddress": ":8443"},
        "webhook": {"port": 9443},
        "managedJobsNamespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "integrations": {"frameworks": ["batch/job"]},
    }
    values = {
        "controllerManager": {
            "manager": {
                "image": {"repository": REPOSITORY, "tag": TAG, "pullPolicy": "Never"},
                "podSecurityContext": {"runAsUser": 65532},
                "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}},
            }
        },
        "managerConfig": {"controllerManagerConfigYaml": json.dumps(configuration)},
    }
    chart = str(module_source(KUEUE) / "charts" / "kueue")
    where = ("--namespace", NAMESPACE, "--create-namespace")
    waiting = ("--wait", "--timeout", "5m")
    run(
        *("helm", "install", RELEASE, chart, *where, *waiting, "--values", "-"),
        stdin=json.dumps(values),
        timeout_seconds=360,
    )
    # Its lists of waiting Jobs. Kubernetes ends no namespace at all while an API service does not tell what it serves.
    kubectl("delete", "apiservices", "--selector", LABEL)
