"""Networks end to end: containers are namespaces wired by the planned steps, the outside is one more."""

import errno
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import replace

import pytest
from tests.kernel.network.conftest import end_resolvers

from hakobu.errors import HakobuError
from hakobu.kernel import rtnetlink
from hakobu.kernel.netlink import Netlink
from hakobu.kernel.nftables import Nftables
from hakobu.network import rules, steps
from hakobu.network.firewall import Firewall
from hakobu.network.rules import PortRule
from hakobu.network.service import Networking, NetworkSettings
from hakobu.runtime import steps_network
from hakobu.spec.container import EndpointSpec
from hakobu.spec.instance import Instance
from hakobu.spec.network import NetworkSpec, Pool
from hakobu.spec.plan import ReservedPort
from hakobu.spec.step import Place

ROOT = tempfile.gettempdir() + f"/hk-network-{os.getpid()}"
INSTANCE = Instance(f"{ROOT}/data", f"{ROOT}/exec")


def connect(address: str, port: int, timeout: float = 5.0) -> str:
    try:
        with socket.create_connection((address, port), timeout) as s:
            return s.recv(100).decode()
    except TimeoutError:
        return "timeout"
    except OSError as e:
        return type(e).__name__


@pytest.fixture
def world(namespaces):
    """A host (the engine's namespace), and an outside that is its neighbour and routes containers' subnets to it."""
    host, outside = namespaces(), namespaces()

    def wire():
        with Netlink() as nl:
            rtnetlink.create_veth(nl, "uplink", "eth9", pid=outside.pid)
            rtnetlink.add_address(nl, "uplink", "203.0.113.1", 24)
            rtnetlink.add_address(nl, "uplink", "2001:db8::1", 64)

    def far():
        with Netlink() as nl:
            rtnetlink.add_address(nl, "eth9", "203.0.113.2", 24)
            rtnetlink.add_address(nl, "eth9", "2001:db8::2", 64)
            rtnetlink.set_up(nl, "eth9")
            rtnetlink.add_route(nl, "172.16.0.0", 12, gateway="203.0.113.1")

    def no_link_local():
        """Its duplicate detection takes a second, in which the neighbours do not answer each other.

        Forwarding begins switched off: a new namespace has what the machine has, where an engine may run already.
        """
        settings = "net.ipv6.conf.default.accept_dad=0 net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0"
        subprocess.run(f"sysctl -qw {settings}", shell=True, check=True)

    for namespace in (host, outside):
        namespace.run(no_link_local)
    host.run(wire)
    outside.run(far)
    yield host, outside
    end_resolvers(f"{INSTANCE.exec_root}/resolver")
    shutil.rmtree(ROOT, ignore_errors=True)


def plug(host, container, network, endpoint, instance=INSTANCE, **how) -> None:
    planned = steps.plan_loopback() + steps.plan_endpoint(instance, network, endpoint, **how)
    for step in planned:
        if step.place is Place.SHIM:
            host.run(lambda step=step: steps_network.SHIM[step.name](step.args, container.pid))
    for step in planned:
        if step.place is Place.CHILD:
            container.run(lambda step=step: steps_network.CHILD[step.name](step.args))


