"""What macvlan and ipvlan networks ask for: a parent interface, and a mode. Pure; names and texts are Docker's.

The interface of a container sits on the parent itself, so there is no bridge, no firewall and no published port
between: it is one more station of the parent's network.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from hakobu.errors import HakobuError, Invalid, Kind
from hakobu.spec.network import NetworkSpec

DRIVERS = frozenset({"macvlan", "ipvlan"})
PARENT = "parent"
MTU_OPTION = "com.docker.network.driver.mtu"
_MODES = {"macvlan": ("bridge", "private", "vepa", "passthru"), "ipvlan": ("l2", "l3", "l3s")}
_FLAGS = {"macvlan": ("",), "ipvlan": ("bridge", "private", "vepa")}
VLAN_IDS = range(1, 4095)


class ParentInUse(HakobuError):
    """Two networks want the same interface in ways that exclude each other."""

    kind = Kind.CONFLICT

    def __init__(self, parent: str, holder: str, how: str) -> None:
        super().__init__(
            f"network {holder} is already using parent interface {parent} in mode {how}",
            hint="choose that mode too, or another parent",
        )
        self.parent = parent


class BadParent(Invalid):
    def __init__(self, why: str) -> None:
        super().__init__(why, field="Options.parent")


@dataclass(frozen=True, slots=True)
class Sublink:
    """`parent` is the interface below, empty where the network wants one of its own; `flag` is of ipvlan alone."""

    driver: str
    parent: str
    mode: str
    flag: str = ""

    @property
    def routes_by_device(self) -> bool:
        """ipvlan's l3 modes know no neighbours, so there is no gateway to ask: the interface is the way."""
        return self.mode in ("l3", "l3s")


def sublink_of(spec: NetworkSpec) -> Sublink:
    """From the options of a network, checked. A parent that cannot be is refused here, one that is not there later."""
    modes, flags = _MODES[spec.driver], _FLAGS[spec.driver]
    mode = spec.options.get(f"{spec.driver}_mode", "") or modes[0]
    flag = spec.options.get("ipvlan_flag", "") or flags[0] if spec.driver == "ipvlan" else ""
    if mode not in modes:
        raise Invalid(
            f"requested {spec.driver} mode '{mode}' is not valid, "
            f"'{modes[0]}' mode is the {spec.driver} driver default",
            field=f"Options.{spec.driver}_mode",
        )
    if flag not in flags:
        raise Invalid(
            f"requested ipvlan flag '{flag}' is not valid, 'bridge' is the ipvlan driver default",
            field="Options.ipvlan_flag",
        )
    parent = spec.options.get(PARENT, "")
    if parent == "lo":
        raise BadParent(f"loopback interface is not a valid {spec.driver} parent link")
    return Sublink(spec.driver, parent, mode, flag)


def unknown_options(spec: NetworkSpec) -> tuple[str, ...]:
    """Options that the driver does not know: Docker takes them in silence, here they are warned about."""
    known = (PARENT, MTU_OPTION, f"{spec.driver}_mode", *(("ipvlan_flag",) if spec.driver == "ipvlan" else ()))
    return tuple(sorted(spec.options.keys() - set(known)))


def vlan_of(parent: str) -> tuple[str, int]:
    """`eth0.50` is VLAN 50 of eth0, in the words of what is wrong otherwise."""
    if "." not in parent:
        raise BadParent(f"invalid subinterface vlan name {parent}, example formatting is eth0.10")
    below, _, number = parent.partition(".")
    if not below or "." in number:
        raise BadParent(
            f"required interface name format is: name.vlan_id, ex. eth0.10 for vlan 10, instead received {parent}"
        )
    if not (number.isascii() and number.isdigit()):
        raise BadParent(f"unable to parse a valid vlan id from: {number} (ex. eth0.10 for vlan 10)")
    if int(number) not in VLAN_IDS:
        raise BadParent(f"vlan id must be between 1-4094, received: {int(number)}")
    return below, int(number)


def check_sharing(new: Sublink, others: Iterable[tuple[str, Sublink]]) -> None:
    """`others` are networks' names with what they ask for. A parent is one driver's, passthru's alone, and ipvlan's
    in one mode."""
    for name, other in others:
        if not new.parent or other.parent != new.parent:
            continue
        alike = (other.driver, other.mode) == (new.driver, new.mode) or (other.driver == new.driver == "macvlan")
        if not alike or "passthru" in (new.mode, other.mode):
            raise ParentInUse(new.parent, name, f"{other.driver} {other.mode}")
