"""What a container's labels ask the engine for."""

import pytest

from hakobu.errors import Invalid
from hakobu.spec.own_label import Asked, Rates, asked, unknown


def test_without_labels_nothing_is_asked_for() -> None:
    assert asked({"com.example": "1"}) == Asked()
    assert asked({"hakobu.timeout": "0", "hakobu.publish-mode": "kernel"}) == Asked()


@pytest.mark.parametrize(
    ("label", "value", "expected"),
    [
        ("timeout", "1h30m", Asked(timeout_s=5400)),
        ("timeout", "1500ms", Asked(timeout_s=1.5)),
        ("on-unhealthy", "restart", Asked(on_unhealthy="restart")),
        ("bandwidth", "8mbit", Asked(rates=Rates(1_000_000, 1_000_000))),
        ("bandwidth-in", "1.5MBps", Asked(rates=Rates(incoming=1_500_000))),
        ("bandwidth-out", "1kibps", Asked(rates=Rates(outgoing=1024))),
        ("idmap", "/a,/b=7:33", Asked(idmaps={"/a": (), "/b": ((7, 33), (7, 33))})),
        ("idmap", "/b=7:33/8:34", Asked(idmaps={"/b": ((7, 33), (8, 34))})),
        ("publish-mode", "proxy", Asked(proxied=frozenset("*"))),
        ("publish-mode", "80/tcp=proxy, 53/udp=kernel", Asked(proxied=frozenset({"80/tcp"}))),
    ],
)
def test_each_label_has_its_meaning(label: str, value: str, expected: Asked) -> None:
    assert asked({f"hakobu.{label}": value}) == expected


@pytest.mark.parametrize(
    ("label", "value"),
    [
        ("timeout", "soon"),
        ("timeout", "-5s"),
        ("on-unhealthy", "panic"),
        ("bandwidth", "fast"),
        ("bandwidth", "10mb"),
        ("bandwidth-in", "10bit"),
        ("idmap", "data"),
        ("idmap", "/data=1000"),
        ("idmap", "/data=1:2/3"),
        ("idmap", "/data=1:4294967295"),
        ("publish-mode", "80=proxy"),
        ("publish-mode", "80/tcp"),
        ("publish-mode", "80/tcp=magic"),
    ],
)
def test_a_value_that_means_nothing_is_refused_by_its_label(label: str, value: str) -> None:
    with pytest.raises(Invalid, match=f"label hakobu.{label}={value}: expected ") as refused:
        asked({f"hakobu.{label}": value})
    assert refused.value.field == f"hakobu.{label}"


def test_one_direction_overrides_both() -> None:
    found = asked({"hakobu.bandwidth": "8mbit", "hakobu.bandwidth-out": "16mbit"})
    assert found.rates == Rates(1_000_000, 2_000_000)


def test_ports_are_proxied_alone_or_all() -> None:
    some = asked({"hakobu.publish-mode": "80/tcp=proxy"})
    assert some.is_proxied(80, "tcp") and not some.is_proxied(80, "udp") and not some.is_proxied(81, "tcp")
    assert asked({"hakobu.publish-mode": "proxy"}).is_proxied(53, "udp")


def test_slips_are_told() -> None:
    assert unknown({"hakobu.time-out": "1s", "hakobu.timeout": "1s", "com.x": ""}) == ("hakobu.time-out",)
