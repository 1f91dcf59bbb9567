"""SITE_CONFIG: where the database is and who may enter. The only model that holds a password.

It is stored in one Secret as ``connection.json`` and mounted as a file; it never becomes part of a LabelTask.
"""

import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from labeltask_contract import strict_json
from labeltask_contract.errors import InvalidTask, Problem, pointer

_HOST = re.compile(r"[0-9A-Za-z](?:[0-9A-Za-z._:-]{0,251}[0-9A-Za-z])?")
_MESSAGES = {
    "missing": "is missing",
    "extra_forbidden": "is no known key; known are host, port, user, password, db, charset",
}
_WANTED = {
    "host": "must be a host name or an IP address, without scheme, port or path",
    "port": "must be a number from 1 to 65535",
    "user": "must be 1 to 128 printable characters",
    "password": "must be text that UTF-8 can carry",
    "db": "must be the name of a schema, 64 characters at most",
    "charset": "must be the name of a character set",
}


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
                Problem(
                    strict_json.shown(pointer(field, *item["loc"])),
                    _MESSAGES.get(item["type"]) or _WANTED[str(item["loc"][0])] if item["loc"] else "is no JSON text",
                )
                for item in found
            ]
        ) from None


def load_connection(content: bytes) -> Connection:
    """Read ``connection.json``.

    :raises InvalidTask: as :func:`parse_connection`.
    """
    return parse_connection(strict_json.loads(content), field="connection.json")
