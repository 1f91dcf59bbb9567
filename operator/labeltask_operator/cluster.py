"""The API server as the operator uses it: a narrow Protocol, and its implementation by the official client.

Input: names and manifests. Output: manifests as plain JSON, None where there is no such object. Every call has a
timeout; everything that creates is "create, or already there", everything that deletes is "delete, or already gone".
"""

import base64
import json
from collections.abc import Iterator, Sequence
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import urllib3
from kubernetes import client, config

from labeltask_contract.errors import LabelTaskError
from labeltask_contract.names import API_VERSION, LABEL_TASK, ResourceKind
from labeltask_operator.kueue import JOB_UID_LABEL, WORKLOADS
from labeltask_operator.views import Manifest

_PAGE = 200


class ApiFailure(LabelTaskError):
    """The API server refused a call (``code`` is its HTTP status) or did not answer (``code`` is None)."""

    def __init__(self, code: int | None, message: str) -> None:
        self.code = code
        self.message = message
        super().__init__(message)

    @property
    def refused(self) -> bool:
        """Whether the request itself is at fault, so that sending it again unchanged is of no use."""
        return self.code in (400, 403, 413, 422)

    @property
    def unfit(self) -> bool:
        """Whether it is the object that is refused, not the right to send it."""
        return self.refused and self.code != 403


class Cluster(Protocol):
    """One namespace of the API server, and in it the objects of one kind: LabelTasks or LabelDumps."""

    @property
    def namespace(self) -> str:
        """Its name."""

    def get_task(self, name: str) -> Manifest | None:
        """Return an object of the kind."""

    def iter_tasks(self) -> Iterator[Manifest]:
        """Yield all objects of the kind."""

    def patch_status(self, name: str, patch: Manifest) -> Manifest | None:
        """Merge ``patch`` into an object (its status alone changes); None where it is gone."""

    def delete_task(self, name: str, uid: str) -> None:
        """See to it that this object goes, and no later one of its name."""

    def get_job(self, name: str) -> Manifest | None:
        """Return a Job."""

    def iter_jobs(self) -> Iterator[Manifest]:
        """Yield the Jobs that carry an id of the kind."""

    def ensure_job(self, manifest: Manifest) -> Manifest:
        """Return the Job that now bears the name: the new one, or the one that was there, whoever owns it."""

    def suspend_job(self, name: str, suspend: bool) -> Manifest | None:
        """Stop a Job's pods, or let it start pods again; None where it is gone."""

    def resize_job(self, name: str, workers: int) -> Manifest | None:
        """Let a Job have another number of workers; None where it is gone."""

    def delete_job(self, name: str, uid: str) -> None:
        """See to it that this Job goes, after its pods: they get their grace time."""

    def iter_workloads(self, job_uid: str) -> Iterator[Manifest]:
        """Yield Kueue's Workloads of one Job."""

    def activate_workload(self, name: str, active: bool) -> None:
        """Let Kueue admit a Workload, or have it take the Job's pods away."""

    def iter_pods(self, task_id: str | None = None) -> Iterator[Manifest]:
        """Yield the pods of one task, or of all."""

    def iter_events(self, uid: str) -> Iterator[Manifest]:
        """Yield Kubernetes' Events about one object."""

    def ensure_event(self, manifest: Manifest) -> None:
        """See to it that an Event of this name is there."""

    def read_secret(self, name: str) -> dict[str, bytes] | None:
        """Return a Secret's keys with their content."""

    def read_config_map(self, name: str) -> dict[str, bytes] | None:
        """Return a ConfigMap's keys with their content."""

    def ensure_config_map(self, manifest: Manifest) -> Manifest:
        """Return the ConfigMap that now bears the name: the new one, or the one that was there."""


