"""Which database account a task runs with, for the gateway's own look at its tables.

Input: a task as observed, or nothing for one that is gone from the cluster; output: a connection that may be opened.
The account is read anew from its Secret each time, so a rotated password just works.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from labeltask_contract.connection import Connection, TlsMode, load_connection
from labeltask_contract.errors import InvalidTask
from labeltask_contract.spec import ConnectionSource
from labeltask_gateway.cluster import Cluster
from labeltask_gateway.errors import DatabaseUnavailable, NoAccount, SecretMissing
from labeltask_gateway.hosts import AllowedHosts, port_refusal
from labeltask_gateway.settings import NamedConnection

_UNKNOWN_HOST = 2005
"""MySQL's own number for a host name without address."""


@dataclass(frozen=True)
class Accounts:
    """The deployment's named connections, and the Secrets of tasks."""

    cluster: Cluster
    sites: Mapping[str, NamedConnection]
    default_site: str | None
    hosts: AllowedHosts
    ports: frozenset[int] = frozenset()
    """Ports that a caller's account may name; empty: any."""
    require_tls: TlsMode | None = None
    """Least encryption of every account, the deployment's own included; None: none need have any."""

    def of(self, source: ConnectionSource | None) -> Connection:
        """Return the account that ``spec.connectionFrom`` means; None means the deployment's default one.

        The host of an account that a caller brought is judged again, on its addresses of now, and replaced by the one
        that was judged: a name that has changed its address since must not lead the gateway elsewhere.

        :raises NoAccount: when the deployment has no such connection, the task's Secret is not there or holds none, or
            the host may not be used (any more).
        :raises DatabaseUnavailable: when the host's name has no address now.
        """
        if source is None or source.secret_key_ref is None:
            return self.of_site(source.site if source is not None else None)
        try:
            return self.pinned(self._read(source.secret_key_ref.name, source.secret_key_ref.key))
        except SecretMissing as error:
            # Whoever made the task named it wrong, or it is just being made or deleted.
            raise NoAccount(f"the task's connection can't be read: {error.cause}") from None

    def of_site(self, wanted: str | None) -> Connection:
        """Return the account of a connection that the deployment names; None means its default one.

        :raises NoAccount: when it names none so.
        :raises SecretMissing: when its Secret is not there or holds none.
        """
        site = wanted or self.default_site
        named = self.sites.get(site) if site is not None else None
        if named is None:
            raise NoAccount("the deployment has no connection for this task")
        return self._read(named.secret_name, named.key)

    def of_request(self, brought: Connection | None, site: str | None) -> Connection:
        """Return the account of a request: the one that it brings, else a connection that the deployment names.

        Raises what :meth:`pinned` and :meth:`of_site` raise.
        """
        return self.of_site(site) if brought is None else self.pinned(brought)

    def pinned(self, brought: Connection) -> Connection:
        """Return a caller's account with its host as the address that was judged; one that proves its name keeps it.

        :raises NoAccount: when it may not be used.
        :raises DatabaseUnavailable: when its name has no address now; whatever it is resolved to later is not judged.
        """
        judged = self.hosts.judge(brought.host)
        if judged.refusal is not None:
            raise NoAccount(f"the task's database host {judged.refusal}")
        refused_port = port_refusal(brought.port, self.ports)
        if refused_port is not None:
            raise NoAccount(f"the task's database port {refused_port}")
        if brought.proves_its_name:
            return brought
        if judged.is_unknown:
            raise DatabaseUnavailable(_UNKNOWN_HOST)
        return brought.model_copy(update={"host": judged.address or brought.host})

    def _read(self, name: str, key: str) -> Connection:
        content = self.cluster.read_secret_key(name, key)
        try:
            connection = load_connection(content)
        except InvalidTask as error:
            # Its words name the fields of the Secret, never what they hold.
            raise SecretMissing(f"the Secret {name} holds no connection under {key}: {error}") from None
        tls_problem = connection.tls_problem(self.require_tls)
        if tls_problem is not None:
            raise SecretMissing(f"the Secret {name} holds no connection to be used under {key}: tls {tls_problem}")
        return connection
