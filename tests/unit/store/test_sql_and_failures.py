"""Names are quoted in one place; an error of either driver means the same."""

import MySQLdb  # type: ignore[import-untyped]
import pymysql
import pytest

from labeltask_contract.connection import parse_connection
from labeltask_contract.errors import TaskFailure
from labeltask_contract.reasons import Reason
from labeltask_store.connection import classify, is_conflict, is_lost
from labeltask_store.progress import rate_of_label
from labeltask_store.sql import marks, qualified, quote

CONNECTION = parse_connection({"host": "db", "port": 3307, "user": "u", "password": "canary"})
DRIVERS = [MySQLdb.OperationalError, pymysql.err.OperationalError]


@pytest.mark.parametrize("name", ["a", "wh_panel_mapping_Ptt", "9$-x", "-" * 64])
def test_an_identifier_is_put_in_back_ticks(name: str) -> None:
    assert quote(name) == f"`{name}`"


@pytest.mark.parametrize("name", ["", "a`b", "a.b", "a b", "a%b", "a\n", "表", "a" * 65, "a\x00", "ａ"])
def test_anything_else_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not an identifier"):
        quote(name)


def test_names_are_joined_and_values_are_marked() -> None:
    assert qualified("a", "b") == "`a`.`b`"
    assert marks(3) == "%s, %s, %s"


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1044, Reason.ACCESS_DENIED),
        (1045, Reason.ACCESS_DENIED),
        (1142, Reason.ACCESS_DENIED),
        (1143, Reason.ACCESS_DENIED),
        (1227, Reason.ACCESS_DENIED),
        (1129, Reason.ACCESS_DENIED),
        (3118, Reason.ACCESS_DENIED),
        (3955, Reason.ACCESS_DENIED),
        (1049, Reason.SCHEMA_MISSING),
        (1146, Reason.TABLE_MISSING),
        (1054, Reason.COLUMN_MISSING),
        (2003, Reason.SOURCE_UNREACHABLE),
        (2005, Reason.SOURCE_UNREACHABLE),
        (2026, Reason.TLS_REFUSED),
        (3159, Reason.TLS_REFUSED),
        (1114, Reason.DISK_FULL),
        (1021, Reason.DISK_FULL),
        (1290, Reason.OUTPUT_NOT_WRITABLE),
        (1836, Reason.OUTPUT_NOT_WRITABLE),
        (1665, Reason.OUTPUT_NOT_WRITABLE),
        (1173, Reason.OUTPUT_NOT_WRITABLE),
        (3098, Reason.OUTPUT_NOT_WRITABLE),
        (3750, Reason.OUTPUT_NOT_WRITABLE),
        (1153, Reason.ROW_TOO_LARGE),
        (1406, Reason.ROW_TOO_LARGE),
        (2006, Reason.CONNECTION_LOST),
        (2013, Reason.CONNECTION_LOST),
        (1927, Reason.CONNECTION_LOST),
        (4031, Reason.CONNECTION_LOST),
        (3032, Reason.CONNECTION_LOST),
        (1969, Reason.CONNECTION_LOST),
        (3024, Reason.CONNECTION_LOST),
        (1213, Reason.CONNECTION_LOST),
        (1366, Reason.CHARSET_UNFIT),
    ],
)
def test_an_error_of_the_database_has_a_reason_and_names_the_server(
    driver: type[Exception], code: int, reason: Reason
) -> None:
    failure = classify(driver(code, "the server's words"), CONNECTION, where="s.t")
    assert isinstance(failure, TaskFailure)
    assert failure.reason is reason
    assert "db:3307" in failure.message
    assert "the server's words" in failure.message
    assert "canary" not in failure.message


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_connection_that_ends_before_the_greeting_means_that_nobody_answers(driver: type[Exception]) -> None:
    failure = classify(driver(2013, "Lost connection"), CONNECTION, connecting=True)
    assert failure is not None
    assert failure.reason is Reason.SOURCE_UNREACHABLE


def test_a_disk_that_is_full_is_known_by_the_storage_engines_words_too() -> None:
    failure = classify(pymysql.err.InternalError(1030, 'Got error 28 "No space left on device"'), CONNECTION)
    assert failure is not None
    assert failure.reason is Reason.DISK_FULL


def test_other_errors_mean_nothing_here() -> None:
    assert classify(ValueError(1045, "x"), CONNECTION) is None
    assert classify(pymysql.err.ProgrammingError(1064, "syntax"), CONNECTION) is None
    assert not is_lost(OSError(2013, "x"))


@pytest.mark.parametrize("driver", DRIVERS)
def test_what_is_tried_again_is_told_apart(driver: type[Exception]) -> None:
    assert [code for code in (1045, 1205, 1213, 2006, 2013, 2003, 2026) if is_conflict(driver(code, ""))] == [
        1205,
        1213,
    ]
    assert [code for code in (1045, 1205, 1213, 2006, 2013, 2003, 2026) if is_lost(driver(code, ""))] == [
        2006,
        2013,
        2003,
        2026,
    ]
    assert is_lost(driver())


@pytest.mark.parametrize(
    ("rows", "authors", "rate"),
    [
        (0, 7, "0.00"),
        (7, 7, "100.00"),
        (1, 3, "33.33"),
        (2, 3, "66.67"),
        (1, 800, "0.13"),
        (9, 7, "128.57"),
        (0, 0, "0.00"),
    ],
)
def test_the_rate_has_two_decimals_with_halves_rounded_up(rows: int, authors: int, rate: str) -> None:
    assert rate_of_label(rows, authors) == rate