def test_the_default_bridge_leads_out_and_published_ports_lead_in(world, namespaces, serving):
    host, outside = world
    container = namespaces()

    def first():
        networking = Networking(INSTANCE)
        records = networking.ensure_default()
        endpoint = networking.join(records[0], EndpointSpec(network="bridge"))
        networking.publish(
            "c1", endpoint, [ReservedPort("tcp", "0.0.0.0", 8080, 80), ReservedPort("tcp", "127.0.0.1", 8081, 80)]
        )
        return records, endpoint, networking.take_notices()

    (default, _, _), endpoint, notices = host.run(first)
    assert default.pools[0].subnet == "172.17.0.0/16" and endpoint.ipv4 == "172.17.0.2"
    assert endpoint.mac == "02:42:ac:11:00:02"
    assert any("ip_forward was 0" in n for n in notices) and any("uplink" in n for n in notices)
    plug(host, container, default, endpoint)
    serving(container, 80)
    serving(outside, 80)

    assert outside.run(lambda: connect("203.0.113.1", 8080)) == "203.0.113.2"
    assert host.run(lambda: connect("127.0.0.1", 8080)) == "172.17.0.1"
    assert host.run(lambda: connect("127.0.0.1", 8081)) == "172.17.0.1"
    assert host.run(lambda: connect("203.0.113.1", 8080)) == "203.0.113.1"
    # through the published port back to itself: left to the shim's socket, which this test does not have
    assert container.run(lambda: connect("172.17.0.1", 8080)) == "ConnectionRefusedError"
    # out, masqueraded
    assert container.run(lambda: connect("203.0.113.2", 80)) == "203.0.113.1"
    # not published, and directly routed: nothing gets in
    assert outside.run(lambda: connect("172.17.0.2", 80, 1)) == "timeout"
    assert outside.run(lambda: connect("203.0.113.1", 8081)) == "ConnectionRefusedError"

    def l2_neighbour():
        """A neighbour that sends 127.0.0.1 to us by its routing table."""
        subprocess.run(
            "sysctl -qw net.ipv4.conf.all.route_localnet=1; ip addr del 127.0.0.1/8 dev lo; "
            "ip route add 127.0.0.1 via 203.0.113.1 src 203.0.113.2",
            shell=True,
            check=True,
        )
        return connect("127.0.0.1", 8081, 1)

    assert outside.run(l2_neighbour) == "timeout"

    def later():
        networking = Networking(INSTANCE)
        networking.restore([default], [endpoint], [("c1", endpoint, [ReservedPort("tcp", "0.0.0.0", 8080, 80)])])
        answered = connect("127.0.0.1", 8080)
        networking.unpublish("c1")
        return answered, connect("127.0.0.1", 8080), networking.join(default, EndpointSpec(network="bridge")).ipv4

    assert host.run(later) == ("172.17.0.1", "ConnectionRefusedError", "172.17.0.3")


def test_bridges_are_isolated_and_internal_ones_closed(world, namespaces, serving):
    host, outside = world
    a, b, c, d = namespaces(), namespaces(), namespaces(), namespaces()

    def make():
        networking = Networking(INSTANCE)
        one, _ = networking.create(NetworkSpec(name="one", enable_ipv6=True))
        two, _ = networking.create(NetworkSpec(name="two", internal=True))
        three, _ = networking.create(NetworkSpec(name="three"))
        ends = [networking.join(n, EndpointSpec(network=n.name)) for n in (one, two, one, three)]
        networking.publish(
            "c", ends[2], [ReservedPort("tcp", "0.0.0.0", 9000, 80), ReservedPort("tcp", "::", 9000, 80)]
        )
        return one, two, three, ends

    one, two, three, (end_a, end_b, end_c, end_d) = host.run(make)
    assert (one.pools[0].subnet, two.pools[0].subnet) == ("172.17.0.0/16", "172.18.0.0/16")
    assert end_a.ipv6.startswith("fd") and not end_b.ipv4_gateway
    for container, network, end in ((a, one, end_a), (b, two, end_b), (c, one, end_c), (d, three, end_d)):
        plug(host, container, network, end)
        serving(container, 80)
    serving(outside, 80)
    assert a.run(lambda: connect(end_c.ipv4, 80)) == end_a.ipv4
    assert a.run(lambda: connect(end_c.ipv6, 80)) == end_a.ipv6
    assert outside.run(lambda: connect("2001:db8::1", 9000)) == "2001:db8::2"
    assert a.run(lambda: connect("2001:db8::2", 80)) == "2001:db8::1"
    # from another bridge: not straight, but by the published port
    assert d.run(lambda: connect(end_c.ipv4, 80, 1)) == "timeout"
    assert d.run(lambda: connect("203.0.113.1", 9000)) == "172.17.0.1"

    def try_hard():
        """Even with a route of its own making, an internal container gets nowhere."""
        subprocess.run("ip route add default via 172.18.0.1", shell=True, check=True)
        return connect("203.0.113.2", 80, 1), connect(end_a.ipv4, 80, 1), connect("203.0.113.1", 9000)

    assert b.run(try_hard) == ("timeout", "timeout", "ConnectionRefusedError")
    assert a.run(lambda: connect(end_b.ipv4, 80, 1)) == "timeout"


