"""The steps of an endpoint, as values."""

from hakobu.network import steps
from hakobu.spec.container import Endpoint, EndpointSpec, PortBinding
from hakobu.spec.instance import Instance
from hakobu.spec.network import Network, NetworkSpec
from hakobu.spec.own_label import Rates
from hakobu.spec.step import Place

INSTANCE = Instance()


def endpoint(**changes) -> Endpoint:
    values = {
        "spec": EndpointSpec(network="bridge"),
        "network_id": "n" * 64,
        "network_name": "bridge",
        "endpoint_id": "e" * 64,
        "ipv4": "172.17.0.2",
        "ipv4_prefix": 16,
        "ipv4_gateway": "172.17.0.1",
        "mac": "02:42:ac:11:00:02",
        "interface": "eth0",
    }
    return Endpoint(**{**values, **changes})


def network(**changes) -> Network:
    spec = NetworkSpec(**{"name": "bridge", **changes})
    return Network(id="n" * 64, created_ns=1, spec=spec, bridge="hakobu0")


def names(planned) -> list[str]:
    return [s.name for s in planned]


def test_ipv6_is_switched_off_before_an_ipv4_only_interface_goes_up():
    planned = steps.plan_endpoint(INSTANCE, network(), endpoint())
    assert names(planned) == ["veth.create", "sysctl.interface", "addr.add", "link.up", "route.add"]
    assert planned[0].args == {
        "host": "hkeeeeeeeeee",
        "peer": "eth0",
        "mac": "02:42:ac:11:00:02",
        "bridge": "hakobu0",
        "mtu": 1500,
        "isolated": False,
    }
    assert planned[1].args["key"] == "disable_ipv6"


def test_a_dual_stack_endpoint_has_both_addresses_and_both_routes():
    both = endpoint(ipv6="fd00::2", ipv6_prefix=64, ipv6_gateway="fd00::1")
    planned = steps.plan_endpoint(INSTANCE, network(), both)
    assert names(planned) == ["veth.create", "addr.add", "addr.add", "link.up", "route.add", "route.add"]


def test_an_internal_network_gives_no_route_out():
    assert "route.add" not in names(steps.plan_endpoint(INSTANCE, network(internal=True), endpoint()))
    assert "route.add" not in names(steps.plan_endpoint(INSTANCE, network(), endpoint(), default_route=False))


def test_the_mtu_of_the_network_holds():
    with_mtu = network(options={"com.docker.network.driver.mtu": "1280"})
    assert steps.plan_endpoint(INSTANCE, with_mtu, endpoint())[0].args["mtu"] == 1280


def test_ports_are_reserved_by_the_shim():
    port = PortBinding(container_port=80, host_port=8080)
    (planned,) = steps.plan_port_reservations([port], endpoint())
    assert planned.name == "port.reserve" and planned.args["container_ip"] == "172.17.0.2"
    assert planned.syscalls == ("socket", "bind", "listen")


def test_only_user_defined_networks_have_a_resolver():
    assert steps.plan_resolver("c" * 64, [network()]) == ()
    (planned,) = steps.plan_resolver("c" * 64, [network(name="app")])
    assert planned.args["networks"] == ["n" * 64]


def test_the_way_out_is_chosen_by_priority_then_name_and_moves_on():
    app = network(name="app")
    other = network(name="zoo")
    closed = network(name="aaa", internal=True)
    first, second = endpoint(interface="eth0"), endpoint(interface="eth1", ipv4_gateway="172.19.0.1")
    inner = endpoint(interface="eth2", ipv4_gateway="")
    joined = [(other, first), (app, second), (closed, inner)]
    assert steps.default_route_of(joined) is second
    preferred = endpoint(spec=EndpointSpec(network="zoo", gateway_priority=5))
    assert steps.default_route_of([(other, preferred), (app, second)]) is preferred
    planned = steps.plan_container(INSTANCE, joined, [PortBinding(container_port=80)])
    assert [s.args["name"] for s in planned if s.name == "route.add"] == ["eth1"]
    assert planned[0].args == {"name": "lo"} and planned[-1].name == "port.reserve"
    assert names(steps.plan_disconnect(INSTANCE, app, second, [(other, first)])) == ["veth.delete", "route.add"]
    assert names(steps.plan_disconnect(INSTANCE, app, second, [(closed, inner)])) == ["veth.delete"]
    assert steps.next_interface([first, inner]) == "eth1"


