"""Networks on a parent interface: macvlan and ipvlan, on a cable whose far end is the outside.

Where the machine's kernel has no ipvlan or VLANs, Debian's in the virtual machine has:
`python -m tests.vm.smoke network/test_parents.py`.
"""

import errno
import os
import shutil
import socket
import subprocess
import tempfile

import pytest
from tests.kernel.network.conftest import end_resolvers

from hakobu.errors import HakobuError
from hakobu.kernel import rtnetlink, upper_link
from hakobu.kernel.netlink import Netlink
from hakobu.network import steps
from hakobu.network.service import Networking
from hakobu.runtime import steps_network
from hakobu.spec.container import EndpointSpec
from hakobu.spec.instance import Instance
from hakobu.spec.network import NetworkSpec, Pool
from hakobu.spec.step import Place

ROOT = tempfile.gettempdir() + f"/hk-parents-{os.getpid()}"
INSTANCE = Instance(f"{ROOT}/data", f"{ROOT}/exec")
LAN = (
    Pool(subnet="192.0.2.0/24", gateway="192.0.2.1", ip_range="192.0.2.128/25"),
    Pool(subnet="2001:db8:5::/64", gateway="2001:db8:5::1"),
)


@pytest.fixture
def world(namespaces):
    """A host with the interface `uplink`; `outside` is on its other end, the network's gateway."""
    host, outside = namespaces(), namespaces()

    def wire():
        with Netlink() as nl:
            rtnetlink.create_veth(nl, "uplink", "eth9", pid=outside.pid)

    def far():
        with Netlink() as nl:
            rtnetlink.add_address(nl, "eth9", "192.0.2.1", 24)
            rtnetlink.add_address(nl, "eth9", "2001:db8:5::1", 64)
            rtnetlink.add_address(nl, "lo", "198.51.100.1", 32)
            rtnetlink.set_up(nl, "eth9")

    host.run(wire)
    outside.run(far)
    yield host, outside
    end_resolvers(f"{INSTANCE.exec_root}/resolver")
    shutil.rmtree(ROOT, ignore_errors=True)


def plug(host, container, network, endpoint) -> None:
    planned = steps.plan_loopback() + steps.plan_endpoint(INSTANCE, network, endpoint)
    for step in planned:
        if step.place is Place.SHIM:
            host.run(lambda step=step: steps_network.SHIM[step.name](step.args, container.pid))
    for step in planned:
        if step.place is Place.CHILD:
            container.run(lambda step=step: steps_network.CHILD[step.name](step.args))


def reaches(address: str) -> bool:
    """Whether somebody there says that nobody listens."""
    try:
        socket.create_connection((address, 9), 1.5).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    raise AssertionError("nobody listens in this test")


def links(host) -> set[str]:
    def names():
        with Netlink() as nl:
            return {link.name for link in rtnetlink.links(nl)}

    return host.run(names)


def mac_of(name: str) -> str:
    with Netlink() as nl:
        link = rtnetlink.find_link(nl, name)
    assert link is not None
    return link.mac


def two_on(host, namespaces, spec: NetworkSpec):
    """Two containers on a network made of `spec`."""

    def make():
        networking = Networking(INSTANCE)
        network, warnings = networking.create(spec)
        joined = [networking.join(network, EndpointSpec(network="lan")) for _ in range(2)]
        return network, joined, warnings

    network, joined, warnings = host.run(make)
    containers = [namespaces(), namespaces()]
    for container, endpoint in zip(containers, joined, strict=True):
        plug(host, container, network, endpoint)
    return network, joined, containers, warnings


def lan(driver: str = "macvlan", **options: str) -> NetworkSpec:
    more = {"parent": "uplink", **options}
    return NetworkSpec(name="lan", driver=driver, enable_ipv6=True, pools=LAN, options=more)