def test_removed_bridges_and_tables_come_back_at_the_next_start(world, namespaces, serving):
    host, _ = world
    container = namespaces()

    def make():
        networking = Networking(INSTANCE)
        one, _ = networking.create(NetworkSpec(name="one"))
        return one, networking.join(one, EndpointSpec(network="one"))

    one, end = host.run(make)
    plug(host, container, one, end)
    serving(container, 80)

    def break_and_mend():
        subprocess.run(f"ip link del {one.bridge}; nft delete table inet {INSTANCE.nft_table}", shell=True, check=True)
        broken = connect(end.ipv4, 80, 1)
        networking = Networking(INSTANCE)
        networking.restore([one], [end], [("c", end, [ReservedPort("tcp", "0.0.0.0", 8080, 80)])])
        mended = connect("127.0.0.1", 8080)
        networking.remove(one)
        return broken, mended, [link.name for link in rtnetlink.links(networking._nl)]

    broken, mended, links = host.run(break_and_mend)
    assert broken != mended == "172.17.0.1"
    assert one.bridge not in links


def test_another_firewall_that_drops_is_given_accepting_rules_in_its_own_hook(world, namespaces, serving):
    host, outside = world
    container = namespaces()
    serving(outside, 80)

    def make():
        subprocess.run(
            "nft 'add table ip filter;"
            "add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; };"
            "add chain ip filter DOCKER-USER; add rule ip filter FORWARD jump DOCKER-USER;"
            "add rule ip filter DOCKER-USER counter return'",
            shell=True,
            check=True,
        )
        networking = Networking(INSTANCE)
        one, _ = networking.create(NetworkSpec(name="one"))
        end = networking.join(one, EndpointSpec(network="one"))
        networking.publish("c", end, [ReservedPort("tcp", "0.0.0.0", 8080, 80)])
        return one, end, networking.take_notices()

    one, end, notices = host.run(make)
    assert f"chain ip filter DOCKER-USER accepts {one.bridge}" in notices
    plug(host, container, one, end)
    serving(container, 80)
    assert container.run(lambda: connect("203.0.113.2", 80)) == "203.0.113.1"
    assert outside.run(lambda: connect("203.0.113.1", 8080)) == "203.0.113.2"

    def again_and_away():
        networking = Networking(INSTANCE)
        networking.restore([one], [end])
        twice = subprocess.run(
            "nft list chain ip filter DOCKER-USER", shell=True, capture_output=True, text=True
        ).stdout
        networking.remove(one)
        after = subprocess.run(
            "nft list chain ip filter DOCKER-USER", shell=True, capture_output=True, text=True
        ).stdout
        return twice.count(one.bridge), after.count(one.bridge), after.count("return")

    assert host.run(again_and_away) == (2, 0, 1)


UFW = """
add table ip filter
add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }
add chain ip filter ufw-user-forward
add rule ip filter FORWARD ct state related,established accept
add rule ip filter FORWARD jump ufw-user-forward
"""
FIREWALLD = """
add table inet firewalld
add chain inet firewalld filter_FORWARD { type filter hook forward priority 10; policy accept; }
add rule inet firewalld filter_FORWARD ct state established,related accept
add rule inet firewalld filter_FORWARD ct state invalid drop
add rule inet firewalld filter_FORWARD reject with icmpx admin-prohibited
"""


