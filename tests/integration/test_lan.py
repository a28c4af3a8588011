"""Containers on a parent interface, through a real engine and docker's own command line."""

import json
import socket
import subprocess
from collections.abc import Iterator

import pytest
from tests.integration.daemon import Daemon


@pytest.fixture
def uplink(engine: Daemon) -> Iterator[str]:
    """An interface of the host, its far end too: no container reaches either by the network's address of the host."""
    subprocess.run("ip link add up0 type veth peer name up1 && ip link set up0 up && ip link set up1 up", shell=True)
    yield "up0"
    engine.remove_all()
    subprocess.run(["ip", "link", "del", "up0"], check=True)


def interfaces() -> set[str]:
    return {name for _, name in socket.if_nameindex()}


def create(engine: Daemon, name: str, *flags: str) -> None:
    engine.docker("network", "create", "-d", "macvlan", "--subnet", "192.0.2.0/24", *flags, name)


def run(engine: Daemon, name: str, *flags: str) -> None:
    engine.docker("run", "-d", "--name", name, *flags, "busybox", "sh", "-c", "echo hi >i; httpd -f -h / -p 80")


def test_containers_speak_by_name_on_a_macvlan(engine: Daemon, uplink: str) -> None:
    create(engine, "lan", "-o", f"parent={uplink}", "--ip-range", "192.0.2.64/26", "--aux-address", "nas=192.0.2.65")
    run(engine, "one", "--network", "lan")
    run(engine, "two", "--network", "lan", "--ip", "192.0.2.99", "--mac-address", "02:00:00:00:00:99")
    ask = ("exec", "one", "wget", "-T", "5", "-qO-")
    assert engine.docker(*ask, "http://two/i").stdout == "hi\n"
    assert engine.docker(*ask, "http://192.0.2.99/i").stdout == "hi\n"
    assert "192.0.2.66/24" in engine.docker("exec", "one", "ip", "addr").stdout
    shown = json.loads(engine.docker("network", "inspect", "lan").stdout)[0]
    assert (shown["Driver"], shown["Options"]) == ("macvlan", {"parent": uplink})
    assert shown["IPAM"]["Config"] == [
        {
            "Subnet": "192.0.2.0/24",
            "IPRange": "192.0.2.64/26",
            "Gateway": "192.0.2.64",
            "AuxiliaryAddresses": {"nas": "192.0.2.65"},
        }
    ]
    members = {m["Name"]: (m["IPv4Address"], m["MacAddress"]) for m in shown["Containers"].values()}
    assert members["two"] == ("192.0.2.99/24", "02:00:00:00:00:99")

    engine.docker("network", "disconnect", "lan", "two")
    assert engine.docker(*ask, "http://two/i", check=False).returncode != 0
    engine.docker("network", "connect", "lan", "two")
    assert engine.docker(*ask, "http://two/i").stdout == "hi\n"
    engine.docker("restart", "-t", "0", "two")
    assert engine.docker(*ask, "http://two/i").stdout == "hi\n"


def test_a_container_is_on_a_bridge_and_on_the_lan(engine: Daemon, uplink: str) -> None:
    create(engine, "lan", "-o", f"parent={uplink}", "--internal")
    run(engine, "one", "--network", "lan")
    run(engine, "both", "--network", "bridge", "-p", "18070:80")
    engine.docker("network", "connect", "lan", "both")
    assert engine.docker("exec", "one", "wget", "-T", "5", "-qO-", "http://both/i").stdout == "hi\n"
    assert "dev eth0" in engine.docker("exec", "both", "ip", "route", "show", "default").stdout
    assert "default" not in engine.docker("exec", "one", "ip", "route").stdout


def test_a_network_without_a_parent_leaves_nothing_behind(engine: Daemon) -> None:
    before = interfaces()
    create(engine, "alone")
    made = interfaces() - before
    run(engine, "one", "--network", "alone")
    run(engine, "two", "--network", "alone")
    assert engine.docker("exec", "one", "wget", "-T", "5", "-qO-", "http://two/i").stdout == "hi\n"
    engine.remove_all()
    assert made and interfaces() == before


def test_explain_tells_of_the_interface_on_its_parent(engine: Daemon, uplink: str) -> None:
    create(engine, "lan", "-o", f"parent={uplink}", "-o", "macvlan_mode=private")
    told = engine.hakobu("run", "--explain", "--network", "lan", "busybox", "true").stdout
    assert f"a station of its own on the network of {uplink}: a macvlan in mode private." in told
    assert "veth" not in told


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-o", "parent=lo"), "loopback interface is not a valid macvlan parent link"),
        (("-o", "parent=nowhere"), "invalid subinterface vlan name nowhere"),
        (("-o", "macvlan_mode=fast"), "requested macvlan mode 'fast' is not valid"),
    ],
)
def test_what_docker_refuses_is_refused(engine: Daemon, options: tuple[str, ...], said: str) -> None:
    refused = engine.docker("network", "create", "-d", "macvlan", *options, "bad", check=False)
    assert refused.returncode != 0 and said in refused.stderr
