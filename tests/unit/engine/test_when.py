"""Points in time and durations as Docker's clients write them."""

import time

import pytest

from hakobu.engine.when import parse_duration_ns, parse_when_ns
from hakobu.errors import Invalid


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("0", 0),
        ("1h30m", 5400 * 10**9),
        ("250ms", 250 * 10**6),
        ("1.5s", 15 * 10**8),
        ("3us", 3000),
    ],
)
def test_durations(text, ns):
    assert parse_duration_ns(text) == ns


def test_seconds_with_decimals_and_rfc_3339():
    assert parse_when_ns("1700000000.000000001") == 1700000000 * 10**9 + 1
    assert parse_when_ns("2023-11-14T22:13:20Z") == 1700000000 * 10**9
    assert parse_when_ns("2023-11-14T23:13:20+01:00") == 1700000000 * 10**9


def test_a_duration_is_before_now():
    assert abs(time.time_ns() - 60 * 10**9 - parse_when_ns("1m")) < 5 * 10**9


@pytest.mark.parametrize("text", ["", "yesterday", "1x", "12h30", "１２"])
def test_what_is_no_time(text):
    with pytest.raises(Invalid):
        parse_when_ns(text)