def test_without_icc_the_ports_of_the_bridge_are_isolated():
    apart = network(options={"com.docker.network.bridge.enable_icc": "false"})
    assert steps.plan_endpoint(INSTANCE, apart, endpoint())[0].args["isolated"] is True


def test_a_network_may_bind_its_ports_to_one_address_of_the_host():
    local = network(name="local", options={"com.docker.network.bridge.host_binding_ipv4": "127.0.0.1"})
    ports = [PortBinding(container_port=80), PortBinding(container_port=81, host_ip="10.0.0.1")]
    planned = steps.plan_container(INSTANCE, [(local, endpoint())], ports, "192.0.2.1")
    assert [s.args["host_ip"] for s in planned if s.name == "port.reserve"] == ["127.0.0.1", "10.0.0.1"]
    assert [p.host_ip for p in steps.bound_for(ports, network(), "192.0.2.1")] == ["192.0.2.1", "10.0.0.1"]


def test_a_macvlan_is_made_on_its_parent_and_publishes_nothing():
    lan = network(name="lan", driver="macvlan", options={"parent": "eth0.50", "macvlan_mode": "vepa"})
    planned = steps.plan_container(INSTANCE, [(lan, endpoint())], [PortBinding(container_port=80)])
    assert names(planned) == ["link.up", "macvlan.create", "sysctl.interface", "addr.add", "link.up", "route.add"]
    expected = {"parent": "eth0.50", "name": "eth0", "mode": "vepa", "mtu": 0, "mac": "02:42:ac:11:00:02"}
    assert planned[1].args == expected
    assert names(steps.plan_disconnect(INSTANCE, lan, endpoint())) == ["link.delete"]
    (named,) = steps.plan_resolver("c" * 64, [lan])
    assert named.name == "resolver.join"


def test_without_a_parent_the_network_has_one_of_its_own():
    closed = network(name="lan", driver="macvlan")
    assert steps.plan_endpoint(INSTANCE, closed, endpoint())[0].args["parent"] == "hk-nnnnnnnnnnnn"


def test_in_the_l3_modes_of_ipvlan_the_interface_is_the_way_out():
    routed = network(name="lan", driver="ipvlan", options={"parent": "eth0", "ipvlan_mode": "l3"})
    both = endpoint(ipv4_gateway="", ipv6="fd00::2", ipv6_prefix=64, mac="")
    planned = steps.plan_endpoint(INSTANCE, routed, both)
    ways = [(s.args["destination"], s.args["gateway"]) for s in planned if s.name == "route.add"]
    assert ways == [("0.0.0.0", ""), ("::", "")]
    assert planned[0].args["flag"] == "bridge" and "mac" not in planned[0].args
    assert steps.default_route_of([(routed, both)]) is both
    closed = network(name="lan", driver="ipvlan", internal=True, options={"ipvlan_mode": "l3"})
    assert "route.add" not in names(steps.plan_endpoint(INSTANCE, closed, both))


def test_each_direction_is_limited_where_it_is_sent():
    rates = Rates(incoming=1000, outgoing=2000)
    planned = steps.plan_endpoint(INSTANCE, network(), endpoint(), rates=rates)
    limits = [(s.place, s.args["name"], s.args["rate_bytes"]) for s in planned if s.name == "rate.limit"]
    assert limits == [(Place.SHIM, "hkeeeeeeeeee", 1000), (Place.CHILD, "eth0", 2000)]
    lan = network(name="lan", driver="macvlan", options={"parent": "eth0"})
    (only,) = [s for s in steps.plan_endpoint(INSTANCE, lan, endpoint(), rates=rates) if s.name == "rate.limit"]
    assert only.place is Place.CHILD
