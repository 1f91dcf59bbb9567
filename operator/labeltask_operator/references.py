"""What a task or dump refers to, its connection among it: found, or told by object and key and never by value."""

from collections.abc import Mapping
from dataclasses import dataclass

from labeltask_contract.connection import Connection, load_connection
from labeltask_contract.errors import InvalidTask
from labeltask_contract.reasons import Reason
from labeltask_contract.schemas import schema_problem
from labeltask_contract.spec import ConnectionSource
from labeltask_operator.cluster import Cluster
from labeltask_operator.settings import Settings


@dataclass(frozen=True)
class FileSource:
    """One key of a Secret or ConfigMap that the worker finds as a file."""

    kind: str
    name: str
    key: str

    def __str__(self) -> str:
        return f'key "{self.key}" of {self.kind} "{self.name}"'


@dataclass(frozen=True)
class NotResolved:
    """Something is missing (``waits``: it may still come) or wrong."""

    reason: Reason
    message: str
    waits: bool


class Unresolved(Exception):
    """Ends a resolution; ``outcome`` is its result."""

    def __init__(self, reason: Reason, message: str, waits: bool = False) -> None:
        self.outcome = NotResolved(reason, message, waits)
        super().__init__(message)


def _connection_source(chosen: ConnectionSource | None, settings: Settings) -> FileSource:
    if chosen is not None and chosen.secret_key_ref is not None:
        return FileSource("Secret", chosen.secret_key_ref.name, chosen.secret_key_ref.key)
    site = settings.default_connection if chosen is None else chosen.site
    if site is None:
        message = "no connection is named and the deployment has no default one; set connectionFrom to a Secret's key"
        raise Unresolved(Reason.SPEC_INVALID, message)
    if site not in settings.connections:
        known = ", ".join(sorted(settings.connections)) or "none"
        message = f'connectionFrom.site: the deployment knows no connection "{site}"; it knows: {known}'
        raise Unresolved(Reason.SPEC_INVALID, message)
    return named_source(site, settings)


def named_source(site: str, settings: Settings) -> FileSource:
    """Return where a connection that the deployment names stands."""
    named = settings.connections[site]
    return FileSource("Secret", named.secret_name, named.key)


def check_schemas(named: Mapping[str, str], settings: Settings) -> None:
    """Return when every schema may be used; ``named`` is the field of spec that names each.

    :raises Unresolved:
    """
    problems = {field: schema_problem(name, settings.allowed_schemas) for field, name in named.items()}
    found = [f"spec.{field}: {problem}" for field, problem in problems.items() if problem is not None]
    if found:
        raise Unresolved(Reason.SPEC_INVALID, "; ".join(found))


def find_connection(
    chosen: ConnectionSource | None, cluster: Cluster, settings: Settings
) -> tuple[FileSource, Connection]:
    """Return where the connection stands, and what it is.

    :raises Unresolved:
    """
    source = _connection_source(chosen, settings)
    return source, read_connection(source, cluster, settings)


def read_connection(source: FileSource, cluster: Cluster, settings: Settings) -> Connection:
    """Return the connection of one Secret's key.

    :raises Unresolved:
    """
    content = read_file(source, cluster)
    try:
        connection = load_connection(content)
    except InvalidTask as error:
        message = f"{source} holds no connection: {error}"
        raise Unresolved(Reason.SPEC_INVALID, message) from None
    tls_problem = connection.tls_problem(settings.require_tls)
    if tls_problem is not None:
        raise Unresolved(Reason.SPEC_INVALID, f"{source}: tls {tls_problem}")
    return connection


def read_file(source: FileSource, cluster: Cluster) -> bytes:
    """Return the content of one key.

    :raises Unresolved: SecretMissing, which may still be cured.
    """
    found = cluster.read_secret(source.name) if source.kind == "Secret" else cluster.read_config_map(source.name)
    if found is None:
        message = f'{source.kind} "{source.name}" does not exist in this namespace; create it'
        raise Unresolved(Reason.SECRET_MISSING, f'{message} with key "{source.key}"', waits=True)
    if source.key not in found:
        held = ", ".join(sorted(found)) or "none"
        message = f'{source.kind} "{source.name}" has no key "{source.key}"; it has: {held}'
        raise Unresolved(Reason.SECRET_MISSING, message, waits=True)
    return found[source.key]