@pytest.mark.parametrize(
    ("rules", "chain"),
    [(UFW, "ip filter ufw-user-forward"), (FIREWALLD, "inet firewalld filter_FORWARD")],
    ids=["ufw", "firewalld"],
)
def test_containers_pass_ufw_and_firewalld(world, namespaces, serving, rules: str, chain: str):
    host, outside = world
    container = namespaces()
    serving(outside, 80)

    def make():
        with Nftables() as nft:
            nft.run(rules)
        networking = Networking(INSTANCE)
        one, _ = networking.create(NetworkSpec(name="one"))
        end = networking.join(one, EndpointSpec(network="one"))
        networking.publish("c", end, [ReservedPort("tcp", "0.0.0.0", 8080, 80)])
        return one, end, networking.take_notices()

    one, end, notices = host.run(make)
    assert f"chain {chain} accepts {one.bridge}" in notices
    plug(host, container, one, end)
    serving(container, 80)
    assert container.run(lambda: connect("203.0.113.2", 80)) == "203.0.113.1"
    assert outside.run(lambda: connect("203.0.113.1", 8080)) == "203.0.113.2"

    def away():
        networking = Networking(INSTANCE)
        networking.restore([one], [end])
        networking.remove(one)
        return networking._firewall.nft.run(f"list chain {chain}").count(one.bridge)

    assert host.run(away) == 0


def test_a_chain_without_a_hook_for_others_is_warned_about(world):
    host, _ = world

    def make():
        subprocess.run(
            "nft 'add table inet mine; add chain inet mine fw { type filter hook forward priority 0; policy drop; }'",
            shell=True,
            check=True,
        )
        return Networking(INSTANCE).create(NetworkSpec(name="one"))[1]

    assert host.run(make) == ("chain inet mine fw drops forwarded packets: containers may not reach the network",)


def test_an_address_given_back_twice_stays_with_whom_it_went_to(world):
    """A container lets go at its end, and again when it is removed: meanwhile its address is another's."""
    host, _ = world

    def make():
        networking = Networking(INSTANCE)
        one, _ = networking.create(NetworkSpec(name="one"))
        ended = networking.join(one, EndpointSpec(network="one"))
        networking.leave(ended)
        running = networking.join(one, EndpointSpec(network="one"))
        networking.leave(ended)
        found = [ended, running, networking.join(one, EndpointSpec(network="one"))]
        again = Networking(INSTANCE)
        again.restore([one], [running])
        again.leave(running)
        found.append(again.join(one, EndpointSpec(network="one")))
        networking.remove(one)
        return [endpoint.ipv4 for endpoint in found]

    first, second, third, fourth = host.run(make)
    assert first == second == fourth
    assert third != second


def test_adding_a_port_is_quick_and_many_ports_do_not_slow_it(world):
    host, _ = world

    def measure():
        networking = Networking(INSTANCE)
        one, _ = networking.create(NetworkSpec(name="one"))
        end = networking.join(one, EndpointSpec(network="one"))
        took = []
        for n in range(200):
            start = time.perf_counter_ns()
            networking.publish(f"c{n}", end, [ReservedPort("tcp", "0.0.0.0", 10000 + n, 80)])
            took.append(time.perf_counter_ns() - start)
        for n in range(200):
            networking.unpublish(f"c{n}")
        return sorted(took)[100] / 1e6, networking._firewall.nft.run(f"list map inet {INSTANCE.nft_table} anyports4")

    median, left = host.run(measure)
    print(f"publish: {median:.3f} ms")
    assert "elements" not in left


