"""Encrypted connections to a real server, by both drivers: proved, or refused with what to do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from database.test_refusals import expect_failure
from database.worker_runs import Stage
from labeltask_contract.connection import parse_connection
from labeltask_contract.errors import TaskFailure
from labeltask_contract.reasons import Reason
from labeltask_gateway.errors import DatabaseUnavailable
from labeltask_gateway.samples import DatabaseTables
from labeltask_operator.state_store import DatabaseTrouble, MySqlStateStore
from labeltask_store.connection import Driver, classify, open_connection, rows_of
from labeltask_testing.certificates import Authority, make_authority
from labeltask_testing.mariadb import Server, running_server
from labeltask_testing.source_rows import generate_posts

both_drivers = pytest.mark.parametrize("driver", ["mysqlclient", "pymysql"])

REQUIRED = {"mode": "required"}


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority("the company's authority")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def encrypted(authority: Authority, folder: Path) -> Iterator[Server]:
    """A server that proves to be 127.0.0.1 and takes encrypted connections only."""
    options = authority.sign("127.0.0.1", folder)
    with running_server(*options, "--require-secure-transport=ON", "--tls-version=TLSv1.2,TLSv1.3") as running:
        yield running


@pytest.fixture
def encrypted_stage(encrypted: Server, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(encrypted, tmp_path, "tls_input", "tls_output")
    made.create()
    yield made
    made.drop()


def take_certificate(server: Server) -> None:
    """Have the server show the certificate that is there now."""
    if server.kind.is_mysql:
        # Only at its start does it take one that is not right.
        server.stop()
        server.start()
    else:
        server.execute("FLUSH SSL")


@contextmanager
def presenting(server: Server, authority: Authority, host: str, folder: Path, expired: bool = False) -> Iterator[None]:
    """Have the server show another certificate for a while."""
    authority.sign(host, folder, expired)
    take_certificate(server)
    try:
        yield
    finally:
        authority.sign("127.0.0.1", folder)
        take_certificate(server)


def proving(authority: Authority) -> dict[str, str]:
    return {"mode": "verify-identity", "ca": authority.pem}


def version_spoken(server: Server, driver: Driver, tls: dict[str, str]) -> str:
    db = open_connection(parse_connection(server.site_config(tls=tls)), driver)
    try:
        return str(rows_of(db, "SHOW SESSION STATUS LIKE 'Ssl_version'")[0][1])
    finally:
        db.close()


def refusal(server: Server, driver: Driver, tls: dict[str, str] | None) -> TaskFailure:
    """Return what it means that no connection can be had."""
    connection = parse_connection(server.site_config(tls=tls))
    with pytest.raises(Exception, match=r"(?i)ssl|tls|denied|insecure") as caught:
        open_connection(connection, driver, connect_seconds=5)
    failure = classify(caught.value, connection, connecting=True)
    assert failure is not None
    return failure


@both_drivers
def test_a_server_that_proves_its_name_is_spoken_to_encrypted(
    encrypted: Server, authority: Authority, driver: Driver
) -> None:
    assert version_spoken(encrypted, driver, proving(authority)) == "TLSv1.3"
    assert version_spoken(encrypted, driver, {"ca": authority.pem}) == "TLSv1.3"
    several = {"ca": make_authority("another").pem + authority.pem}
    assert version_spoken(encrypted, driver, several) == "TLSv1.3"


@both_drivers
def test_required_encrypts_whoever_answers(encrypted: Server, driver: Driver) -> None:
    assert version_spoken(encrypted, driver, REQUIRED) == "TLSv1.3"


@both_drivers
def test_a_certificate_of_another_authority_is_refused(encrypted: Server, driver: Driver) -> None:
    # The name alone proves nothing.
    failure = refusal(encrypted, driver, proving(make_authority("the company's authority")))
    assert failure.reason is Reason.TLS_REFUSED
    for part in (f"127.0.0.1:{encrypted.port}", "certificate", "TLS 1.2", "tls.ca", "names 127.0.0.1"):
        assert part in failure.message


@both_drivers
@pytest.mark.parametrize(("host", "expired"), [("db.example", False), ("127.0.0.2", False), ("127.0.0.1", True)])
def test_a_certificate_of_another_host_or_another_time_is_refused(
    encrypted: Server, authority: Authority, folder: Path, driver: Driver, host: str, expired: bool
) -> None:
    with presenting(encrypted, authority, host, folder, expired):
        failure = refusal(encrypted, driver, proving(authority))
        assert version_spoken(encrypted, driver, REQUIRED) == "TLSv1.3"
    assert failure.reason is Reason.TLS_REFUSED
    assert "certificate" in failure.message


@both_drivers
@pytest.mark.parametrize("mode", ["required", "verify-identity"])
def test_a_server_without_tls_is_refused_when_encryption_is_wanted(
    server: Server, authority: Authority, driver: Driver, mode: str
) -> None:
    failure = refusal(server, driver, REQUIRED if mode == "required" else proving(authority))
    assert failure.reason is Reason.TLS_REFUSED
    assert f"no encrypted connection to 127.0.0.1:{server.port}" in failure.message


def test_a_server_whose_tls_is_too_old_is_refused(server: Server, authority: Authority, tmp_path: Path) -> None:
    if server.kind.is_mysql:
        pytest.skip("MySQL 8.0.28 and later have no TLS that is older than 1.2")
    old = ["--tls-version=TLSv1.1", "--ssl-cipher=ALL:@SECLEVEL=0"]
    drivers: tuple[Driver, Driver] = ("mysqlclient", "pymysql")
    with running_server(*authority.sign("127.0.0.1", tmp_path), *old) as outdated:
        for driver in drivers:
            assert refusal(outdated, driver, REQUIRED).reason is Reason.TLS_REFUSED
            # Who does not ask for encryption goes on as ever.
            plain = open_connection(parse_connection(outdated.site_config()), driver)
            assert rows_of(plain, "SHOW SESSION STATUS LIKE 'Ssl_version'") == [("Ssl_version", "")]
            plain.close()


@both_drivers
def test_an_account_that_must_be_encrypted_is_told_of_tls(encrypted: Server, driver: Driver) -> None:
    failure = refusal(encrypted, driver, None)
    # MariaDB says no more than that the account is denied.
    told = {
        "MariaDB": (Reason.ACCESS_DENIED, "set tls if the account needs encryption"),
        "MySQL": (Reason.TLS_REFUSED, "takes encrypted connections only"),
    }
    reason, text = told[encrypted.kind.name]
    assert failure.reason is reason
    assert text in failure.message


def test_a_task_runs_encrypted_from_its_first_row_to_its_last(encrypted_stage: Stage, authority: Authority) -> None:
    encrypted_stage.load(generate_posts(2_000, seed=1))
    task = encrypted_stage.task(batch_rows=100, slice_rows=500)
    task.site_config = encrypted_stage.server.site_config(tls=proving(authority))
    task.run_to_success()
    task.check()


def test_a_task_at_a_wrong_server_fails_with_what_to_do(encrypted_stage: Stage) -> None:
    task = encrypted_stage.task()
    task.site_config = encrypted_stage.server.site_config(tls=proving(make_authority("another")))
    address = encrypted_stage.connection.address
    expect_failure(task, Reason.TLS_REFUSED, address, "with a certificate of tls.ca", in_state=False)


def test_gateway_and_operator_look_over_the_same_encryption(encrypted_stage: Stage, authority: Authority) -> None:
    site: dict[str, Any] = encrypted_stage.server.site_config(tls=proving(authority))
    right = parse_connection(site)
    wrong = parse_connection({**site, "tls": proving(make_authority("another"))})
    document = encrypted_stage.task().document
    store = MySqlStateStore()
    opened = store.open_task(right, document).result(timeout=30)
    assert opened is not None
    found = DatabaseTables(5).states(right, encrypted_stage.output_schema, [document.task_id])
    assert found == {document.task_id: opened.state}
    with pytest.raises(DatabaseUnavailable):
        DatabaseTables(5).states(wrong, encrypted_stage.output_schema, [document.task_id])
    with pytest.raises(DatabaseTrouble, match=r"with a certificate of tls\.ca") as caught:
        store.open_task(wrong, document).result(timeout=30)
    assert caught.value.lasting
