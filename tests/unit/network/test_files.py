"""The three files in /etc, byte for byte."""

import pytest

from hakobu.errors import Invalid
from hakobu.network import files

HOST = files.parse_resolv_conf(
    "# made by hand\nnameserver 127.0.0.1\nnameserver 10.0.0.2\nsearch example.org corp\noptions edns0 trust-ad\n"
)


def test_hosts_is_dockers():
    assert files.hosts([("172.17.0.2", files.own_names("web", ""))]) == (
        "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\n"
        "ff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n172.17.0.2\tweb\n"
    )


def test_hosts_names_extra_hosts_links_and_the_gateway():
    text = files.hosts(
        [("172.17.0.2", files.own_names("web", "example.org"))],
        ["db:10.0.0.9", "six:[fd00::9]", "host.docker.internal:host-gateway"],
        [("172.17.0.3", "cache 1234abcd0000 redis")],
        ["172.17.0.1"],
    )
    assert text.splitlines()[6:] == [
        "10.0.0.9\tdb",
        "fd00::9\tsix",
        "172.17.0.1\thost.docker.internal",
        "172.17.0.3\tcache 1234abcd0000 redis",
        "172.17.0.2\tweb.example.org web",
    ]


@pytest.mark.parametrize("bad", ["db", "db:", "db:10.0.0.300", ":10.0.0.1", "d b:10.0.0.1", "a:10.0.0.1\n1.2.3.4"])
def test_bad_extra_hosts_are_refused(bad: str):
    with pytest.raises(Invalid):
        files.parse_extra_host(bad)


def test_resolv_conf_never_names_the_hosts_loopback():
    assert files.resolv_conf(HOST, files.DnsWishes(), embedded=False) == (
        "nameserver 10.0.0.2\nsearch example.org corp\noptions edns0 trust-ad\n"
    )
    only_loopback = files.ResolvConf(("127.0.0.1", "::1"))
    assert files.resolv_conf(only_loopback, files.DnsWishes(), embedded=False) == (
        "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"
    )


def test_resolv_conf_of_user_defined_networks_names_the_resolver():
    assert files.resolv_conf(HOST, files.DnsWishes(), embedded=True) == (
        "nameserver 127.0.0.11\nsearch example.org corp\noptions edns0 trust-ad ndots:0\n"
    )
    wishes = files.DnsWishes(("9.9.9.9",), (".",), ("ndots:2",))
    assert files.resolv_conf(HOST, wishes, embedded=True) == "nameserver 127.0.0.11\noptions ndots:2\n"
    assert files.resolv_conf(HOST, wishes, embedded=False) == "nameserver 9.9.9.9\noptions ndots:2\n"
    assert files.upstreams(HOST, wishes) == ("9.9.9.9",)


def test_a_host_network_container_has_the_hosts_own():
    text = files.resolv_conf(HOST, files.DnsWishes(), embedded=False, host_network=True)
    assert text.startswith("nameserver 127.0.0.1\nnameserver 10.0.0.2\n")
    assert files.host_hosts("127.0.0.1 me", ["db:10.0.0.9"]) == "127.0.0.1 me\n10.0.0.9\tdb\n"


def test_the_hosts_resolv_conf_is_read_again_when_it_is_another(tmp_path, monkeypatch):
    path = tmp_path / "resolv.conf"
    monkeypatch.setattr(files, "_ETC", path)
    assert files.read_host_resolv_conf() == files.ResolvConf()
    path.write_text("nameserver 10.0.0.1\n")
    assert files.read_host_resolv_conf().nameservers == ("10.0.0.1",)
    assert files.read_host_resolv_conf().nameservers == ("10.0.0.1",)
    other = tmp_path / "other"
    other.write_text("nameserver 10.0.0.2\n")
    other.rename(path)
    assert files.read_host_resolv_conf().nameservers == ("10.0.0.2",)
