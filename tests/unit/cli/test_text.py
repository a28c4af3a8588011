"""Sizes, times, tables and JSON, against strings recorded from docker 28.2."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakobu.cli.ports_text import ports_text
from hakobu.cli.text.ago import ago, duration, go_time, parse_rfc3339
from hakobu.cli.text.json_text import indent
from hakobu.cli.text.size import binary, decimal
from hakobu.cli.text.table import columns, render
from hakobu.cli.timestamp import since_text


def test_sizes():
    assert decimal(1986073) == "1.986MB"
    assert decimal(1986073, 3) == "1.99MB"
    assert decimal(0) == "0B"
    assert decimal(736, 3) == "736B"
    assert binary(25276510208) == "23.54GiB"
    assert binary(1069548) == "1.02MiB"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (119, "About a minute"),
        (120, "2 minutes"),
        (3599, "59 minutes"),
        (3600, "About an hour"),
        (5399, "About an hour"),
        (5400, "2 hours"),
        (47 * 3600, "47 hours"),
        (48 * 3600, "2 days"),
        (14 * 86400, "2 weeks"),
        (60 * 86400, "2 months"),
        (3 * 365 * 86400, "3 years"),
    ],
)
def test_durations(seconds, text):
    assert duration(seconds) == text
    assert ago(100.0, 100.0 + seconds) == f"{text} ago"


def test_timestamps():
    assert parse_rfc3339("2026-11-24T12:18:25.09715678Z") == (1795522705, 97156780)
    assert parse_rfc3339("1970-01-01T01:00:00+01:00") == (0, 0)
    assert parse_rfc3339("0001-01-01T00:00:00Z")[0] == -62135596800
    assert go_time("2026-11-24T12:18:25.09715678Z") == "2026-11-24 12:18:25.09715678 +0000 UTC"


def test_since():
    assert since_text("") == ""
    assert since_text("10m", now=1000.5) == "400.500000000"
    assert since_text("1136073600") == "1136073600"
    assert since_text("2013-01-02T13:23:37Z") == "1357133017.000000000"


def test_a_table_as_docker_prints_it():
    assert render(["NETWORK ID", "NAME", "DRIVER", "SCOPE"], [["ba6ad21d0b34", "bridge", "bridge", "local"]]) == (
        "NETWORK ID     NAME      DRIVER    SCOPE\nba6ad21d0b34   bridge    bridge    local\n"
    )


def test_a_column_counts_where_lines_have_it():
    assert columns("a\tb\nlonger than ten\tc\n\nx\ty\n") == (
        "a                 b\nlonger than ten   c\n\nx         y\n"
    )


def test_ports_are_joined_to_ranges():
    ports = [{"IP": "127.0.0.1", "PrivatePort": 9000 + i, "PublicPort": 9000 + i, "Type": "tcp"} for i in range(3)]
    ports += [
        {"PrivatePort": 443, "Type": "tcp"},
        {"IP": "0.0.0.0", "PrivatePort": 53, "PublicPort": 53, "Type": "udp"},
        {"IP": "::", "PrivatePort": 53, "PublicPort": 53, "Type": "udp"},
        {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
        {"IP": "::", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
    ]
    assert ports_text(ports) == (
        "0.0.0.0:53->53/udp, [::]:53->53/udp, 443/tcp, 127.0.0.1:9000-9002->9000-9002/tcp, "
        "0.0.0.0:8080->80/tcp, [::]:8080->80/tcp"
    )


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(VALUES, st.booleans())
def test_indented_json_is_that_of_the_standard_library(value, spaced):
    raw = json.dumps(value, separators=(", ", " : ") if spaced else (",", ":"))
    assert indent(raw) == json.dumps(value, indent=4)
