"""SITE_CONFIG: where the database is, who may enter and how it is encrypted. The only model that holds a password.

It is stored in one Secret as ``connection.json`` and mounted as a file; it never becomes part of a LabelTask.
"""

import re
import ssl
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator

from labeltask_contract import strict_json
from labeltask_contract.errors import InvalidTask, Problem, pointer

_HOST = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z._:-]{0,251}[0-9A-Za-z])?")
_WANTED = {
    "host": "must be a host name or an IP address, without scheme, port or path",
    "port": "must be a number from 1 to 65535",
    "user": "must be 1 to 128 printable characters",
    "password": "must be text that UTF-8 can carry",
    "db": "must be the name of a schema, 64 characters at most",
    "charset": "must be the name of a character set",
    "tls": 'must be {"mode": "verify-identity", "ca": "<PEM text>"} or {"mode": "required"}; required takes no ca, as '
    "it checks nobody",
    "mode": "must be verify-identity or required",
    "ca": "must be certificates in PEM, 262,144 characters at most, and no private key",
}


class TlsMode(StrEnum):
    """How much is asked of an encrypted connection: that it is one, or that the server proves its name too."""

    # No third one that checks the certificate and not the name: the worker's client library insists on encryption only
    # together with the name.
    REQUIRED = "required"
    """Encrypted, and whoever answers is believed: keeps listeners out, not somebody in the server's place."""
    VERIFY_IDENTITY = "verify-identity"
    """Encrypted, and the server proves by a certificate of ``ca`` that it is ``host``, before it gets the password."""


class Tls(BaseModel):
    """Encryption of a connection: TLS 1.2 or later, or no connection."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    mode: TlsMode = TlsMode.VERIFY_IDENTITY
    ca: (
        Annotated[
            str,
            Field(max_length=262_144, description="PEM text of the authorities' certificates, for verify-identity."),
        ]
        | None
    ) = None

    @field_validator("ca")
    @classmethod
    def _is_certificates(cls, value: str | None) -> str | None:
        if value is not None:
            if "PRIVATE KEY-----" in value:
                raise ValueError("ca")
            # Raises ssl.SSLError, which pydantic would let pass.
            try:
                ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=value)
            except (OSError, TypeError) as error:
                raise ValueError("ca") from error
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> "Tls":
        if (self.mode is TlsMode.VERIFY_IDENTITY) != (self.ca is not None):
            raise ValueError("tls")
        return self


class Connection(BaseModel):
    """One database account. ``repr`` and ``str`` never show the password."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    host: Annotated[str, Field(min_length=1, max_length=253)]
    port: Annotated[int, Field(ge=1, le=65535)]
    user: Annotated[str, Field(min_length=1, max_length=128)]
    password: SecretStr
    db: Annotated[str, Field(max_length=64)] | None = None
    charset: Annotated[str, Field(max_length=64)] | None = None
    """Accepted because callers send it; every connection speaks utf8mb4, whatever stands here."""
    tls: Tls | None = None
    """None: not encrypted, whatever the server offers."""

    @field_validator("host")
    @classmethod
    def _is_host(cls, value: str) -> str:
        if not _HOST.fullmatch(value):
            raise ValueError("host")
        return value

    @field_validator("port", mode="before")
    @classmethod
    def _is_port(cls, value: object) -> object:
        # pydantic takes true for 1 and 3306.0 for 3306.
        if isinstance(value, bool | float):
            raise ValueError("port")  # noqa: TRY004 - pydantic reports a ValueError only
        return value

    @field_validator("user")
    @classmethod
    def _is_user(cls, value: str) -> str:
        if not value.isprintable():
            raise ValueError("user")
        return value

    @field_validator("password")
    @classmethod
    def _is_password(cls, value: SecretStr) -> SecretStr:
        try:
            value.get_secret_value().encode()
        except UnicodeEncodeError:
            raise ValueError("password") from None
        return value

    @property
    def address(self) -> str:
        """``host:port``, for messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def proves_its_name(self) -> bool:
        """Tell whether the server must prove that it is ``host``, which then must stay the name that it has."""
        return self.tls is not None and self.tls.mode is TlsMode.VERIFY_IDENTITY

    def tls_problem(self, least: TlsMode | None) -> str | None:
        """Return why the connection is not encrypted as a deployment asks it to be, or None when it is."""
        if least is None or self.proves_its_name or (self.tls is not None and least is TlsMode.REQUIRED):
            return None
        return f"must have at least the mode {least.value}, which this deployment asks of every connection"

    @property
    def key(self) -> str:
        """Same key, same account on the same server: what may share a connection for polling. No password in it."""
        return f"{self.user}@{self.address}"

    def to_json(self) -> bytes:
        """Content of ``connection.json``, the password in clear: only ever written into a Secret."""
        fields: dict[str, Any] = self.model_dump(mode="json", exclude_none=True)
        fields["password"] = self.password.get_secret_value()
        return strict_json.dumps(fields)


def parse_connection(value: object, field: str = "SITE_CONFIG") -> Connection:
    """Check what a caller sent as connection.

    :raises InvalidTask: naming each wrong key; values are never repeated, whichever key is wrong.
    """
    if not isinstance(value, dict):
        message = "must be an object with host, port, user and password"
        raise InvalidTask([Problem(pointer(field), message)])
    try:
        # A port may come as a string of digits: the release notes leave it to the caller.
        return Connection.model_validate(value)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise InvalidTask(
            [
                Problem(strict_json.shown(pointer(field, *item["loc"])), _message_of(item["type"], item["loc"]))
                for item in found
            ]
        ) from None


def _message_of(kind: str, place: tuple[int | str, ...]) -> str:
    if not place:
        return "is no JSON text"
    if kind == "extra_forbidden":
        known = Connection.model_fields if len(place) == 1 else Tls.model_fields
        return f"is no known key; known are {', '.join(known)}"
    return "is missing" if kind == "missing" else _WANTED[str(place[-1])]


def load_connection(content: bytes) -> Connection:
    """Read ``connection.json``.

    :raises InvalidTask: as :func:`parse_connection`.
    """
    return parse_connection(strict_json.loads(content), field="connection.json")
