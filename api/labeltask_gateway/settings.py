"""The gateway's environment, read once at the start into one frozen object.

Every variable begins with ``LABELTASK_``; lists and maps are written as JSON. Names such as ``LABELTASK_PORT`` are
avoided: Kubernetes sets them itself in a namespace with a Service called labeltask.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel
from pydantic_settings import BaseSettings, SettingsConfigDict

from labeltask_contract.connection import TlsMode
from labeltask_contract.names import CONNECTION_FILE
from labeltask_contract.spec import KEY_PATTERN, NAME_PATTERN, QUEUE_PATTERN, Identifier
from labeltask_contract.task_document import LabellingRules
from labeltask_gateway.hosts import AllowedHosts

OpenPath = Literal["docs", "metrics"]
"""docs: /docs and /openapi.json. The probes are always open: the kubelet has no token."""


class NamedConnection(BaseModel):
    """Where the account of a connection that the deployment names stands: one key of a Secret."""

    model_config = ConfigDict(extra="forbid", frozen=True, alias_generator=to_camel, populate_by_name=True)

    secret_name: Annotated[str, Field(max_length=253, pattern=NAME_PATTERN)]
    key: Annotated[str, Field(max_length=253, pattern=KEY_PATTERN)] = CONNECTION_FILE


class Settings(BaseSettings):
    """What a deployment decides about the gateway."""

    model_config = SettingsConfigDict(
        env_prefix="LABELTASK_", env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    namespace: Annotated[str, Field(max_length=63, pattern=NAME_PATTERN)]
    """Namespace of the LabelTasks and their Secrets. No default: a wrong guess would work until it does harm."""
    listen_host: str = "0.0.0.0"  # noqa: S104 - a pod is reached by its own address
    listen_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    connections: dict[Annotated[str, Field(max_length=63, pattern=QUEUE_PATTERN)], NamedConnection] = Field(
        default_factory=dict
    )
    """Connections that callers choose by SITE: ``{"warehouse": {"secretName": "db", "key": "connection.json"}}``."""
    default_connection: str | None = None
    """The connection of requests with neither SITE nor SITE_CONFIG; also where the history of tasks is read."""
    history_schemas: tuple[Identifier, ...] = ()
    """Schemas whose ``state`` table answers for tasks that are gone from the cluster, in this order."""
    default_rules: Path | None = None
    """File with the platform's rules for an empty PATTERN: ``{model type: {predict type: PATTERN}}``."""
    labelling_rules: LabellingRules = LabellingRules()
    """The same as the operator's: a dump must name one of its conflict groups."""
    allowed_hosts: tuple[str, ...] = ()
    """Host names, addresses and networks (CIDR) that SITE_CONFIG may name; empty allows any public one."""
    allowed_ports: tuple[Annotated[int, Field(ge=1, le=65535)], ...] = ()
    """Ports that SITE_CONFIG may name; empty allows any."""
    allowed_schemas: tuple[Identifier, ...] = ()
    """Schemas that requests may name; empty allows each that the account in use can reach."""
    require_tls: TlsMode | None = None
    """Least encryption of every connection; None: none need have any."""
    auth_mode: Literal["none", "token", "kubernetes"] = "none"
    auth_tokens_dir: Path | None = None
    """Mode token: folder whose files hold one token each, as a mounted Secret has them; read again when it changes."""
    auth_audiences: tuple[str, ...] = ()
    """Mode kubernetes: audiences of which a token must have one; empty means those of the API server."""
    auth_open: tuple[OpenPath, ...] = ("docs", "metrics")
    """What is shown without a token, whatever the mode; the rest of the two takes one that may list tasks."""
    sample_timeout_seconds: Annotated[float, Field(ge=1, le=60)] = 5.0
    """Longest wait for one statement of a sample or an estimate."""
    trial_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 10.0
    """Longest run of the rules of one try-out, its process's start included."""
    max_body_bytes: Annotated[int, Field(ge=1024, le=64 * 1024 * 1024)] = 8 * 1024 * 1024
    """Largest request body: 100,000 keywords take 3 MB."""
    request_timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 10.0
    """Longest wait for one answer of the API server or the database, and for a caller's body."""
    readiness_timeout_seconds: Annotated[float, Field(gt=0, le=60)] = 10.0
    """As long as a request waits: a slow API server must not make every gateway unready at once. Shorter than the
    probe's timeout in the chart."""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @field_validator("allowed_hosts")
    @classmethod
    def _are_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        AllowedHosts(value)
        return value

    @model_validator(mode="after")
    def _default_is_named(self) -> Self:
        if self.default_connection is not None and self.default_connection not in self.connections:
            raise ValueError("default_connection must be one of the names in connections")
        if self.auth_mode == "token" and self.auth_tokens_dir is None:
            raise ValueError("auth_mode token needs auth_tokens_dir: the folder with the tokens")
        if self.history_schemas and self.default_connection is None:
            raise ValueError("history_schemas needs default_connection: that is where the tables are read")
        return self
