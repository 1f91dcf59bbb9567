"""A network that swallows what operator and API server send each other: nothing is refused, nothing is closed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from labeltask_testing.cluster_commands import container_process
from labeltask_testing.installation import Installation
from labeltask_testing.node_faults import on_node
from labeltask_testing.operator_process import operator_pods

_SERVICE_PORT, _SERVER_PORT = "443", "6443"
_TABLE = ("iptables", "--wait", "--table", "raw")
"""Comes before all address translation: pods are seen with their own addresses."""


@contextmanager
def swallowed_packets(installation: Installation) -> Iterator[None]:
    """Nothing between operator and API server arrives meanwhile."""
    with _dropped(_address(installation)):
        yield


@contextmanager
def hanging_connections(installation: Installation) -> Iterator[Callable[[], int]]:
    """No connection that the operator has to the API server now carries anything meanwhile; new ones do.

    Gives a function that counts the packets swallowed so far.
    """
    address = _address(installation)
    with ExitStack() as hanging:
        # Meanwhile none can be made that is not seen.
        with swallowed_packets(installation):
            ports = _ports_in_use(installation)
            for port in ports:
                hanging.enter_context(_dropped(address, port))
        yield lambda: sum(_count(port) for port in ports)


def _address(installation: Installation) -> str:
    (pod,) = operator_pods(installation)
    return str(pod["status"]["podIP"])


def _ports_in_use(installation: Installation) -> list[str]:
    """The operator's own ports of its connections to the API server."""
    (pod,) = operator_pods(installation)
    _, process = container_process(pod["metadata"]["name"], installation.namespace, "operator")
    sockets = ("ss", "--no-header", "--numeric", "--tcp", "state", "established", f"( dport = :{_SERVICE_PORT} )")
    lines = on_node("nsenter", "--target", str(process), "--net", *sockets).splitlines()
    # Columns: bytes received, bytes to be sent, own address, the other's.
    return [line.split()[2].rpartition(":")[2] for line in lines]


@contextmanager
def _dropped(address: str, port: str | None = None) -> Iterator[None]:
    own, its = (("--sport", port), ("--dport", port)) if port else ((), ())
    rules = (
        ("PREROUTING", "--source", address, "--protocol", "tcp", "--dport", _SERVICE_PORT, *own, "--jump", "DROP"),
        ("OUTPUT", "--destination", address, "--protocol", "tcp", "--sport", _SERVER_PORT, *its, "--jump", "DROP"),
    )
    with ExitStack() as undo:
        for rule in rules:
            on_node(*_TABLE, "--insert", *rule)
            undo.callback(on_node, *_TABLE, "--delete", *rule)
        yield


def _count(port: str) -> int:
    """Packets that the rules of a port have swallowed; the first column of the listing."""
    lines = on_node(*_TABLE, "--list", "--verbose", "--exact", "--numeric").splitlines()
    return sum(int(line.split()[0]) for line in lines if f":{port} " in f"{line} ")