def test_containers_on_a_macvlan_are_neighbours_of_the_parents_network(world, namespaces):
    host, outside = world
    spec = lan(speed="9")
    network, (one, two), (first, second), warnings = two_on(host, namespaces, spec)
    assert warnings == ("speed: not an option of the driver macvlan",)
    assert (one.ipv4, two.ipv4, one.ipv4_gateway) == ("192.0.2.128", "192.0.2.129", "192.0.2.1")
    assert one.mac == "02:42:c0:00:02:80" and network.bridge == ""
    shown = first.run(lambda: subprocess.check_output(["ip", "-d", "addr", "show", "eth0"], text=True))
    assert "macvlan mode bridge" in shown and one.mac in shown and f"{one.ipv4}/24" in shown
    for address in (two.ipv4, two.ipv6, "192.0.2.1", "2001:db8:5::1", "198.51.100.1"):
        assert first.run(lambda address=address: reaches(address)), address
    # the other side sees the container's own address and MAC: nothing is rewritten on the way
    assert outside.run(lambda: reaches(two.ipv4))
    neighbours = outside.run(lambda: subprocess.check_output(["ip", "neigh"], text=True))
    assert f"{two.ipv4} dev eth9 lladdr {two.mac}" in neighbours

    def disconnect():
        (gone,) = steps.plan_disconnect(INSTANCE, network, two)
        steps_network.CHILD[gone.name](gone.args)
        steps_network.CHILD[gone.name](gone.args)

    second.run(disconnect)
    assert not first.run(lambda: reaches(two.ipv4))


def test_in_private_mode_only_the_outside_is_reached(world, namespaces):
    host, _ = world
    _, (_, two), (first, _), _ = two_on(host, namespaces, lan(macvlan_mode="private"))
    assert first.run(lambda: reaches("192.0.2.1"))
    assert not first.run(lambda: reaches(two.ipv4))


def test_passthru_takes_the_parent_for_one_container(world, namespaces):
    host, _ = world

    def make():
        networking = Networking(INSTANCE)
        network, _ = networking.create(lan(macvlan_mode="passthru"))
        with pytest.raises(HakobuError, match="network lan is already using parent interface uplink in mode macvlan p"):
            networking.create(NetworkSpec(name="two", driver="macvlan", options={"parent": "uplink"}))
        return network, [networking.join(network, EndpointSpec(network="lan")) for _ in range(2)]

    network, (one, two) = host.run(make)
    container = namespaces()
    plug(host, container, network, one)
    assert container.run(lambda: reaches("192.0.2.1"))
    with pytest.raises(OSError) as refused:
        plug(host, namespaces(), network, two)
    assert refused.value.errno in (errno.EINVAL, errno.EBUSY)


def test_internal_leads_nowhere(world, namespaces):
    host, _ = world
    spec = NetworkSpec(name="lan", driver="macvlan", internal=True, pools=LAN[:1], options={"parent": "uplink"})
    _, (one, two), (first, _), _ = two_on(host, namespaces, spec)
    assert one.ipv4_gateway == "" and first.run(lambda: reaches(two.ipv4))
    assert "default" not in first.run(lambda: subprocess.check_output(["ip", "route"], text=True))


def test_without_a_parent_containers_have_each_other_alone(world, namespaces):
    host, _ = world
    before = links(host)
    spec = NetworkSpec(name="lan", driver="macvlan")
    network, (_, two), (first, _), _ = two_on(host, namespaces, spec)
    assert INSTANCE.bridge(network.id) in links(host)
    assert first.run(lambda: reaches(two.ipv4))

    def rebooted():
        """The interface is gone; the next daemon makes it again, and removes it with the network."""
        with Netlink() as nl:
            rtnetlink.delete_link(nl, INSTANCE.bridge(network.id))
        networking = Networking(INSTANCE)
        networking.restore([network])
        with Netlink() as nl:
            back = rtnetlink.find_link(nl, INSTANCE.bridge(network.id))
        networking.remove(network)
        return back is not None and back.up, networking.take_notices()

    assert host.run(rebooted) == (True, [])
    assert links(host) == before


def test_what_a_daemon_made_and_never_recorded_is_removed_by_the_next(world):
    host, _ = world
    before = links(host)

    def crash():
        Networking(INSTANCE).create(NetworkSpec(name="lan", driver="macvlan"))
        networking = Networking(INSTANCE)
        networking.restore([])
        return networking.take_notices()

    (said,) = host.run(crash)
    assert said.endswith("belonged to no network and is removed")
    assert links(host) == before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"parent": "nowhere"}, "invalid subinterface vlan name nowhere, example formatting is eth0.10"),
        ({"parent": "nowhere.5"}, "-o parent interface was not found on the host: nowhere"),
        ({"parent": "uplink.5000"}, "vlan id must be between 1-4094"),
        ({"macvlan_mode": "fast"}, "requested macvlan mode 'fast' is not valid"),
    ],
)
def test_a_network_that_cannot_be_leaves_nothing(world, options, said):
    host, _ = world
    before = links(host)

    def fail():
        networking = Networking(INSTANCE)
        with pytest.raises(HakobuError, match=said):
            networking.create(NetworkSpec(name="lan", driver="macvlan", pools=LAN, options=options))
        return networking.create(NetworkSpec(name="lan", driver="macvlan", pools=LAN[:1], options={"parent": "uplink"}))

    network, _ = host.run(fail)
    assert links(host) == before and network.pools[0].subnet == "192.0.2.0/24"


