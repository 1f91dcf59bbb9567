import json

import pytest

from labeltask_contract.connection import TlsMode, load_connection, parse_connection
from labeltask_contract.errors import InvalidTask
from labeltask_testing.certificates import make_authority

CANARY = "hunter2-canary"
CA = make_authority("an authority").pem
WHOLE = {"host": "db.example", "port": 3306, "user": "label", "password": CANARY, "db": "wh", "charset": "utf8"}


def test_a_connection_survives_the_way_through_its_secret() -> None:
    password = "p@ss:/%#?'\"\\密"
    connection = parse_connection({**WHOLE, "password": password})
    again = load_connection(connection.to_json())
    assert again == connection
    assert again.password.get_secret_value() == password


PLAIN, ENCRYPTED, PROVED = None, {"mode": "required"}, {"mode": "verify-identity", "ca": CA}


@pytest.mark.parametrize(
    ("least", "enough"),
    [
        (None, [PLAIN, ENCRYPTED, PROVED]),
        (TlsMode.REQUIRED, [ENCRYPTED, PROVED]),
        (TlsMode.VERIFY_IDENTITY, [PROVED]),
    ],
)
def test_a_deployment_may_ask_that_connections_are_encrypted_or_that_servers_prove_their_names(
    least: TlsMode | None, enough: list[object]
) -> None:
    for tls in (PLAIN, ENCRYPTED, PROVED):
        problem = parse_connection({**WHOLE, "tls": tls}).tls_problem(least)
        wanted = f"must have at least the mode {least}, which this deployment asks of every connection"
        assert problem == (None if tls in enough else wanted)


def test_a_port_written_as_digits_is_a_port() -> None:
    assert parse_connection({**WHOLE, "port": "3306"}).port == 3306


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"port": "33o6"}, "/SITE_CONFIG/port: must be a number from 1 to 65535"),
        ({"port": True}, "/SITE_CONFIG/port: must be a number from 1 to 65535"),
        ({"port": 3306.0}, "/SITE_CONFIG/port: must be a number from 1 to 65535"),
        ({"port": 0}, "/SITE_CONFIG/port: must be a number from 1 to 65535"),
        ({"host": "mysql://db"}, "/SITE_CONFIG/host: must be a host name or an IP address"),
        ({"host": "db/../x"}, "/SITE_CONFIG/host: must be a host name or an IP address"),
        ({"host": ""}, "/SITE_CONFIG/host: "),
        ({"user": "a\nb"}, "/SITE_CONFIG/user: must be 1 to 128 printable characters"),
        ({"password": "\ud83d"}, "/SITE_CONFIG/password: must be text that UTF-8 can carry"),
        ({"password": 7}, "/SITE_CONFIG/password: "),
        ({"unix_socket": "/run/x"}, "/SITE_CONFIG/unix_socket: is no known key; known are host, port"),
        ({"local_infile": 1}, "/SITE_CONFIG/local_infile: is no known key"),
        ({"\ud83d": 1}, "/SITE_CONFIG: is no JSON text"),
        ({"tls": True}, '/SITE_CONFIG/tls: must be {"mode": "verify-identity", "ca": "<PEM text>"} or'),
        ({"tls": {}}, '/SITE_CONFIG/tls: must be {"mode": "verify-identity", "ca": "<PEM text>"} or'),
        ({"tls": {"mode": "required", "ca": CA}}, "required takes no ca, as it checks nobody"),
        ({"tls": {"mode": "verify-ca", "ca": CA}}, "/SITE_CONFIG/tls/mode: must be verify-identity or required"),
        ({"tls": {"ca": ""}}, "/SITE_CONFIG/tls/ca: must be certificates in PEM"),
        ({"tls": {"ca": "/etc/ssl/ca.pem"}}, "/SITE_CONFIG/tls/ca: must be certificates in PEM"),
        ({"tls": {"ca": "憑證"}}, "/SITE_CONFIG/tls/ca: must be certificates in PEM"),
        ({"tls": {"ca": CA + " " * 262_144}}, "/SITE_CONFIG/tls/ca: must be certificates in PEM, 262,144"),
        ({"tls": {"ca": CA + f"-----BEGIN PRIVATE KEY-----\n{CANARY}"}}, "/SITE_CONFIG/tls/ca: must be certificates"),
        ({"tls": {"ca": CA, "cert": CANARY}}, "/SITE_CONFIG/tls/cert: is no known key; known are mode, ca"),
    ],
)
def test_a_wrong_key_is_named_and_the_password_never_shown(change: dict[str, object], text: str) -> None:
    with pytest.raises(InvalidTask) as caught:
        parse_connection({**WHOLE, **change})
    assert text in str(caught.value)
    assert CANARY not in repr(caught.value)
    str(caught.value).encode()


