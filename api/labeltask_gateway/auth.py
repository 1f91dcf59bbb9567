"""Who calls, and what they may do: no check, tokens of the deployment, or Kubernetes' own accounts and rights.

Each mode turns the header Authorization into a :class:`Caller`; a route asks it for the verb that it stands for, on
labeltasks or labeldumps. Who may create may also end what they created; to end what others created takes the verb
itself. Tokens are never logged, and compared in constant time.
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
_VERBS_OF_AN_OWNER = ("create", "get", "list")
_REREAD_SECONDS = 1.0
_REMEMBERED_SECONDS = 10.0
"""How long a review of the API server is taken for granted: so long a revoked token still works."""
_MAX_REMEMBERED = 10_000

Answer = TypeVar("Answer")

_log = structlog.stdlib.get_logger(__name__)


@dataclass(frozen=True)
class Caller:
    """Somebody who was let in; ``name`` is empty where callers are not told apart.

    It scopes Idempotency-Keys, and stands on what the caller creates.
    """

    name: str
    may: Callable[[Verb, str], bool]

    def require(self, verb: Verb, kind: ResourceKind = LABEL_TASK) -> None:
        """Return when the caller may do ``verb`` to custom resources of this kind.

        :raises Forbidden: when not.
        """
        if not self.may(verb, kind.plural):
            raise Forbidden(verb, kind.plural)

    def require_over(self, owner: str, verb: Verb, kind: ResourceKind = LABEL_TASK) -> None:
        """Return when the caller may do ``verb`` to an object that ``owner`` created; nobody's has an empty owner.

        :raises Forbidden: when not.
        """
        if self.may(verb, kind.plural):
            return
        if not self.may("create", kind.plural):
            raise Forbidden(verb, kind.plural)
        if not owner or owner != self.name:
            raise Forbidden(verb, f"{kind.plural} that it did not create,")


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
    """Mode token: each file of a folder (a mounted Secret) holds one.

    A name with a dot begins with whose token it is: ``team-a.2026`` and ``team-a.2027`` are both team-a's, who may
    create and see tasks, and end their own. A token whose name has no dot may do everything.

    The folder is looked at again when its last look is a second old, so that a rotated Secret works as soon as the
    kubelet has brought it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._owners: dict[bytes, str] = {}
        """Digest of a token -> whose it is; empty for one that may do everything."""
        self._read_at = float("-inf")

    def authenticate(self, authorization: str) -> Caller:
        """As the Protocol says."""
        shown = hashlib.sha256(_bearer(authorization).encode()).digest()
        # Every digest is compared, whichever fits: the time tells nothing.
        fits = [owner for known, owner in self._known().items() if hmac.compare_digest(shown, known)]
        if not fits:
            raise Unauthenticated
        owner = fits[0]
        return Caller(owner, lambda verb, _: not owner or verb in _VERBS_OF_AN_OWNER)

    def _known(self) -> dict[bytes, str]:
        with self._lock:
            if time.monotonic() - self._read_at >= _REREAD_SECONDS:
                self._owners = self._read()
                self._read_at = time.monotonic()
            return self._owners

    def _read(self) -> dict[bytes, str]:
        try:
            # A mounted Secret shows its keys as links; what begins with dots is the kubelet's own.
            files = sorted(file for file in self._folder.iterdir() if not file.name.startswith(".") and file.is_file())
            texts = {file.name: file.read_text(encoding="utf-8").strip() for file in files}
        except (OSError, UnicodeDecodeError) as error:
            _log.error("tokens_unreadable", folder=str(self._folder), error=type(error).__name__)
            return {}
        short = [name for name, text in texts.items() if len(text) < MIN_TOKEN_CHARACTERS]
        if short:
            _log.error("tokens_too_short", keys=short, least_characters=MIN_TOKEN_CHARACTERS)
        return {
            hashlib.sha256(text.encode()).digest(): name.partition(".")[0] if "." in name else ""
            for name, text in texts.items()
            if name not in short
        }


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
