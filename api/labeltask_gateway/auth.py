"""Who calls, and what they may do: no check, tokens of the deployment, or Kubernetes' own accounts and rights.

Each mode turns the header Authorization into a :class:`Caller`; a route asks it for the verb that it stands for, on
labeltasks or labeldumps. Tokens are never logged, and compared in constant time.
"""

import hashlib
import hmac
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, Protocol, TypeVar

import structlog

from labeltask_contract.names import LABEL_TASK, ResourceKind
from labeltask_gateway.cluster import Cluster, Identity
from labeltask_gateway.errors import Forbidden, Unauthenticated

Verb = Literal["create", "get", "list", "patch", "delete"]

MIN_TOKEN_CHARACTERS = 16
_REREAD_SECONDS = 1.0
_REMEMBERED_SECONDS = 10.0
"""How long a review of the API server is taken for granted: so long a revoked token still works."""
_MAX_REMEMBERED = 10_000

Answer = TypeVar("Answer")

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True)
class Caller:
    """Somebody who was let in. ``name`` scopes Idempotency-Keys; empty where callers are not told apart."""

    name: str
    may: Callable[[Verb, str], bool]

    def require(self, verb: Verb, kind: ResourceKind = LABEL_TASK) -> None:
        """Return when the caller may do ``verb`` to custom resources of this kind.

        :raises Forbidden: when not.
        """
        if not self.may(verb, kind.plural):
            raise Forbidden(verb, kind.plural)


class Authenticator(Protocol):
    """One mode."""

    def authenticate(self, authorization: str) -> Caller:
        """Return who calls.

        :raises Unauthenticated: when the header holds no token that counts.
        """


class Everybody:
    """Mode none."""

    def authenticate(self, authorization: str) -> Caller:  # noqa: ARG002 - the Protocol's signature
        """Let everybody do everything."""
        return Caller("", lambda *_: True)


class FileTokens:
    """Mode token: each file of a folder (a mounted Secret) holds one; all may do everything.

    The folder is looked at again when its last look is a second old, so that a rotated Secret works as soon as the
    kubelet has brought it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._digests: tuple[bytes, ...] = ()
        self._read_at = float("-inf")

    def authenticate(self, authorization: str) -> Caller:
        """As the Protocol says."""
        shown = hashlib.sha256(_bearer(authorization).encode()).digest()
        # Every digest is compared, whichever fits: the time tells nothing.
        fits = [hmac.compare_digest(shown, known) for known in self._known()]
        if not any(fits):
            raise Unauthenticated
        return Caller("", lambda *_: True)

    def _known(self) -> tuple[bytes, ...]:
        with self._lock:
            if time.monotonic() - self._read_at >= _REREAD_SECONDS:
                self._digests = tuple(self._read())
                self._read_at = time.monotonic()
            return self._digests

    def _read(self) -> list[bytes]:
        try:
            # A mounted Secret shows its keys as links; what begins with dots is the kubelet's own.
            files = sorted(file for file in self._folder.iterdir() if not file.name.startswith(".") and file.is_file())
            texts = {file.name: file.read_text(encoding="utf-8").strip() for file in files}
        except (OSError, UnicodeDecodeError) as error:
            _log.error("tokens_unreadable", folder=str(self._folder), error=type(error).__name__)
            return []
        short = [name for name, text in texts.items() if len(text) < MIN_TOKEN_CHARACTERS]
        if short:
            _log.error("tokens_too_short", keys=short, least_characters=MIN_TOKEN_CHARACTERS)
        return [hashlib.sha256(text.encode()).digest() for name, text in texts.items() if name not in short]


class KubernetesAccounts:
    """Mode kubernetes: TokenReview says who it is, SubjectAccessReview what they may; both are remembered shortly."""

    def __init__(self, cluster: Cluster, audiences: tuple[str, ...]) -> None:
        self._cluster = cluster
        self._audiences = audiences
        self._identities: _Remembered[Identity | None] = _Remembered()
        self._rights: _Remembered[bool] = _Remembered()

    def authenticate(self, authorization: str) -> Caller:
        """As the Protocol says."""
        token = _bearer(authorization)
        digest = hashlib.sha256(token.encode()).hexdigest()
        identity = self._identities.get(digest, lambda: self._cluster.review_token(token, self._audiences))
        if identity is None:
            raise Unauthenticated
        return Caller(
            identity.username,
            lambda verb, plural: self._rights.get(
                f"{digest} {verb} {plural}", lambda: self._cluster.review_access(identity, verb, plural)
            ),
        )


class _Remembered(Generic[Answer]):
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[str, tuple[float, Answer]] = {}

    def get(self, key: str, ask: Callable[[], Answer]) -> Answer:
        with self._lock:
            known = self._answers.get(key)
        if known is not None and time.monotonic() - known[0] < _REMEMBERED_SECONDS:
            return known[1]
        answer = ask()
        with self._lock:
            if len(self._answers) >= _MAX_REMEMBERED:
                self._answers.clear()
            self._answers[key] = (time.monotonic(), answer)
        return answer


def _bearer(authorization: str) -> str:
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Unauthenticated
    return token.strip()
