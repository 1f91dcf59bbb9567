import ipaddress
import socket
import threading
from typing import Any

import pytest

from labeltask_gateway.errors import ResolverSilent
from labeltask_gateway.hosts import AllowedHosts, Judgement, Resolver, is_address


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.8.8.8",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",  # noqa: S104 - an address to refuse, not to bind
        "0",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "2002:7f00:1::",
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "224.0.0.1",
        "localhost",
        "LOCALHOST.",
        "db.localhost",
        "metadata.google.internal",
    ],
)
def test_without_a_list_what_leads_inward_is_refused(host: str) -> None:
    assert AllowedHosts(()).refusal(host) is not None


@pytest.mark.parametrize(
    "host", ["db.example", "mariadb", "10.1.2.3", "203.0.113.9", "2001:db8::1", "localhost.example"]
)
def test_without_a_list_any_other_host_goes(host: str) -> None:
    assert AllowedHosts(()).refusal(host) is None


def test_what_is_listed_goes_and_nothing_else() -> None:
    hosts = AllowedHosts(("db.example", "10.0.0.0/8", "127.0.0.1", "2001:db8::/32"))
    assert [hosts.refusal(host) for host in ("DB.example.", "10.255.0.1", "127.0.0.1", "2001:db8::5")] == [None] * 4
    for host in ("other.example", "127.0.0.2", "11.0.0.1", "x.db.example", "::1"):
        assert "is not among the hosts" in str(hosts.refusal(host))


@pytest.mark.parametrize("entry", ["", ".", "10.0.0.1/8", "*.example", "a b"])
def test_an_entry_that_is_no_host_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=r"allowed_hosts|host bits"):
        AllowedHosts((entry,))


ADDRESSES = {
    "public.example": ["203.0.113.9", "2001:db8::9"],
    "private.example": ["10.1.2.3"],
    "service.ns.svc.cluster.local": ["10.96.7.7"],
    "metadata.example": ["169.254.169.254"],
    "both.example": ["203.0.113.9", "127.0.0.1"],
    "mapped.example": ["::ffff:169.254.169.254"],
    "six.example": ["fe80::1"],
    "kubernetes.default.svc": ["10.96.0.1"],
}


def judge(host: str, *entries: str) -> Judgement:
    def resolve(name: str) -> list[Any]:
        return [ipaddress.ip_address(text) for text in ADDRESSES.get(name, ())]

    return AllowedHosts(entries, resolve, ["10.96.0.1"]).judge(host)


@pytest.mark.parametrize(
    "host",
    ["metadata.example", "both.example", "mapped.example", "six.example", "kubernetes.default.svc", "10.96.0.1"],
)
def test_without_a_list_no_address_of_a_name_may_lead_inward(host: str) -> None:
    assert judge(host).refusal is not None


@pytest.mark.parametrize("host", ["public.example", "private.example", "service.ns.svc.cluster.local"])
def test_without_a_list_private_addresses_and_services_go(host: str) -> None:
    assert judge(host) == Judgement(None, ADDRESSES[host][0])


def test_without_a_list_a_name_without_address_is_left_to_the_worker() -> None:
    assert judge("unknown.example") == Judgement(None, None, is_unknown=True)


def test_a_name_goes_when_every_address_lies_in_the_listed_networks() -> None:
    assert judge("private.example", "10.0.0.0/8") == Judgement(None, "10.1.2.3")
    assert judge("public.example", "203.0.113.0/24").refusal is not None
    assert judge("public.example", "203.0.113.0/24", "2001:db8::/32") == Judgement(None, "203.0.113.9")
    assert judge("both.example", "203.0.113.0/24").refusal is not None
    assert judge("unknown.example", "10.0.0.0/8").refusal is not None


def test_a_listed_name_is_trusted_as_a_name_and_not_resolved() -> None:
    assert judge("metadata.example", "metadata.example") == Judgement(None, None)


def test_where_the_resolver_is_silent_a_list_of_networks_can_not_be_compared() -> None:
    with pytest.raises(ResolverSilent):
        AllowedHosts(["10.0.0.0/8"], lambda _: None).judge("db.example")
    assert AllowedHosts([], lambda _: None).judge("db.example") == Judgement(None, is_unknown=True)
    assert AllowedHosts(["db.example"], lambda _: None).judge("db.example") == Judgement(None)


def test_the_api_servers_address_goes_when_it_is_listed() -> None:
    assert judge("10.96.0.1", "10.96.0.0/16") == Judgement(None, None)


def test_the_systems_resolver_gives_addresses_and_none_for_what_has_none() -> None:
    resolve = Resolver()
    assert [str(found) for found in resolve("127.0.0.1") or ()] == ["127.0.0.1"]
    assert resolve("a" * 70 + ".invalid") == []


def test_a_resolver_that_is_silent_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    answered, asked = threading.Event(), []

    def silent(host: str, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        assert answered.wait(60)
        return [(0, 0, 0, "", ("203.0.113.9", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    resolve = Resolver(0.05)
    # The second caller waits for the same lookup, in another spelling: nobody looks twice.
    assert (resolve("db.example"), resolve("DB.example."), asked) == (None, None, ["db.example"])
    answered.set()
    patient = Resolver(60)
    assert [str(found) for found in patient("db.example") or ()] == ["203.0.113.9"]
    assert [str(found) for found in patient("db.example") or ()] == ["203.0.113.9"]
    assert asked == ["db.example"] * 3


@pytest.mark.parametrize(
    ("text", "expected"), [("10.96.0.1", True), ("::1", True), ("api.example", False), ("", False)]
)
def test_an_address_is_known(text: str, expected: bool) -> None:
    assert is_address(text) is expected
