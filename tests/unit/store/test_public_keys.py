"""Who learns a password that MySQL's caching_sha2_password asks for: whoever answers, unless TLS says otherwise."""

import socket
from itertools import cycle

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from labeltask_contract.connection import parse_connection
from labeltask_contract.reasons import Reason
from labeltask_store.connection import Driver, classify, open_connection
from labeltask_testing.certificates import make_authority
from labeltask_testing.fake_mysql import SCRAMBLE, FakeServer, greet, receive, send

PASSWORD = "canary-密"
PLUGIN = "caching_sha2_password"


class Impostor:
    """Speaks as a MySQL that does not know the account yet, so that it has to get the whole password."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self._key = rsa.generate_private_key(65537, 2048)
        self._server = FakeServer(self._talk)
        self.port = self._server.port
        self.close = self._server.close

    def _talk(self, client: socket.socket) -> None:
        greet(client, PLUGIN)
        self.received.append(receive(client))
        send(client, 2, b"\x01\x04")  # not in my cache
        self.received.append(receive(client))
        public = self._key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        send(client, 4, b"\x01" + public)
        self.received.append(receive(client))
        send(client, 6, b"\xff\x15\x04#28000now I know")

    def learnt(self) -> str:
        """Return the password."""
        oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)  # noqa: S303 - the protocol's choice
        mixed = self._key.decrypt(self.received[2][1:], oaep)
        return bytes(one ^ other for one, other in zip(mixed, cycle(SCRAMBLE), strict=False)).rstrip(b"\0").decode()


@pytest.mark.parametrize("driver", ["mysqlclient", "pymysql"])
def test_without_tls_it_goes_to_whoever_answers_and_with_proof_of_identity_nothing_does(driver: Driver) -> None:
    impostor = Impostor()
    plain = parse_connection({"host": "127.0.0.1", "port": impostor.port, "user": "a", "password": PASSWORD})
    with pytest.raises(Exception, match="now I know"):
        open_connection(plain, driver, connect_seconds=5, read_seconds=5)
    impostor.close()
    assert impostor.received[1][1:] == b"\x02", "asked for the key"
    assert impostor.learnt() == PASSWORD

    impostor = Impostor()
    tls = {"ca": make_authority("an authority").pem}
    assert refusal_of(impostor, driver, tls) is Reason.TLS_REFUSED
    assert impostor.received == []


@pytest.mark.parametrize("driver", ["mysqlclient", "pymysql"])
def test_where_encryption_is_required_nothing_goes_to_a_server_that_offers_none(driver: Driver) -> None:
    # Left to itself, MariaDB's library would send the password in clear.
    impostor = Impostor()
    assert refusal_of(impostor, driver, {"mode": "required"}) is Reason.TLS_REFUSED
    assert impostor.received == []


def refusal_of(impostor: Impostor, driver: Driver, tls: dict[str, str]) -> Reason:
    """Return why no connection can be had."""
    asked = parse_connection(
        {"host": "127.0.0.1", "port": impostor.port, "user": "a", "password": PASSWORD, "tls": tls}
    )
    with pytest.raises(Exception, match=r"SSL|TLS") as caught:
        open_connection(asked, driver, connect_seconds=5, read_seconds=5)
    impostor.close()
    failure = classify(caught.value, asked, connecting=True)
    assert failure is not None
    return failure.reason