@pytest.mark.parametrize(
    "host",
    [
        *(
            "mysql://db",
            "jdbc:mysql://db/x",
            "file:///etc/passwd",
            "gopher://db:70/_",
            "//db",
            "db/x",
            "db?ssl=0",
            "db#x",
        ),
        *(
            "user@db",
            "user:word@db",
            "db;x",
            "db,other",
            "(address=db)",
            "/run/mysqld.sock",
            "./x",
            ".",
            "-",
            ":",
            "[::1]",
        ),
        *("db\n", "db\r\nx", "\tdb", "d\x00b", "db\x7f", "d b", "db%00", "fe80::1%eth0", "db\u2028", "ｄｂ", "資料庫"),
    ],
)
def test_a_host_is_a_name_or_an_address_and_nothing_that_a_driver_could_read_otherwise(host: str) -> None:
    with pytest.raises(InvalidTask) as caught:
        parse_connection({**WHOLE, "host": host})
    message = "must be a host name or an IP address, without scheme, port or path"
    assert str(caught.value) == f"/SITE_CONFIG/host: {message}"


@pytest.mark.parametrize(
    "option",
    [
        *("unix_socket", "local_infile", "client_flag", "init_command", "read_default_file", "read_default_group"),
        *("plugin_dir", "auth_plugin_map", "server_public_key", "ssl", "ssl_ca", "ssl_mode", "ssl_disabled", "conv"),
        *("sql_mode", "autocommit", "cursorclass", "named_pipe", "bind_address", "passwd", "database", "defer_connect"),
    ],
)
def test_no_option_of_a_driver_is_a_callers_to_set(option: str) -> None:
    with pytest.raises(InvalidTask) as caught:
        parse_connection({**WHOLE, option: 1})
    known = "host, port, user, password, db, charset, tls"
    assert str(caught.value) == f"/SITE_CONFIG/{option}: is no known key; known are {known}"


@pytest.mark.parametrize("tls", [{"mode": "verify-identity", "ca": CA}, {"ca": CA + CA}, {"mode": "required"}])
def test_the_encryption_that_is_asked_for_survives_too(tls: dict[str, str]) -> None:
    connection = parse_connection({**WHOLE, "tls": tls})
    assert load_connection(connection.to_json()) == connection
    assert connection.tls is not None
    assert (connection.tls.ca, connection.proves_its_name) == (tls.get("ca"), "ca" in tls)
    assert hash(connection) != hash(parse_connection(WHOLE))


def test_a_missing_key_is_named_without_showing_its_neighbours() -> None:
    with pytest.raises(InvalidTask) as caught:
        parse_connection({key: value for key, value in WHOLE.items() if key != "port"})
    assert str(caught.value) == "/SITE_CONFIG/port: is missing"


def test_what_is_no_object_is_refused() -> None:
    with pytest.raises(InvalidTask, match="must be an object with host, port, user and password"):
        parse_connection("db:3306")


def test_neither_repr_nor_key_shows_the_password() -> None:
    connection = parse_connection(WHOLE)
    assert CANARY not in repr(connection)
    assert CANARY not in str(connection)
    assert connection.key == "label@db.example:3306"
    assert CANARY not in json.dumps(connection.model_dump(mode="json"))


def test_an_ipv6_address_is_shown_in_brackets() -> None:
    assert parse_connection({**WHOLE, "host": "2001:db8::1"}).address == "[2001:db8::1]:3306"
