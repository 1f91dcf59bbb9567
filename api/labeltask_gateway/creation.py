"""Creating a custom resource with its Secret: both or neither, and with an Idempotency-Key once.

The custom resource comes first, because the Secret's owner reference needs its uid; the operator waits for the Secret.
A gateway that dies between the two leaves an object that fails by itself and no credential.
"""

import hmac
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from labeltask_contract.connection import load_connection
from labeltask_contract.errors import InvalidTask, LabelTaskError
from labeltask_contract.names import CONNECTION_FILE, secret_name
from labeltask_gateway.cluster import Cluster
from labeltask_gateway.errors import AlreadyThere, KeyReused, SecretMissing
from labeltask_gateway.idempotency import FINGERPRINT_ANNOTATION, is_same_password
from labeltask_gateway.manifests import Order, build_custom_resource, build_secret

_log = structlog.stdlib.get_logger(__name__)


class Creation:
    """Creates in one namespace. ``was_there`` tells whether a name belonged to an object that is gone."""

    def __init__(self, cluster: Cluster, was_there: Callable[[str], bool] = lambda _: False) -> None:
        self._cluster = cluster
        self._was_there = was_there

    def create(self, order: Order) -> None:
        """Have the custom resource with its Secret, or neither."""
        try:
            uid = self._cluster.create(order.kind, build_custom_resource(order))
            if order.content:
                self._cluster.create_secret(build_secret(order, uid))
        except LabelTaskError:
            # Also after a failed create: a call that timed out may have succeeded.
            self._take_back(order)
            raise
        _log.info("created", kind=order.kind.kind, name=order.name)

    def create_once(self, order: Order, fingerprint: str) -> bool:
        """Have the one object of an Idempotency-Key; return whether it was there before.

        Whoever creates it first has made it; everybody else compares. Nothing is taken back when a step fails: another
        request with this key may already have been told of it, and the next one completes it.

        :raises KeyReused: when the key stands for another request, or for a task that is gone from the cluster.
        """
        known = self._cluster.find(order.kind, order.name)
        if known is None and self._was_there(order.name):
            # An equal request made it between the two looks, and the operator has accepted it; or it is gone, and its
            # row in `state` would pass for the new task's, however different that is.
            known = self._cluster.find(order.kind, order.name)
            if known is None:
                raise KeyReused(f"belongs to task {order.name}, which is gone from the cluster")
        repeated = known is not None
        if known is not None:
            uid = _uid_of_equal(known, fingerprint)
        else:
            manifest = build_custom_resource(order, {FINGERPRINT_ANNOTATION: fingerprint})
            try:
                uid = self._cluster.create(order.kind, manifest)
            except AlreadyThere:
                repeated = True
                uid = _uid_of_equal(self._cluster.find(order.kind, order.name), fingerprint)
        if order.content:
            self._ensure_secret(order, uid)
        if not repeated:
            _log.info("created", kind=order.kind.kind, name=order.name, once=True)
        return repeated

    def _ensure_secret(self, order: Order, uid: str) -> None:
        try:
            self._cluster.create_secret(build_secret(order, uid))
        except AlreadyThere:
            if order.connection is None:
                return
            name = secret_name(order.name)
            try:
                stored = load_connection(self._cluster.read_secret_key(name, CONNECTION_FILE))
            except (SecretMissing, InvalidTask):
                raise KeyReused(f"belongs to {name}, whose Secret was not made by this gateway") from None
            if not is_same_password(stored, order.connection):
                raise KeyReused("belongs to a request with another SITE_CONFIG") from None

    def _take_back(self, order: Order) -> None:
        try:
            self._cluster.delete(order.kind, order.name)
        except LabelTaskError:
            # The operator ends an object without its Secret after a minute.
            _log.warning("half_created_object_left", kind=order.kind.kind, name=order.name)


def _uid_of_equal(manifest: Mapping[str, Any] | None, fingerprint: str) -> str:
    if manifest is None:
        # Deleted between the two looks.
        raise AlreadyThere
    stored = (manifest["metadata"].get("annotations") or {}).get(FINGERPRINT_ANNOTATION, "")
    if not hmac.compare_digest(stored, fingerprint):
        raise KeyReused("belongs to another request")
    return str(manifest["metadata"]["uid"])
