from datetime import datetime

import pytest

from labeltask_contract.times import TIME_HELP, format_time, parse_time


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2020-01-01", datetime(2020, 1, 1)),
        ("2020-02-29", datetime(2020, 2, 29)),
        ("2020-01-01 23:59:59", datetime(2020, 1, 1, 23, 59, 59)),
        ("2020-01-01T00:00:00", datetime(2020, 1, 1)),
    ],
)
def test_a_date_or_a_moment_to_the_second_is_read(text: str, moment: datetime) -> None:
    assert parse_time(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "2020-01-01T00:00:00+08:00",
        "2020-01-01T00:00:00Z",
        "2020-01-01 00:00:00.5",
        "2020-01-01 00:00",
        "20200101",
        "1577836800",
        "2020-1-1",
        " 2020-01-01",
        "2020-01-01\n",
        "２０２０-01-01",
        "0999-01-01",
        "2020-13-01",
        "",
    ],
)
def test_anything_else_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match="not a date") as caught:
        parse_time(text)
    assert str(caught.value) == f"not a date: {TIME_HELP}"


def test_a_day_that_no_calendar_has_is_refused() -> None:
    with pytest.raises(ValueError, match="no such date"):
        parse_time("2021-02-29")


def test_a_moment_is_written_truncated_to_the_second_never_rounded_up() -> None:
    assert format_time(datetime(2020, 1, 1, 23, 59, 59, 999_999)) == "2020-01-01 23:59:59"