def needs(host, kind: str, make) -> None:
    """The kernel must have that kind of interface; a machine that is there for these tests has."""

    def try_it():
        try:
            with Netlink() as nl:
                make(nl)
                rtnetlink.delete_link(nl, "probe")
        except OSError as e:
            return e.errno
        return 0

    refused = host.run(try_it)
    if refused == errno.EOPNOTSUPP:
        pytest.skip(f"this kernel has no {kind}")
    assert refused == 0


def test_a_subinterface_is_made_for_its_vlan_and_goes_with_the_network(world, namespaces):
    host, outside = world
    needs(host, "vlan", lambda nl: upper_link.create_vlan(nl, "uplink", "probe", 9))
    before = links(host)
    network, _, (first, _), _ = two_on(host, namespaces, lan(parent="uplink.50"))
    shown = host.run(lambda: subprocess.check_output(["ip", "-d", "link", "show", "uplink.50"], text=True))
    assert "vlan protocol 802.1Q id 50" in shown and INSTANCE.link_alias in shown
    assert not first.run(lambda: reaches("192.0.2.1")), "untagged"

    def tagged():
        with Netlink() as nl:
            rtnetlink.delete_address(nl, "eth9", "192.0.2.1", 24)
            upper_link.create_vlan(nl, "eth9", "eth9.50", 50)
            rtnetlink.add_address(nl, "eth9.50", "192.0.2.1", 24)
            rtnetlink.set_up(nl, "eth9.50")

    outside.run(tagged)
    assert first.run(lambda: reaches("192.0.2.1"))

    def shared():
        networking = Networking(INSTANCE)
        networking.restore([network])
        other, _ = networking.create(NetworkSpec(name="two", driver="macvlan", options={"parent": "uplink.50"}))
        networking.remove(network)
        with Netlink() as nl:
            still = rtnetlink.find_link(nl, "uplink.50") is not None
        networking.remove(other)
        return still

    assert host.run(shared)
    assert links(host) == before


@pytest.mark.parametrize("mode", ["l2", "l3", "l3s"])
def test_containers_on_an_ipvlan_share_the_parents_mac(world, namespaces, mode):
    host, outside = world
    needs(host, "ipvlan", lambda nl: upper_link.create_ipvlan(nl, "uplink", "probe", "l2"))
    host.run(lambda: subprocess.run(["ip", "link", "set", "uplink", "up"], check=True))
    _, (one, two), (first, _), _ = two_on(host, namespaces, lan("ipvlan", ipvlan_mode=mode))
    assert one.mac == "" and one.ipv4_gateway == ("192.0.2.1" if mode == "l2" else "")
    shown = first.run(lambda: subprocess.check_output("ip -d link show eth0; ip route", shell=True, text=True))
    assert f"ipvlan  mode {mode} bridge" in shown
    assert ("default via 192.0.2.1" if mode == "l2" else "default dev eth0") in shown
    assert first.run(lambda: reaches(two.ipv4)) and first.run(lambda: reaches(two.ipv6))
    if mode == "l2":
        assert first.run(lambda: reaches("192.0.2.1"))
        mac = host.run(lambda: mac_of("uplink"))
        assert f"lladdr {mac}" in outside.run(lambda: subprocess.check_output(["ip", "neigh"], text=True))


def test_what_the_kernel_has_not_is_said_in_its_words(world):
    host, _ = world

    def fail():
        with Netlink() as nl, pytest.raises(OSError) as refused:
            upper_link.create_ipvlan(nl, "nowhere", "x", "l2")
        return refused.value.errno

    assert host.run(fail) == errno.ENODEV