class KubernetesCluster:
    """The Cluster over HTTPS. Safe to be used by many threads at once."""

    def __init__(
        self, api: client.ApiClient, namespace: str, timeout_seconds: float, kind: ResourceKind = LABEL_TASK
    ) -> None:
        self._api = api
        self.namespace = namespace
        self._id_label = kind.id_label
        self._timeout = timeout_seconds
        self._core = f"/api/v1/namespaces/{namespace}"
        self._jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        self._workloads = f"/{WORKLOADS}/namespaces/{namespace}/workloads"
        self._tasks = f"/apis/{API_VERSION}/namespaces/{namespace}/{kind.plural}"

    def of_kind(self, kind: ResourceKind) -> "KubernetesCluster":
        """Return the same namespace with the objects of another kind."""
        return KubernetesCluster(self._api, self.namespace, self._timeout, kind)

    def get_task(self, name: str) -> Manifest | None:
        return self._get(_join(self._tasks, name))

    def iter_tasks(self) -> Iterator[Manifest]:
        return self._pages(self._tasks)

    def patch_status(self, name: str, patch: Manifest) -> Manifest | None:
        return self._patch(_join(self._tasks, name, "status"), patch)

    def delete_task(self, name: str, uid: str) -> None:
        self._delete(_join(self._tasks, name), uid, "Background")

    def get_job(self, name: str) -> Manifest | None:
        return self._get(_join(self._jobs, name))

    def iter_jobs(self) -> Iterator[Manifest]:
        return self._pages(self._jobs, labelSelector=self._id_label)

    def ensure_job(self, manifest: Manifest) -> Manifest:
        return self._ensure(self._jobs, manifest)

    def suspend_job(self, name: str, suspend: bool) -> Manifest | None:
        return self._patch(_join(self._jobs, name), {"spec": {"suspend": suspend}})

    def resize_job(self, name: str, workers: int) -> Manifest | None:
        # Of an Indexed Job both change together or not at all:
        # https://kubernetes.io/docs/concepts/workloads/controllers/job/#elastic-indexed-jobs
        return self._patch(_join(self._jobs, name), {"spec": {"parallelism": workers, "completions": workers}})

    def delete_job(self, name: str, uid: str) -> None:
        # Foreground: the Job stays visible until its pods are gone, which is what an abort waits for.
        # https://kubernetes.io/docs/concepts/architecture/garbage-collection/#foreground-deletion
        self._delete(_join(self._jobs, name), uid, "Foreground")

    def iter_workloads(self, job_uid: str) -> Iterator[Manifest]:
        return self._pages(self._workloads, labelSelector=f"{JOB_UID_LABEL}={job_uid}")

    def activate_workload(self, name: str, active: bool) -> None:
        self._patch(_join(self._workloads, name), {"spec": {"active": active}})

    def iter_pods(self, task_id: str | None = None) -> Iterator[Manifest]:
        selector = self._id_label if task_id is None else f"{self._id_label}={task_id}"
        return self._pages(f"{self._core}/pods", labelSelector=selector)

    def iter_events(self, uid: str) -> Iterator[Manifest]:
        return self._pages(f"{self._core}/events", fieldSelector=f"involvedObject.uid={uid}")

    def ensure_event(self, manifest: Manifest) -> None:
        try:
            self._call("POST", f"{self._core}/events", manifest)
        except ApiFailure as failure:
            if failure.code != 409:
                raise

    def read_secret(self, name: str) -> dict[str, bytes] | None:
        found = self._get(_join(self._core, "secrets", name))
        if found is None:
            return None
        return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}

    def read_config_map(self, name: str) -> dict[str, bytes] | None:
        found = self._get(_join(self._core, "configmaps", name))
        if found is None:
            return None
        plain = {key: str(value).encode() for key, value in (found.get("data") or {}).items()}
        return plain | {key: base64.b64decode(value) for key, value in (found.get("binaryData") or {}).items()}

    def ensure_config_map(self, manifest: Manifest) -> Manifest:
        return self._ensure(f"{self._core}/configmaps", manifest)

    def _get(self, path: str) -> Manifest | None:
        try:
            return self._call("GET", path)
        except ApiFailure as failure:
            if failure.code == 404:
                return None
            raise

    def _pages(self, path: str, **selectors: str) -> Iterator[Manifest]:
        query: dict[str, str] = {"limit": str(_PAGE), **selectors}
        while True:
            page = self._call("GET", f"{path}?{urlencode(query)}")
            yield from page.get("items") or []
            token = page.get("metadata", {}).get("continue")
            if not token:
                return
            query["continue"] = token

    def _patch(self, path: str, patch: Manifest) -> Manifest | None:
        try:
            return self._call("PATCH", path, patch, "application/merge-patch+json")
        except ApiFailure as failure:
            if failure.code == 404:
                return None
            raise

    def _ensure(self, path: str, manifest: Manifest) -> Manifest:
        name = manifest["metadata"]["name"]
        try:
            return self._call("POST", path, manifest)
        except ApiFailure as failure:
            if failure.code != 409:
                raise
            existing = self._get(_join(path, name))
            if existing is None:
                raise ApiFailure(None, f"{name} was there and is gone again") from failure
            return existing

    def _delete(self, path: str, uid: str, propagation: str) -> None:
        options = {"propagationPolicy": propagation, "preconditions": {"uid": uid}}
        try:
            self._call("DELETE", path, options)
        except ApiFailure as failure:
            # 409: another object bears the name by now, so the one that was meant is gone.
            if failure.code not in (404, 409):
                raise

    def _call(self, method: str, path: str, body: Manifest | None = None, kind: str = "application/json") -> Manifest:
        headers = {"Accept": "application/json", "Content-Type": kind}
        _, url, sent_headers, sent_body, _ = self._api.param_serialize(
            method, path, header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        try:
            response = self._api.call_api(method, url, sent_headers, sent_body, _request_timeout=self._timeout)
            content: bytes = response.read()  # type: ignore[no-untyped-call]
        except (urllib3.exceptions.HTTPError, OSError, client.ApiException) as error:
            raise ApiFailure(None, f"the API server did not answer: {type(error).__name__}") from error
        if not 200 <= response.status < 300:
            raise ApiFailure(response.status, _message(content) or f"HTTP {response.status}")
        answer: Any = json.loads(content)
        if not isinstance(answer, dict):
            raise ApiFailure(None, "the API server answered with something that is no object")
        return answer


def connect_clusters(
    namespaces: Sequence[str], timeout_seconds: float, connections: int
) -> tuple[KubernetesCluster, ...]:
    """Return namespaces of the cluster of the pod's service account, or outside a pod of the current kubeconfig."""
    settings = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=settings)  # type: ignore[no-untyped-call]
    except config.ConfigException:
        config.load_kube_config(client_configuration=settings)  # type: ignore[no-untyped-call]
    settings.connection_pool_maxsize = connections
    # A kept connection that the server closed meanwhile; POST and PATCH are never sent twice by urllib3.
    settings.retries = urllib3.Retry(total=2, redirect=0, backoff_factor=0.2)
    api = client.ApiClient(settings)
    return tuple(KubernetesCluster(api, namespace, timeout_seconds) for namespace in namespaces)


def _join(path: str, *names: str) -> str:
    return "/".join([path, *(quote(name, safe="") for name in names)])


def _message(content: bytes) -> str:
    try:
        return str(json.loads(content)["message"])
    except (ValueError, KeyError, TypeError):
        return ""
