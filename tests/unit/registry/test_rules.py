"""Where a registry is reached, and who may see credentials: the rules, without a network."""

import pytest

from hakobu.registry.challenge import Challenge, may_ask, may_send_credentials, parse_challenges
from hakobu.registry.credentials import Credentials
from hakobu.registry.endpoint import Endpoint, RegistrySettings, endpoints, is_insecure
from hakobu.registry.progress import bar

HUB = Endpoint("https://registry-1.docker.io")


def test_endpoints_in_order() -> None:
    settings = RegistrySettings(mirrors=("http://mirror.lan:5000/",), insecure=("10.0.0.0/8", "reg.lan:5000"))
    assert [e.url for e in endpoints("docker.io", settings)] == ["http://mirror.lan:5000", HUB.url]
    assert [e.url for e in endpoints("docker.io", settings, for_push=True)] == [HUB.url]
    assert [e.url for e in endpoints("ghcr.io", settings)] == ["https://ghcr.io"]
    assert [e.url for e in endpoints("reg.lan:5000", settings)] == ["https://reg.lan:5000", "http://reg.lan:5000"]


@pytest.mark.parametrize(
    ("authority", "insecure"),
    [("localhost:5000", True), ("127.0.0.1:5000", True), ("[::1]:5000", True), ("10.1.2.3:80", True),
     ("reg.lan:5000", True), ("reg.lan:5001", False), ("192.168.0.1", False), ("ghcr.io", False),
     ("localhost.evil.example", False)],
)  # fmt: skip
def test_plain_http_only_where_allowed(authority: str, insecure: bool) -> None:
    assert is_insecure(authority, ("10.0.0.0/8", "reg.lan:5000")) is insecure


def test_challenges() -> None:
    header = 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"'
    assert parse_challenges([header, 'Basic realm="x \\"y"', "Negotiate abc"]) == (
        Challenge("bearer", "https://auth.docker.io/token", "registry.docker.io", "repository:a/b:pull,push"),
        Challenge("basic", 'x "y'),
    )
    assert parse_challenges(['Basic realm="a", Bearer realm="b",service=c']) == (
        Challenge("basic", "a"),
        Challenge("bearer", "b", "c"),
    )


@pytest.mark.parametrize(
    ("endpoint", "realm", "allowed"),
    [
        (HUB, "https://auth.docker.io/token", True),
        (HUB, "https://auth.docker.io.evil.example/token", False),
        (HUB, "https://evil.example/token", False),
        (HUB, "http://auth.docker.io/token", False),
        (HUB, "https://user@auth.docker.io/token", False),
        (Endpoint("https://registry.gitlab.com"), "https://gitlab.com/jwt/auth", True),
        (Endpoint("https://ghcr.io"), "https://ghcr.io/token", True),
        (Endpoint("https://ghcr.io"), "https://evil.io/token", False),
        (Endpoint("https://10.0.0.1"), "https://20.0.0.1/token", False),
        (Endpoint("http://reg.lan:5000"), "http://reg.lan:5001/token", True),
        (Endpoint("http://reg.lan:5000"), "http://other.lan/token", False),
        (Endpoint("https://registry-1.docker.io", mirror=True), "https://auth.docker.io/token", False),
    ],
)
def test_where_credentials_may_go(endpoint: Endpoint, realm: str, allowed: bool) -> None:
    assert may_send_credentials(endpoint, realm) is allowed


def test_an_anonymous_token_may_be_asked_for_elsewhere_but_never_in_the_clear() -> None:
    assert may_ask(HUB, "https://elsewhere.example/token")
    assert not may_ask(HUB, "http://elsewhere.example/token")
    assert not may_ask(HUB, "file:///etc/passwd")


def test_credentials_do_not_print() -> None:
    assert "secret" not in repr(Credentials("me", "secret", "secret", "secret"))


def test_bars_are_docker_s() -> None:
    assert bar(0, 100) == "[>" + " " * 49 + "]      0B/100B"
    assert bar(50, 100) == "[" + "=" * 25 + ">" + " " * 24 + "]     50B/100B"
    assert bar(2_000_000, 2_000_000) == "[" + "=" * 49 + ">]     2MB/2MB"
    assert bar(5, 0) == "5B"
