"""Which database hosts a caller may name in SITE_CONFIG: judged on what is written and on what it resolves to.

Without an allow-list any host goes but the ones that lead back into this machine, to a cloud's metadata service or to
the API server: a caller who may choose the address must not reach what only the cluster itself should reach. With a
list, a name goes when the list names it, or when each of its addresses lies in the list's networks.

A name may change its address after it was judged (DNS rebinding). Where a list of networks let a name pass, the task
keeps the address in its place, so the worker connects to what was judged. A server that must prove its name by a
certificate (``tls``) keeps the name: one elsewhere can't prove it, and is told nothing before. A name that the list
itself names is trusted as a name, and a deployment without a list judges the name of the moment only: there a
NetworkPolicy on the worker's pods is what keeps it from inward addresses.
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from typing import NamedTuple

from labeltask_gateway.errors import ResolverSilent

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LOCAL_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback", "metadata.google.internal")
# Metadata services outside the link-local range: AWS by IPv6, Alibaba, Azure, Oracle.
_METADATA = frozenset(
    ipaddress.ip_address(text) for text in ("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
)


Resolve = Callable[[str], Sequence[Address] | None]
"""Name -> every address of it; None when the resolver does not answer in time."""


class Judgement(NamedTuple):
    """What was found of a host."""

    refusal: str | None
    """Why it may not be used; None when it may."""
    address: str | None = None
    """An address of a name that was judged; None for what needs no judging of addresses, or has none now."""
    is_unknown: bool = False
    """Whether nothing could be judged, because the name has no address now."""


class AllowedHosts:
    """The deployment's list. ``AllowedHosts(["db.example", "10.0.0.0/8"]).refusal("10.1.2.3")`` is None.

    :raises ValueError: when an entry is neither a host name, an address nor a network.
    """

    def __init__(
        self, entries: Sequence[str], resolve: Resolve | None = None, inner_addresses: Sequence[str] = ()
    ) -> None:
        self._resolve = resolve or (lambda _: ())
        self._inner = {ipaddress.ip_address(text) for text in inner_addresses}
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
        return self.judge(host).refusal

    def judge(self, host: str) -> Judgement:
        """Return whether ``host`` may be used; a name is resolved once, and every address of it must pass.

        :raises ResolverSilent: when a list has to be compared with addresses that are not to be had.
        """
        name, address = _plain(host), _address(host)
        if name in self._names:
            return Judgement(None)
        if address is not None:
            return Judgement(None if self._passes(address) else self._reason(_INWARD_ADDRESS))
        if self.is_open and (name in _LOCAL_NAMES or name.endswith(".localhost")):
            return Judgement(_LOCAL_NAME)
        if not self.is_open and not self._networks:
            return Judgement(_NOT_LISTED)
        resolved = self._resolve(host)
        if resolved is None and not self.is_open:
            raise ResolverSilent
        found = [_unmapped(each) for each in resolved or ()]
        if not all(map(self._passes, found)):
            return Judgement(self._reason(_INWARD_NAME))
        if not found:
            # Without a list there is nothing to protect: the worker will not find it either, and says so on the task.
            return Judgement(None if self.is_open else _NOT_LISTED, is_unknown=True)
        return Judgement(None, str(found[0]))

    def _passes(self, address: Address) -> bool:
        if self.is_open:
            return not (_is_inward(address) or address in self._inner)
        return any(address in network for network in self._networks)

    def _reason(self, when_open: str) -> str:
        return when_open if self.is_open else _NOT_LISTED


_NOT_LISTED = "is not among the hosts that this deployment allows; ask its operators to add it, or use SITE"
_INWARD_ADDRESS = "must not be a loopback, link-local, multicast or metadata address; write the database's own"
_INWARD_NAME = "has an address that is a loopback, link-local, multicast or metadata one; write the database's own name"
_LOCAL_NAME = "must not be a name of the machine itself; the worker runs elsewhere, write the database's own name"


def port_refusal(port: int, allowed: Collection[int]) -> str | None:
    """Return why a port may not be used, or None when it may; without ``allowed`` any may."""
    if not allowed or port in allowed:
        return None
    return f"must be a port that this deployment allows: {', '.join(map(str, sorted(allowed)))}"


class Resolver:
    """The system's resolver with a time limit. A name server that is silent holds a few threads here, no caller's.

    Whoever asks for a name that is being looked up already waits for that lookup, and no longer than the first: a name
    that no server answers costs all its callers together one wait, as long as the system keeps trying.
    """

    def __init__(self, timeout_seconds: float = 3.0) -> None:
        self._timeout_seconds = timeout_seconds
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="resolve")
        self._lock = threading.Lock()
        self._asked: dict[str, tuple[Future[list[Address]], float]] = {}
        """Name -> its lookup, and until when it is waited for."""

    def __call__(self, host: str) -> Sequence[Address] | None:
        """Return every address of ``host``, IPv4 and IPv6; None when they are not known in time."""
        name = _plain(host)
        with self._lock:
            known = self._asked.get(name)
            lookup, until = asked = known or (
                self._threads.submit(_lookup, host),
                time.monotonic() + self._timeout_seconds,
            )
            self._asked[name] = asked
        if known is None:
            # Outside the lock: where it is done already, this calls at once.
            lookup.add_done_callback(lambda _: self._forget(name))
        try:
            return lookup.result(max(0.0, until - time.monotonic()))
        except (TimeoutError, CancelledError):
            # One that has not even begun, because all threads wait for other names, need not begin any more.
            lookup.cancel()
            return None

    def _forget(self, name: str) -> None:
        with self._lock:
            self._asked.pop(name, None)


def _lookup(host: str) -> list[Address]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    # An IPv6 address may carry its interface: fe80::1%eth0.
    return list(dict.fromkeys(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found))


def is_address(text: str) -> bool:
    """Tell whether ``text`` is an IP address in its usual spelling."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


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
    return _unmapped(found)


def _unmapped(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _is_inward(address: Address) -> bool:
    inward = address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast
    return inward or address in _METADATA
