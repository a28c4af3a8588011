"""What macvlan and ipvlan networks may ask for, and in which words the rest is refused."""

import pytest

from hakobu.errors import HakobuError
from hakobu.network.sublink import Sublink, check_sharing, sublink_of, unknown_options, vlan_of
from hakobu.spec.network import NetworkSpec


def asked(driver: str, **options: str) -> NetworkSpec:
    return NetworkSpec(name="lan", driver=driver, options=options)


def test_the_defaults_are_dockers() -> None:
    assert sublink_of(asked("macvlan")) == Sublink("macvlan", "", "bridge")
    assert sublink_of(asked("ipvlan", parent="eth0")) == Sublink("ipvlan", "eth0", "l2", "bridge")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (asked("macvlan", macvlan_mode="l2"), "requested macvlan mode 'l2' is not valid, 'bridge' mode is the macvlan"),
        (asked("ipvlan", ipvlan_mode="bridge"), "requested ipvlan mode 'bridge' is not valid, 'l2' mode is the ipvlan"),
        (asked("ipvlan", ipvlan_flag="x"), "requested ipvlan flag 'x' is not valid"),
        (asked("macvlan", parent="lo"), "loopback interface is not a valid macvlan parent link"),
    ],
)
def test_what_cannot_be_is_refused_in_dockers_words(spec: NetworkSpec, said: str) -> None:
    with pytest.raises(HakobuError, match=said):
        sublink_of(spec)


def test_options_of_the_other_driver_are_told() -> None:
    assert unknown_options(asked("macvlan", parent="e", ipvlan_mode="l2", speed="9")) == ("ipvlan_mode", "speed")


@pytest.mark.parametrize(
    ("parent", "said"),
    [
        ("eth7", "example formatting is eth0.10"),
        ("eth0.1.2", "required interface name format is: name.vlan_id"),
        ("eth0.x", "unable to parse a valid vlan id from: x"),
        ("eth0.4095", "vlan id must be between 1-4094, received: 4095"),
        ("eth0.0", "received: 0"),
    ],
)
def test_a_parent_that_is_to_be_made_is_a_vlan(parent: str, said: str) -> None:
    assert vlan_of("eth0.50") == ("eth0", 50)
    with pytest.raises(HakobuError, match=said):
        vlan_of(parent)


def test_a_parent_is_shared_only_by_those_that_can() -> None:
    bridge, private = Sublink("macvlan", "eth0", "bridge"), Sublink("macvlan", "eth0", "private")
    alone, routed = Sublink("macvlan", "eth0", "passthru"), Sublink("ipvlan", "eth0", "l3", "bridge")
    check_sharing(bridge, [("a", private), ("b", Sublink("ipvlan", "eth1", "l2"))])
    check_sharing(Sublink("macvlan", "", "passthru"), [("a", Sublink("macvlan", "", "passthru"))])
    for new, other in ((alone, bridge), (bridge, alone), (routed, bridge), (routed, Sublink("ipvlan", "eth0", "l2"))):
        with pytest.raises(HakobuError, match="network a is already using parent interface eth0 in mode"):
            check_sharing(new, [("a", other)])
