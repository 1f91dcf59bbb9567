import pytest

from labeltask_gateway.hosts import AllowedHosts


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
