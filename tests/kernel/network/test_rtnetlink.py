"""Links, addresses and routes, in namespaces of the test's own."""

import errno
import json
import resource
import socket
import subprocess

import pytest

from hakobu.kernel import rtnetlink
from hakobu.kernel.netlink import Netlink
from hakobu.runtime import steps_network


def ip(what: str):
    return json.loads(subprocess.run(["ip", "-j", "-d", *what.split()], check=True, capture_output=True).stdout)


def test_a_container_is_wired_to_a_bridge_by_the_steps(namespaces):
    host, container = namespaces(), namespaces()

    def wire():
        with Netlink() as nl:
            rtnetlink.create_bridge(nl, "br0", mac="02:42:00:00:00:01", mtu=1400)
            rtnetlink.add_address(nl, "br0", "10.77.0.1", 24)
            rtnetlink.set_up(nl, "br0")
        steps_network.veth_create(
            {"host": "hkveth0", "peer": "eth0", "mac": "02:42:0a:4d:00:02", "bridge": "br0", "mtu": 1400}, container.pid
        )
        return ip("link show hkveth0")[0]

    near = host.run(wire)
    assert near["master"] == "br0" and "UP" in near["flags"] and near["mtu"] == 1400

    def inside():
        steps_network.sysctl_interface({"family": "ipv6", "name": "eth0", "key": "disable_ipv6", "value": "1"})
        steps_network.link_up({"name": "lo"})
        steps_network.addr_add({"name": "eth0", "address": "10.77.0.2", "prefix": 24})
        steps_network.link_up({"name": "eth0"})
        for _ in range(2):
            steps_network.route_add({"destination": "", "prefix": 0, "gateway": "10.77.0.1", "name": "eth0"})
        return ip("addr show eth0")[0], ip("route show")

    link, routes = container.run(inside)
    assert link["address"] == "02:42:0a:4d:00:02" and link["mtu"] == 1400
    assert [(a["local"], a["prefixlen"]) for a in link["addr_info"]] == [("10.77.0.2", 24)]
    assert [r.get("gateway") for r in routes if r["dst"] == "default"] == ["10.77.0.1"]
    with pytest.raises(ConnectionRefusedError):
        host.run(lambda: socket.create_connection(("10.77.0.2", 80), 2))
    host.run(lambda: steps_network.veth_delete({"host": "hkveth0"}, 0))
    host.run(lambda: steps_network.veth_delete({"host": "hkveth0"}, 0))
    assert {link["ifname"] for link in container.run(lambda: ip("link show"))} == {"lo"}


def test_what_is_there_is_listed(namespaces):
    host = namespaces()

    def look():
        with Netlink() as nl:
            rtnetlink.create_bridge(nl, "br0")
            rtnetlink.add_address(nl, "br0", "10.77.0.1", 24)
            rtnetlink.set_up(nl, "br0")
            bridge = rtnetlink.find_link(nl, "br0")
            assert bridge is not None and rtnetlink.find_link(nl, "br1") is None
            # before Linux 6.2 an interface that is up cannot be renamed
            rtnetlink.set_up(nl, "br0", up=False)
            rtnetlink.rename(nl, "br0", "br1")
            rtnetlink.set_up(nl, "br1")
            rtnetlink.add_address(nl, "br1", "fd00:77::1", 64)
            rtnetlink.add_route(nl, "10.99.0.0", 16, gateway="10.77.0.9")
            rtnetlink.add_route(nl, "fd00:99::", 48, gateway="fd00:77::9")
            names = [link.name for link in rtnetlink.links(nl)]
            return (
                bridge,
                names,
                rtnetlink.addresses(nl, bridge.ifindex),
                rtnetlink.routes(nl),
                rtnetlink.routes(nl, 10),
            )

    bridge, names, addresses, routes4, routes6 = host.run(look)
    assert bridge.kind == "bridge" and bridge.up and "br1" in names
    assert {("10.77.0.1", 24), ("fd00:77::1", 64)} <= {(a.address, a.prefix) for a in addresses}
    assert ("10.99.0.0", 16, "10.77.0.9") in {(r.destination, r.prefix, r.gateway) for r in routes4}
    assert ("10.77.0.0", 24) in {(r.destination, r.prefix) for r in routes4}
    assert ("fd00:99::", 48, "fd00:77::9") in {(r.destination, r.prefix, r.gateway) for r in routes6}


def test_errors_carry_errno_and_what_was_tried(namespaces):
    host = namespaces()

    def twice():
        with Netlink() as nl:
            rtnetlink.create_bridge(nl, "br0")
            rtnetlink.create_bridge(nl, "br0")

    with pytest.raises(OSError, match="create bridge br0") as caught:
        host.run(twice)
    assert caught.value.errno == errno.EEXIST

    def long_name():
        with Netlink() as nl:
            rtnetlink.create_bridge(nl, "b" * 16)

    with pytest.raises(OSError, match="1 to 15 bytes"):
        host.run(long_name)


def test_a_port_is_reserved_for_both_families_and_a_second_one_refused(namespaces):
    host = namespaces()

    def reserve():
        first = steps_network.port_reserve({"protocol": "tcp", "host_port": 8080})
        assert [(r.host_ip, r.host_port) for r in first] == [("0.0.0.0", 8080), ("::", 8080)]
        ranged = steps_network.port_reserve({"protocol": "tcp", "host_port": 8080, "host_port_end": 8082})
        free = steps_network.port_reserve({"protocol": "udp", "host_ip": "127.0.0.1"})
        assert ranged[0].host_port == 8081 and free[0].host_port > 1024
        try:
            steps_network.port_reserve({"protocol": "tcp", "host_ip": "127.0.0.1", "host_port": 8080})
        except OSError as e:
            return e.errno, e.strerror

    assert host.run(reserve) == (errno.EADDRINUSE, "listen tcp4 127.0.0.1:8080: bind: address already in use")


def test_many_ports_are_reserved_beyond_the_soft_limit_of_descriptors(namespaces):
    host = namespaces()

    def reserve():
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        held = [steps_network.port_reserve({"protocol": "tcp", "host_port": port}) for port in range(7000, 7100)]
        return len(held), resource.getrlimit(resource.RLIMIT_NOFILE)[0] == hard

    assert host.run(reserve) == (100, True)
