"""The two objects of a task, as pure functions: the LabelTask, and the Secret with what must not stand in it."""

import base64
from collections.abc import Mapping
from typing import Any

from labeltask_contract import names
from labeltask_contract.spec import ConnectionSource, KeyRef, PatternSource
from labeltask_gateway.requests import CreateRequest

Manifest = dict[str, Any]


def build_label_task(task_id: str, request: CreateRequest, annotations: Mapping[str, str] | None = None) -> Manifest:
    """Return the LabelTask. It refers to its Secret by a name that is known before either exists."""
    secret = names.secret_name(task_id)
    sources: dict[str, Any] = {
        "pattern_from": PatternSource(secret_key_ref=KeyRef(name=secret, key=names.PATTERN_FILE))
    }
    if request.connection is not None:
        sources["connection_from"] = ConnectionSource(secret_key_ref=KeyRef(name=secret, key=names.CONNECTION_FILE))
    elif request.site is not None:
        sources["connection_from"] = ConnectionSource(site=request.site)
    spec = request.spec.model_copy(update=sources)
    metadata: Manifest = {"name": task_id, "labels": _labels(task_id, request.spec.queue)}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": metadata,
        "spec": spec.model_dump(mode="json", by_alias=True, exclude_unset=True),
    }


def build_secret(task_id: str, owner_uid: str, request: CreateRequest) -> Manifest:
    """Return the immutable Secret; it goes when its LabelTask goes, by the owner reference."""
    content = {names.PATTERN_FILE: request.packed_pattern}
    if request.connection is not None:
        content[names.CONNECTION_FILE] = request.connection.to_json()
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "Opaque",
        "immutable": True,
        "metadata": {
            "name": names.secret_name(task_id),
            "labels": _labels(task_id, request.spec.queue),
            "ownerReferences": [
                {
                    "apiVersion": names.API_VERSION,
                    "kind": names.KIND,
                    "name": task_id,
                    "uid": owner_uid,
                    "controller": True,
                    # true would need the right to update the owner's finalizers, and delays its deletion.
                    "blockOwnerDeletion": False,
                }
            ],
        },
        "data": {key: base64.b64encode(value).decode() for key, value in sorted(content.items())},
    }


def _labels(task_id: str, queue: str) -> dict[str, str]:
    return {
        names.TASK_ID_LABEL: task_id,
        names.QUEUE_LABEL: queue,
        names.PART_OF_LABEL: names.PART_OF,
    }