def test_elements_by_netlink_are_those_of_the_text_and_a_transaction_is_whole(world):
    host, _ = world
    ports = (
        PortRule("tcp", "0.0.0.0", 8080, "172.17.0.2", 80, "hk0"),
        PortRule("udp", "127.0.0.1", 53, "172.17.0.2", 5353, "hk0"),
        PortRule("sctp", "::", 9, "fd00::2", 9, "hk0"),
        PortRule("tcp", "2001:db8::1", 8080, "fd00::2", 80, "hk0"),
        *(PortRule("tcp", "0.0.0.0", 20000 + n, "172.17.0.3", 80, "hk0") for n in range(1200)),
    )

    def change():
        firewall = Firewall("hakobu-test")
        firewall.restore([], ports)
        listed = firewall.nft.run("list table inet hakobu-test")
        firewall.remove_ports(ports)
        emptied = firewall.nft.run("list table inet hakobu-test")
        firewall.remove_ports(ports[:4])
        firewall.add_ports(ports)
        again = firewall.nft.run("list table inet hakobu-test")
        moved = replace(ports[0], container_ip="172.17.0.9")
        with pytest.raises(OSError):
            firewall._change(rules.publish([replace(ports[0], host_port=1), moved]), "add a port that is taken")
        unchanged = firewall.nft.run("list table inet hakobu-test")
        firewall.add_ports([moved])
        replaced = firewall.nft.run("list map inet hakobu-test anyports4")
        firewall.nft.run("delete table inet hakobu-test")
        with pytest.raises(OSError) as gone:
            firewall.add_ports(ports)
        firewall.close()
        return listed, emptied, again, unchanged, replaced, gone.value.errno

    listed, emptied, again, unchanged, replaced, gone = host.run(change)
    assert listed.count(" : ") == len(ports) + 4  # the maps of types
    assert sorted(re.findall(r"[^{},]+ : [^{},]+", again)) == sorted(re.findall(r"[^{},]+ : [^{},]+", listed))
    assert again.count("hk0") == unchanged.count("hk0") == listed.count("hk0") == len(ports) - 1  # two share one
    assert "elements" not in emptied
    assert "tcp . 1 :" not in unchanged
    assert "tcp . 8080 : 172.17.0.9 . 80" in replaced
    assert gone == errno.ENOENT


def test_without_icc_containers_of_one_bridge_are_apart(world, namespaces, serving):
    host, outside = world
    a, b = namespaces(), namespaces()

    def make():
        networking = Networking(INSTANCE)
        options = {"com.docker.network.bridge.enable_icc": "false"}
        one, _ = networking.create(NetworkSpec(name="one", options=options))
        ends = [networking.join(one, EndpointSpec(network="one")) for _ in range(2)]
        networking.publish("b", ends[1], [ReservedPort("tcp", "0.0.0.0", 8080, 80)])
        return one, ends

    one, (end_a, end_b) = host.run(make)
    plug(host, a, one, end_a)
    plug(host, b, one, end_b)
    serving(b, 80)
    serving(outside, 80)
    assert a.run(lambda: connect(end_b.ipv4, 80, 1)) in ("timeout", "OSError")
    assert a.run(lambda: connect("203.0.113.2", 80)) == "203.0.113.1"
    assert outside.run(lambda: connect("203.0.113.1", 8080)) == "203.0.113.2"


def test_changes_of_others_are_noticed_and_mended(world):
    host, _ = world

    def flush():
        networking = Networking(INSTANCE)
        networking.create(NetworkSpec(name="one"))
        networking.take_notices()
        with networking.watch() as watch:
            networking.heal()
            with pytest.raises(BlockingIOError):
                watch.recv(65536)
            subprocess.run("nft flush ruleset", shell=True, check=True)
            assert watch.recv(65536)
            networking.heal()
        return networking.take_notices(), networking._firewall.is_present()

    assert host.run(flush) == ([f"table inet {INSTANCE.nft_table} was gone and is back"], True)


