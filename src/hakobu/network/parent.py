"""The parent interfaces of macvlan and ipvlan networks: found, or made where the name says how, and taken away again.

What is made here carries an alias with the instance's and the network's name: by it the interface is known as ours
after a crash, and nothing that somebody else made is ever removed.
"""

import errno
from dataclasses import dataclass, replace

from hakobu.kernel import rtnetlink, upper_link
from hakobu.kernel.netlink import Netlink
from hakobu.network.sublink import BadParent, Sublink, check_sharing, sublink_of, vlan_of
from hakobu.spec.instance import Instance
from hakobu.spec.network import Network


@dataclass(frozen=True, slots=True)
class _Use:
    """`link.parent` is filled in; `own` says that the network named none."""

    network: str
    link: Sublink
    own: bool


class Parents:
    """Of one instance. Methods with `nl` act on the host and raise OSError; the others only remember."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._uses: dict[str, _Use] = {}

    def take(self, network: Network) -> str:
        """Remembers the network; returns its parent's name. Raises where another network excludes it."""
        asked = sublink_of(network.spec)
        check_sharing(asked, [(use.network, use.link) for use in self._uses.values()])
        link = replace(asked, parent=asked.parent or self._instance.bridge(network.id))
        self._uses[network.id] = _Use(network.name, link, own=not asked.parent)
        return link.parent

    def ensure(self, nl: Netlink, network_id: str) -> None:
        """The parent is there and, where it is made here, up. One of the host's that is down is left as it is."""
        use = self._uses.get(network_id)
        if use is None or rtnetlink.find_link(nl, use.link.parent) is not None:
            return
        if use.own:
            _create_dead_end(nl, use.link.parent)
        else:
            _create_vlan(nl, use.link.parent)
        upper_link.set_alias(nl, use.link.parent, self._instance.link_alias + network_id)
        rtnetlink.set_up(nl, use.link.parent)

    def release(self, nl: Netlink, network_id: str) -> None:
        """What was made for the network goes, or is the next network's that uses it."""
        use = self._uses.pop(network_id, None)
        if use is None or self._made(nl).get(use.link.parent) != network_id:
            return
        heir = next((other for other, held in self._uses.items() if held.link.parent == use.link.parent), "")
        if heir:
            upper_link.set_alias(nl, use.link.parent, self._instance.link_alias + heir)
        else:
            _remove(nl, use.link.parent)

    def withdraw(self, nl: Netlink) -> None:
        """All that was made here, though its networks stay known."""
        for name in self._made(nl):
            _remove(nl, name)

    def remove_orphans(self, nl: Netlink) -> tuple[str, ...]:
        """Interfaces whose network was never recorded, or is gone; returns their names."""
        lost = sorted(name for name, network_id in self._made(nl).items() if network_id not in self._uses)
        for name in lost:
            _remove(nl, name)
        return tuple(lost)

    def _made(self, nl: Netlink) -> dict[str, str]:
        """Interfaces made here: name to network id."""
        prefix = self._instance.link_alias
        held = upper_link.aliases(nl)
        return {name: alias.removeprefix(prefix) for name, alias in held.items() if alias.startswith(prefix)}


def _create_dead_end(nl: Netlink, name: str) -> None:
    """A dummy, or a cable with both ends here where the kernel has no dummy."""
    try:
        upper_link.create_dummy(nl, name)
    except OSError as e:
        if e.errno != errno.EOPNOTSUPP:
            raise
        far = name[:2] + "p" + name[3:]
        rtnetlink.create_veth(nl, name, far)
        rtnetlink.set_up(nl, far)


def _create_vlan(nl: Netlink, name: str) -> None:
    below, vlan_id = vlan_of(name)
    if rtnetlink.find_link(nl, below) is None:
        raise BadParent(f"-o parent interface was not found on the host: {below}")
    upper_link.create_vlan(nl, below, name, vlan_id)


def _remove(nl: Netlink, name: str) -> None:
    try:
        rtnetlink.delete_link(nl, name)
    except OSError as e:
        if e.errno != errno.ENODEV:
            raise
