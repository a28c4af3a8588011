"""The address book: Docker's defaults, order and words."""

import ipaddress

import pytest

from hakobu.errors import Invalid
from hakobu.network import failure, ipam
from hakobu.spec.network import Network, NetworkSpec, Pool


def made(book: ipam.Ipam, name: str, *pools: Pool, taken=(), **spec) -> Network:
    wanted = NetworkSpec(name=name, pools=pools, **spec)
    got = book.request(name, wanted, [ipaddress.ip_network(t) for t in taken])
    return Network(id=name, created_ns=0, spec=wanted, pools=got)


def test_pools_come_in_dockers_order_around_what_the_host_routes():
    book = ipam.Ipam()
    first = made(book, "a", taken=["172.18.0.0/24", "10.0.0.0/8"])
    assert first.pools == (Pool(subnet="172.17.0.0/16", gateway="172.17.0.1"),)
    assert made(book, "b", taken=["172.18.0.0/24"]).pools[0].subnet == "172.19.0.0/16"
    small = [made(book, f"n{i}", taken=["172.16.0.0/12"]) for i in range(16)]
    assert [n.pools[0].subnet for n in small[:2]] == ["192.168.0.0/20", "192.168.16.0/20"]
    with pytest.raises(failure.PoolsExhausted):
        made(book, "last", taken=["172.16.0.0/12"])
    book.forget("n0")
    assert made(book, "again", taken=["172.16.0.0/12"]).pools[0].subnet == "192.168.0.0/20"


def test_the_lowest_free_address_is_given_and_reserved_ones_are_not():
    book = ipam.Ipam()
    pool = Pool(subnet="10.1.0.0/29", reserved={"router": "10.1.0.3"})
    network = made(book, "a", pool)
    assert network.pools[0].gateway == "10.1.0.1"
    given = [book.allocate(network, 4).address for _ in range(4)]
    assert given == ["10.1.0.2", "10.1.0.4", "10.1.0.5", "10.1.0.6"]
    with pytest.raises(failure.AddressesExhausted):
        book.allocate(network, 4)
    book.release("a", "10.1.0.4")
    assert book.allocate(network, 4).address == "10.1.0.4"


def test_a_range_narrows_what_is_given_but_not_what_may_be_asked_for():
    book = ipam.Ipam()
    network = made(book, "a", Pool(subnet="172.28.0.0/16", ip_range="172.28.5.0/24", gateway="172.28.5.254"))
    assert book.allocate(network, 4).address == "172.28.5.0"
    assert book.allocate(network, 4, "172.28.9.9") == ipam.Allocation("172.28.9.9", 16, "172.28.5.254")
    with pytest.raises(failure.AddressInUse, match=r"^Address already in use$"):
        book.allocate(network, 4, "172.28.9.9")
    with pytest.raises(failure.AddressOutside, match="does not belong to any of this network's subnets"):
        book.allocate(network, 4, "172.29.0.1")


def test_conflicts_and_nonsense_are_refused():
    book = ipam.Ipam()
    made(book, "a", Pool(subnet="10.1.0.0/16"))
    with pytest.raises(failure.PoolOverlaps, match=r"^Pool overlaps with other one on this address space$"):
        made(book, "b", Pool(subnet="10.1.2.0/24"))
    for bad in (
        Pool(subnet="10.2.0.0/33"),
        Pool(subnet="10.2.0.0/31"),
        Pool(subnet="10.2.0.0/24", gateway="10.3.0.1"),
        Pool(subnet="10.2.0.0/24", ip_range="10.3.0.0/25"),
        Pool(subnet="10.2.0.0/24", gateway="gate"),
    ):
        with pytest.raises(Invalid):
            made(book, "c", bad)


def test_ipv6_gets_a_ula_of_the_engines_own():
    book = ipam.Ipam(ula_seed="/var/lib/hakobu")
    network = made(book, "a", enable_ipv6=True)
    subnet = ipaddress.ip_network(network.pools[1].subnet)
    assert subnet.is_private and subnet.prefixlen == 64
    assert book.allocate(network, 6).address == str(subnet.network_address + 2)
    assert ipam.Ipam(ula_seed="/other").request("x", NetworkSpec(name="x", enable_ipv6=True))[1] != network.pools[1]


def test_the_book_is_rebuilt_from_records():
    first = ipam.Ipam()
    network = made(first, "a")
    held = [first.allocate(network, 4).address for _ in range(3)]
    second = ipam.Ipam()
    second.adopt(network)
    for address in (held[0], held[2]):
        second.take("a", address)
    assert second.allocate(network, 4).address == held[1]
    assert second.allocate(network, 4).address == "172.17.0.5"


def test_macs_follow_addresses():
    assert ipam.mac_of("172.17.0.2") == "02:42:ac:11:00:02"