def test_a_udp_flow_follows_its_port_to_the_next_container(world, namespaces):
    """A client that never stops sending keeps its conntrack entry; a restarted container must still be reached."""
    host, outside = world
    containers = [namespaces(), namespaces()]

    def make():
        networking = Networking(INSTANCE)
        one, _ = networking.create(NetworkSpec(name="one"))
        return one, [networking.join(one, EndpointSpec(network="one")) for _ in containers]

    one, ends = host.run(make)
    for container, end in zip(containers, ends, strict=True):
        plug(host, container, one, end)

    def steer(first, then):
        networking = Networking(INSTANCE)
        port = [ReservedPort("udp", "0.0.0.0", 5353, 53)]
        published = [("a", first, port)] if first else []
        networking.restore([one], ends, published)
        if first:
            networking.unpublish("a")
        if then:
            networking.publish("b", then, port)

    def heard(container):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.bind(("", 53))
            s.settimeout(1)
            try:
                return s.recv(10)
            except TimeoutError:
                return b""

    line = (
        "import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 4000))\n"
        "while True: s.sendto(b'x', ('203.0.113.1', 5353)); time.sleep(0.05)"
    )
    sender = subprocess.Popen(["nsenter", "-t", str(outside.pid), "-n", sys.executable, "-c", line])
    try:
        time.sleep(0.3)
        host.run(lambda: steer(None, ends[0]))
        assert containers[0].run(lambda: heard(0)) == b"x"
        host.run(lambda: steer(ends[0], ends[1]))
        assert containers[1].run(lambda: heard(1)) == b"x"
        assert containers[0].run(lambda: heard(0)) == b""
    finally:
        sender.kill()
        sender.wait()


def test_a_bridge_nobody_recorded_is_removed_and_one_bad_record_costs_itself_alone(world):
    host, _ = world

    def crash():
        networking = Networking(INSTANCE)
        good, _ = networking.create(NetworkSpec(name="good"))
        lost, _ = networking.create(NetworkSpec(name="lost"))
        bad = replace(
            good, id="b" * 64, spec=NetworkSpec(name="bad"), pools=(Pool(subnet="nonsense"),), bridge="hk-bad"
        )
        later = Networking(INSTANCE)
        later.restore([bad, good])
        names = {link.name for link in rtnetlink.links(later._nl)}
        return good.bridge in names, lost.bridge in names, lost.bridge, later.take_notices()

    has_good, has_lost, lost, notices = host.run(crash)
    assert has_good and not has_lost
    assert f"bridge {lost} belonged to no network and is removed" in notices
    assert [n for n in notices if n.startswith("network ")] == [
        "network bad is left out: invalid subnet nonsense: 'nonsense' does not appear to be an IPv4 or IPv6 network"
    ]


def test_a_network_that_cannot_be_made_leaves_nothing(world):
    host, _ = world

    def fail():
        networking = Networking(INSTANCE)
        networking.ensure_default()
        before = networking._firewall.nft.run("list ruleset"), sorted(k.name for k in rtnetlink.links(networking._nl))
        for options in ({"com.docker.network.bridge.name": "uplink"}, {"com.docker.network.bridge.name": "b" * 16}):
            with pytest.raises(HakobuError):
                networking.create(NetworkSpec(name="one", options=options))
        with pytest.raises(HakobuError, match="Pool overlaps"):
            networking.create(NetworkSpec(name="one", pools=(Pool(subnet="172.17.9.0/24"),)))
        for driver in ("overlay", "swarm"):
            with pytest.raises(HakobuError, match=f"network driver {driver} is not supported"):
                networking.create(NetworkSpec(name="one", driver=driver))
        after = networking._firewall.nft.run("list ruleset"), sorted(k.name for k in rtnetlink.links(networking._nl))
        return before == after, networking.create(NetworkSpec(name="two"))[0].pools[0].subnet

    assert host.run(fail) == (True, "172.18.0.0/16")


def test_publishing_by_proxy_leaves_the_kernel_out(world):
    host, _ = world

    def publish():
        networking = Networking(INSTANCE, NetworkSettings(publish_proxy=True))
        one, _ = networking.create(NetworkSpec(name="one"))
        end = networking.join(one, EndpointSpec(network="one"))
        networking.publish("c", end, [ReservedPort("tcp", "0.0.0.0", 8080, 80)])
        networking.unpublish("c")
        return networking._firewall.nft.run(f"list map inet {INSTANCE.nft_table} anyports4")

    assert "elements" not in host.run(publish)


