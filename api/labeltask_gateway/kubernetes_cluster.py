"""LabelTask and Secret calls by the official client: the real implementation of ``cluster.Cluster``.

Every call has a timeout and ends in an answer or in one of the gateway's errors.
"""

import base64
import json
from collections.abc import Iterator
from typing import Any, cast

import structlog
from kubernetes import client, config
from kubernetes.client import ApiException
from urllib3.util.retry import Retry

from labeltask_contract.names import GROUP, LABEL_TASK, PLURAL, VERSION, ResourceKind, task_id_of
from labeltask_gateway.api_errors import API_CALL_ERRORS, is_missing, is_taken, translate
from labeltask_gateway.cluster import Identity
from labeltask_gateway.errors import AlreadyThere, SecretMissing
from labeltask_gateway.manifests import Manifest
from labeltask_gateway.recent import Wanted
from labeltask_gateway.reviews import Reviews
from labeltask_gateway.task_index import WATCH_SECONDS, Expired, TaskIndex

_PAGE_OBJECTS = 200
_CONNECT_SECONDS = 3.0
_CONNECTIONS = 48
"""At least one for each thread that runs route functions (40) or probes, else they wait for each other."""

_log = structlog.stdlib.get_logger(__name__)


class KubernetesCluster:
    """The real one, for one namespace. Safe to use from many threads."""

    def __init__(
        self, api: client.ApiClient, namespace: str, timeout_seconds: float, readiness_timeout_seconds: float
    ) -> None:
        self._namespace = namespace
        self._objects = client.CustomObjectsApi(api)
        self._core = client.CoreV1Api(api)
        self._timeout = (min(_CONNECT_SECONDS, timeout_seconds), timeout_seconds)
        self._readiness_timeout = (min(_CONNECT_SECONDS, readiness_timeout_seconds), readiness_timeout_seconds)
        self._reviews = Reviews(api, namespace, self._timeout)
        self._index = TaskIndex(self._pages, self._watch, timeout_seconds)

    def create(self, kind: ResourceKind, manifest: Manifest) -> str:
        """As the Protocol says; unknown fields are an error, not a warning: they would be lost in silence."""
        try:
            found = self._objects.create_namespaced_custom_object(
                GROUP,
                VERSION,
                self._namespace,
                kind.plural,
                manifest,
                field_validation="Strict",
                _headers={"Content-Type": "application/json"},
                _request_timeout=self._timeout,
            )
        except API_CALL_ERRORS as error:
            if isinstance(error, ApiException) and is_taken(error):
                raise AlreadyThere from None
            raise translate(error, f"create a {kind.kind}", from_caller=True) from None
        created = cast("Manifest", found)
        if kind is LABEL_TASK:
            self._index.put(created)
        return str(created["metadata"]["uid"])

    def create_secret(self, manifest: Manifest) -> None:
        """As the Protocol says."""
        try:
            self._core.create_namespaced_secret(
                self._namespace,
                # The client sends dicts as they are; its type only knows its own models.
                cast("client.V1Secret", manifest),
                _headers={"Content-Type": "application/json"},
                _request_timeout=self._timeout,
            )
        except API_CALL_ERRORS as error:
            if isinstance(error, ApiException) and is_taken(error):
                raise AlreadyThere from None
            # The original error may quote the Secret: it must not hang on ours as context either.
            raise translate(error, "create a Secret") from None

    def delete(self, kind: ResourceKind, name: str) -> None:
        """As the Protocol says."""
        try:
            self._objects.delete_namespaced_custom_object(
                GROUP, VERSION, self._namespace, kind.plural, name, _request_timeout=self._timeout
            )
        except API_CALL_ERRORS as error:
            if not (isinstance(error, ApiException) and is_missing(error)):
                raise translate(error, f"delete a {kind.kind}") from None

    def find(self, kind: ResourceKind, name: str) -> Manifest | None:
        """As the Protocol says."""
        try:
            found = self._objects.get_namespaced_custom_object(
                GROUP, VERSION, self._namespace, kind.plural, name, _request_timeout=self._timeout
            )
        except API_CALL_ERRORS as error:
            if isinstance(error, ApiException) and is_missing(error):
                return None
            raise translate(error, f"get a {kind.kind}") from None
        return cast("Manifest", found)

    def find_label_task(self, task_id: str) -> Manifest | None:
        """As the Protocol says: by name, as the gateway names its own; else by ``status.taskId``, for kubectl's."""
        return self.find(LABEL_TASK, task_id) or self._find_by_status(task_id)

    def _find_by_status(self, task_id: str) -> Manifest | None:
        try:
            page = self._list(field_selector=f"status.taskId={task_id}", _request_timeout=self._timeout)
        except API_CALL_ERRORS as error:
            # 400: a CRD from before this field was selectable. Then only tasks named by their id are found.
            if isinstance(error, ApiException) and error.status == 400:
                _log.warning("status_task_id_not_selectable", help="install the CRD of this version")
                return None
            raise translate(error, "list LabelTasks") from None
        matching = (
            found
            for found in page["items"]
            if task_id_of(found["metadata"]["name"], found["metadata"]["uid"]) == task_id
        )
        return next(matching, None)

    def recent_label_tasks(self, wanted: Wanted) -> list[Manifest]:
        """As the Protocol says, from memory: the API server lists by name, so each request would read every page."""
        return self._index.youngest(wanted)

    def stop(self) -> None:
        """Have no thread run any more."""
        self._index.stop()

    def _watch(self, version: str) -> Iterator[Manifest]:
        try:
            answer = self._list(
                watch=True,
                resource_version=version,
                allow_watch_bookmarks=True,
                timeout_seconds=WATCH_SECONDS,
                _preload_content=False,
                _request_timeout=(self._timeout[0], WATCH_SECONDS + 15),
            )
            lines = cast("Any", answer)
            yield from map(json.loads, filter(None, lines))
        except API_CALL_ERRORS as error:
            if isinstance(error, ApiException) and error.status == 410:
                raise Expired from None
            raise translate(error, "watch LabelTasks") from None

    def _pages(self) -> Iterator[Manifest]:
        more: dict[str, str] = {}
        while True:
            try:
                page = self._list(limit=_PAGE_OBJECTS, _request_timeout=self._timeout, **more)
            except API_CALL_ERRORS as error:
                raise translate(error, "list LabelTasks") from None
            yield page
            token = page["metadata"].get("continue")
            if not token:
                return
            more = {"_continue": token}

    def _list(self, **arguments: Any) -> Manifest:
        found = self._objects.list_namespaced_custom_object(GROUP, VERSION, self._namespace, PLURAL, **arguments)
        return cast("Manifest", found)

    def patch_spec(self, kind: ResourceKind, name: str, changes: Manifest) -> bool:
        """As the Protocol says, by merge patch: no version is compared, so the operator's writes can't hinder it."""
        try:
            self._objects.patch_namespaced_custom_object(
                GROUP,
                VERSION,
                self._namespace,
                kind.plural,
                name,
                {"spec": changes},
                _content_type="application/merge-patch+json",
                _request_timeout=self._timeout,
            )
        except API_CALL_ERRORS as error:
            if isinstance(error, ApiException) and is_missing(error):
                return False
            raise translate(error, f"patch a {kind.kind}") from None
        return True

    def read_secret_key(self, name: str, key: str) -> bytes:
        """As the Protocol says."""
        try:
            secret = self._core.read_namespaced_secret(name, self._namespace, _request_timeout=self._timeout)
        except API_CALL_ERRORS as error:
            if isinstance(error, ApiException) and is_missing(error):
                raise SecretMissing(f"the Secret {name} does not exist") from None
            raise translate(error, f"get the Secret {name}") from None
        content = (secret.data or {}).get(key)
        if content is None:
            raise SecretMissing(f"the Secret {name} has no key {key}")
        return base64.b64decode(content)

    def review_token(self, token: str, audiences: tuple[str, ...]) -> Identity | None:
        """As the Protocol says."""
        return self._reviews.token(token, audiences)

    def review_access(self, identity: Identity, verb: str, plural: str) -> bool:
        """As the Protocol says."""
        return self._reviews.access(identity, verb, plural)

    def check_reachable(self) -> None:
        """As the Protocol says: the list also fails without the CRD or the right to read it."""
        try:
            self._list(limit=1, _request_timeout=self._readiness_timeout)
        except API_CALL_ERRORS as error:
            raise translate(error, "list LabelTasks") from None


def connect(namespace: str, timeout_seconds: float, readiness_timeout_seconds: float) -> KubernetesCluster:
    """Return a client with the pod's service account, or with the caller's kubeconfig outside a cluster.

    Nothing is sent yet.
    """
    configuration = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except config.ConfigException:
        config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    configuration.connection_pool_maxsize = _CONNECTIONS
    # One more try on a fresh connection: the API server closes idle ones, which shows only when they are used. Writes
    # are retried only if nothing was sent. A 429 goes to the caller with a Retry-After instead of being slept through.
    retry = Retry(total=1, status=0, redirect=0, backoff_factor=0.1, respect_retry_after_header=False)
    configuration.retries = cast("Any", retry)
    api = client.ApiClient(configuration)
    return KubernetesCluster(api, namespace, timeout_seconds, readiness_timeout_seconds)
