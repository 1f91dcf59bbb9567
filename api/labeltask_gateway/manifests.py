"""The objects of a task or dump, pure: the custom resource, and the Secret with what must not stand in it."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from labeltask_contract import names
from labeltask_contract.connection import Connection
from labeltask_contract.names import LABEL_DUMP, LABEL_TASK, ResourceKind
from labeltask_contract.spec import ConnectionSource, KeyRef, PatternSource
from labeltask_gateway.dump_requests import DumpRequest
from labeltask_gateway.requests import CreateRequest

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Order:
    """A custom resource to be created, and what its Secret shall hold; without content it needs none."""

    kind: ResourceKind
    name: str
    spec: Manifest
    labels: dict[str, str]
    content: Mapping[str, bytes] = field(repr=False)
    connection: Connection | None
    """The account in ``content``, where the caller brought one."""
    created_by: str
    """Empty where callers are not told apart."""


def order_task(task_id: str, request: CreateRequest, created_by: str) -> Order:
    """Return a LabelTask's order. It refers to its Secret by a name that is known before either exists."""
    rules = KeyRef(name=names.secret_name(task_id), key=names.PATTERN_FILE)
    sources: dict[str, Any] = {"pattern_from": PatternSource(secret_key_ref=rules)}
    sources |= _connection_source(task_id, request.connection, request.site)
    spec = request.spec.model_copy(update=sources)
    return Order(
        kind=LABEL_TASK,
        name=task_id,
        spec=spec.model_dump(mode="json", by_alias=True, exclude_unset=True),
        labels={
            names.TASK_ID_LABEL: task_id,
            names.QUEUE_LABEL: request.spec.queue,
            names.PART_OF_LABEL: names.PART_OF,
        },
        content={names.PATTERN_FILE: request.packed_pattern, **_account(request.connection)},
        connection=request.connection,
        created_by=created_by,
    )


def order_dump(dump_id: str, request: DumpRequest, created_by: str) -> Order:
    """Return a LabelDump's order."""
    spec = request.spec.model_copy(update=_connection_source(dump_id, request.connection, request.site))
    return Order(
        kind=LABEL_DUMP,
        name=dump_id,
        spec=spec.model_dump(mode="json", by_alias=True, exclude_unset=True),
        labels={names.PART_OF_LABEL: names.PART_OF},
        content=_account(request.connection),
        connection=request.connection,
        created_by=created_by,
    )


def build_custom_resource(order: Order, annotations: Mapping[str, str] | None = None) -> Manifest:
    """Return the custom resource."""
    metadata: Manifest = {"name": order.name, "labels": order.labels}
    owner = {names.CREATED_BY_ANNOTATION: order.created_by} if order.created_by else {}
    if owner or annotations:
        metadata["annotations"] = {**owner, **(annotations or {})}
    return {"apiVersion": names.API_VERSION, "kind": order.kind.kind, "metadata": metadata, "spec": order.spec}


def creator_of(manifest: Manifest) -> str:
    """Return which caller of the gateway had a custom resource created; empty for nobody known."""
    return str((manifest["metadata"].get("annotations") or {}).get(names.CREATED_BY_ANNOTATION, ""))


def build_secret(order: Order, owner_uid: str) -> Manifest:
    """Return the immutable Secret; it goes when its owner goes, by the owner reference."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "immutable": True,
        "metadata": {
            "name": names.secret_name(order.name),
            "labels": order.labels,
            "ownerReferences": [
                {
                    "apiVersion": names.API_VERSION,
                    "kind": order.kind.kind,
                    "name": order.name,
                    "uid": owner_uid,
                    "controller": True,
                    # true would need the right to update the owner's finalizers, and delays its deletion.
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "data": {key: base64.b64encode(value).decode() for key, value in sorted(order.content.items())},
    }


def _connection_source(name: str, connection: Connection | None, site: str | None) -> dict[str, ConnectionSource]:
    if connection is not None:
        account = KeyRef(name=names.secret_name(name), key=names.CONNECTION_FILE)
        return {"connection_from": ConnectionSource(secret_key_ref=account)}
    return {"connection_from": ConnectionSource(site=site)} if site is not None else {}


def _account(connection: Connection | None) -> dict[str, bytes]:
    return {} if connection is None else {names.CONNECTION_FILE: connection.to_json()}
