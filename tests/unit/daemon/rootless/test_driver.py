import pytest

from hakobu.daemon.rootless.driver import Driver, Name, command, resolver_file


@pytest.mark.parametrize("name", ["slirp4netns", "pasta"])
def test_no_driver_lets_anything_in_or_reach_the_hosts_loopback(name: Name) -> None:
    argv = command(Driver(name, f"/usr/bin/{name}", "10.0.2.3"), 17, 9)
    assert argv[0] == f"/usr/bin/{name}"
    assert "17" in argv or "/proc/17/ns/net" in argv
    assert ("--disable-host-loopback" in argv) or ("--no-map-gw" in argv and argv.count("none") == 4)


def test_the_namespaces_resolver_is_the_drivers() -> None:
    host = "# made by hand\nnameserver 127.0.0.53\nsearch a.example\noptions edns0\nsortlist 1.2.3.4\n"
    driver = Driver("slirp4netns", "/usr/bin/slirp4netns", "10.0.2.3")
    assert resolver_file(host, driver) == "nameserver 10.0.2.3\nsearch a.example\noptions edns0\n"