def test_the_default_bridge_follows_the_configuration(world):
    host, _ = world

    def change():
        first = Networking(INSTANCE).ensure_default()
        settings = NetworkSettings(
            bip="10.88.0.1/24", fixed_cidr="10.88.0.128/25", default_gateway="10.88.0.9", icc=False, mtu=1400
        )
        assert Networking(INSTANCE).ensure_default(first) == ()
        networking = Networking(INSTANCE, settings)
        (changed,) = networking.ensure_default(first)
        stored = (changed, *first[1:])
        networking.restore(stored)
        end = networking.join(changed, EndpointSpec(network="bridge"))
        listed = subprocess.run(f"ip -br addr show {changed.bridge}", shell=True, capture_output=True, text=True).stdout
        return first[0].id == changed.id, end, networking.ensure_default(stored), listed

    same, end, again, listed = host.run(change)
    assert same and again == ()
    assert (end.ipv4, end.ipv4_prefix, end.ipv4_gateway) == ("10.88.0.128", 24, "10.88.0.9")
    assert "10.88.0.1/24" in listed and "172.17" not in listed


def setting(path: str) -> str:
    with open(f"/proc/sys/net/{path}") as file:
        return file.read().strip()


def test_no_ipv6_where_none_was_asked_for_and_no_router_advertisement_is_believed(world, namespaces):
    """CVE-2024-32473, CVE-2020-13401."""
    host, _ = world
    container = namespaces()

    def make():
        networking = Networking(INSTANCE)
        one, _ = networking.create(NetworkSpec(name="one"))
        six, _ = networking.create(NetworkSpec(name="six", enable_ipv6=True))
        end = networking.join(one, EndpointSpec(network="one"))
        ra = [setting(f"ipv6/conf/{n.bridge}/accept_ra") for n in (one, six)]
        off = [setting(f"ipv6/conf/{n.bridge}/disable_ipv6") for n in (one, six)]
        return one, end, ra, off

    one, end, ra, off = host.run(make)
    assert (ra, off) == (["0", "0"], ["1", "0"])
    plug(host, container, one, end)

    def look():
        listed = subprocess.run("ip -6 addr show eth0", shell=True, capture_output=True, text=True).stdout
        return setting("ipv6/conf/eth0/disable_ipv6"), listed

    assert container.run(look) == ("1", "")


@pytest.mark.parametrize("came", ["before", "after"])
def test_a_published_port_catches_only_what_is_meant_for_the_host(world, namespaces, serving, came: str):
    """CVE-2025-67499: traffic that is routed through the host to somebody else's port 8080 passes untouched. Between
    two interfaces that were there before the engine switched routing on, it still does not pass at all."""
    host, outside = world
    container, beyond = namespaces(), namespaces()

    def second():
        with Netlink() as nl:
            rtnetlink.create_veth(nl, "second", "eth9", pid=beyond.pid)
            rtnetlink.add_address(nl, "second", "198.51.100.1", 24)

    def make():
        if came == "before":
            second()
        networking = Networking(INSTANCE)
        one, _ = networking.create(NetworkSpec(name="one"))
        end = networking.join(one, EndpointSpec(network="one"))
        networking.publish("c", end, [ReservedPort("tcp", "0.0.0.0", 8080, 80)])
        if came == "after":
            second()
        return one, end

    one, end = host.run(make)
    plug(host, container, one, end)
    serving(container, 80)

    def far():
        with Netlink() as nl:
            rtnetlink.add_address(nl, "eth9", "198.51.100.2", 24)
            rtnetlink.set_up(nl, "eth9")
            rtnetlink.add_route(nl, "203.0.113.0", 24, gateway="198.51.100.1")

    def near():
        with Netlink() as nl:
            rtnetlink.add_route(nl, "198.51.100.0", 24, gateway="203.0.113.1")

    beyond.run(far)
    outside.run(near)
    serving(beyond, 8080)
    through = "203.0.113.2" if came == "after" else "timeout"
    assert outside.run(lambda: connect("198.51.100.2", 8080, 2)) == through
    assert container.run(lambda: connect("198.51.100.2", 8080)) == "198.51.100.1"
    assert outside.run(lambda: connect("198.51.100.1", 8080)) == "203.0.113.2"
