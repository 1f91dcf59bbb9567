"""Which database hosts a caller may name in SITE_CONFIG. Judged on what is written; nothing is resolved here.

Without an allow-list any host goes but the ones that lead back into this machine or to a cloud's metadata service:
a caller who may choose the address must not reach what only the cluster itself should reach.
"""

import ipaddress
import socket
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LOCAL_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback", "metadata.google.internal")
# Metadata services outside the link-local range: AWS by IPv6, Alibaba, Azure, Oracle.
_METADATA = frozenset(
    ipaddress.ip_address(text) for text in ("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
)


class AllowedHosts:
    """The deployment's list. ``AllowedHosts(["db.example", "10.0.0.0/8"]).refusal("10.1.2.3")`` is None.

    :raises ValueError: when an entry is neither a host name, an address nor a network.
    """

    def __init__(self, entries: Sequence[str]) -> None:
        self._networks: list[Network] = []
        self._names: set[str] = set()
        for entry in entries:
            if "/" in entry or _address(entry) is not None:
                self._networks.append(ipaddress.ip_network(entry))
            elif entry.strip(".") and not entry.startswith("*") and entry.isprintable() and " " not in entry:
                self._names.add(_plain(entry))
            else:
                raise ValueError("allowed_hosts holds host names, addresses and networks such as 10.0.0.0/8")

    @property
    def is_open(self) -> bool:
        """Whether the deployment has no list."""
        return not self._networks and not self._names

    def refusal(self, host: str) -> str | None:
        """Return why ``host`` may not be used, or None when it may."""
        name, address = _plain(host), _address(host)
        if name in self._names or (address is not None and any(address in network for network in self._networks)):
            return None
        if not self.is_open:
            return "is not among the hosts that this deployment allows; ask its operators to add it, or use SITE"
        if address is not None and _is_inward(address):
            return "must not be a loopback, link-local, multicast or metadata address; write the database's own"
        if name in _LOCAL_NAMES or name.endswith(".localhost"):
            return "must not be a name of the machine itself; the worker runs elsewhere, write the database's own name"
        return None


def _plain(name: str) -> str:
    return name.lower().rstrip(".")


def _address(host: str) -> Address | None:
    """Return the address that ``host`` is written as, in any spelling that a resolver takes for one (127.1, 0x7f.1)."""
    try:
        found: Address = ipaddress.ip_address(host)
    except ValueError:
        try:
            found = ipaddress.IPv4Address(socket.inet_aton(_plain(host)))
        except OSError:
            return None
    if isinstance(found, ipaddress.IPv6Address):
        return found.ipv4_mapped or found.sixtofour or found
    return found


def _is_inward(address: Address) -> bool:
    inward = address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast
    return inward or address in _METADATA
