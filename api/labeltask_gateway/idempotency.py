"""Idempotency-Key: which object a key stands for, and how a second request is told from a different one. Pure.

The key decides the id of the task or dump, so the API server itself lets only one of many equal requests create it,
whichever gateway they reach, and the custom resource is the record. Beside it stands a fingerprint of the request in
an annotation.

Anybody who may read LabelTasks may read the annotation, and keys such as ``nightly-2020-01-01`` can be guessed: a
digest over the password, however keyed, would let a weak one be tried out offline. So the password has no part in it;
it is compared with the object's own Secret instead, which only holders of secrets can read.
"""

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from labeltask_contract.connection import Connection
from labeltask_contract.errors import InvalidTask, Problem, pointer
from labeltask_contract.names import GROUP, ResourceKind

HEADER = "Idempotency-Key"
FINGERPRINT_ANNOTATION = f"{GROUP}/request-fingerprint"

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def parse_key(header: str | None) -> str | None:
    """Return the key of a request; None when it has none.

    :raises InvalidTask: when it is not 1 to 255 visible ASCII characters.
    """
    if header is None:
        return None
    if not _KEY.fullmatch(header):
        message = "must be 1 to 255 visible ASCII characters, such as a UUID"
        raise InvalidTask([Problem(pointer("header", HEADER), message)])
    return header


@dataclass(frozen=True)
class Once:
    """What an Idempotency-Key makes of a request: the name of its one object, and what equal requests share."""

    name: str
    fingerprint: str


def once_of(
    kind: ResourceKind, header: str | None, namespace: str, caller: str, body: Mapping[str, object]
) -> Once | None:
    """Return what the key in ``header`` makes of a request; None when it has none.

    Callers that are told apart have keys of their own, and so has each kind and each namespace: tasks of several
    namespaces may write to one schema, where their ids must not meet.

    :raises InvalidTask: as :func:`parse_key`.
    """
    key = parse_key(header)
    if key is None:
        return None
    digest = hashlib.sha256(f"{kind.singular}/idempotency-key/1\n{namespace}\n{caller}\n{key}".encode()).hexdigest()
    return Once(digest[:32], fingerprint(key, body))


def fingerprint(key: str, body: Mapping[str, object]) -> str:
    """Return what equal requests share. The order of keys is no difference, but that of labels is: it decides."""
    said: dict[str, object] = {name: value for name, value in sorted(body.items()) if value is not None}
    account = said.get("SITE_CONFIG")
    if isinstance(account, dict):
        said["SITE_CONFIG"] = {name: account[name] for name in sorted(account) if name != "password"}
    return hmac.new(key.encode(), json.dumps(said).encode(), hashlib.sha256).hexdigest()


def is_same_password(one: Connection | None, other: Connection | None) -> bool:
    """Tell whether two accounts have the same password, in a time that tells nothing."""
    if one is None or other is None:
        return one is other
    passwords = (each.password.get_secret_value().encode() for each in (one, other))
    return hmac.compare_digest(*passwords)
