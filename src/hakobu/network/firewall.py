"""The instance's nftables table in the kernel: changed by transactions on its own elements only.

One context for the daemon's life, used from one thread. Where somebody removed the table, the next change finds
it missing, and `restore` writes it whole again from what the caller knows.
"""

import errno
import socket
from collections.abc import Iterable, Sequence

from hakobu.kernel import nftelement
from hakobu.kernel.netlink import SOL_NETLINK, Netlink
from hakobu.kernel.nftables import NETLINK_NETFILTER, Nftables, generation
from hakobu.kernel.nftelement import Change
from hakobu.network import rules
from hakobu.network.rules import BridgeRules, PortRule

NETLINK_ADD_MEMBERSHIP = 1
NFNLGRP_NFTABLES = 7


class Firewall:
    def __init__(self, table: str) -> None:
        self.table = table
        self._nft: Nftables | None = None
        self._socket: Netlink | None = None
        self._seen = 0

    @property
    def nft(self) -> Nftables:
        """The library is loaded with the first rule, not with the daemon."""
        if self._nft is None:
            self._nft = Nftables()
        return self._nft

    def close(self) -> None:
        if self._nft is not None:
            self._nft.close()
            self._nft = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def has_changed(self) -> bool:
        """Whether anybody (we, too) changed any rule of the host since `settled`: one short question (20 µs)."""
        return self._generation() != self._seen

    def watch(self) -> socket.socket:
        """A non-blocking socket that becomes readable when any rule of the host changes; to be drained and closed
        by the caller."""
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, NETLINK_NETFILTER)
        try:
            sock.bind((0, 0))
            sock.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTABLES)
        except BaseException:
            sock.close()
            raise
        return sock

    def settled(self) -> None:
        """What is there now is known and right."""
        self._seen = self._generation()

    def _generation(self) -> int:
        return generation(self._netlink)

    @property
    def _netlink(self) -> Netlink:
        if self._socket is None:
            self._socket = Netlink(NETLINK_NETFILTER)
        return self._socket

    def restore(self, bridges: Iterable[BridgeRules], ports: Iterable[PortRule]) -> None:
        """Makes the table say exactly this, in one transaction; uplinks are kept."""
        elements = [pair for bridge in bridges for pair in bridge.elements()]
        commands = rules.base(self.table) + rules.flush_elements(self.table)
        commands += rules.add_elements(self.table, elements)
        commands += "".join(port.add(self.table) for port in ports)
        self.nft.run(commands)

    def bridges(self) -> frozenset[str]:
        """The names in the table; none where there is no table."""
        try:
            found = self.nft.query(f"list set inet {self.table} bridges")
        except OSError:
            return frozenset()
        sets = (entry["set"] for entry in found if "set" in entry)
        return frozenset(name for s in sets for name in s.get("elem", []) if isinstance(name, str))

    def add_bridge(self, bridge: BridgeRules) -> None:
        self.nft.run(rules.add_elements(self.table, bridge.elements()))

    def remove_bridge(self, bridge: BridgeRules) -> None:
        self._gone_is_fine(rules.delete_elements(self.table, bridge.elements()))

    def add_ports(self, ports: Sequence[PortRule]) -> None:
        """One transaction. A key left over from a container that died unseen is replaced."""
        if not ports:
            return
        try:
            self._change(rules.publish(ports), "add ports")
        except OSError as e:
            if e.errno not in (errno.EEXIST, errno.EBUSY):
                raise
            self.remove_ports(ports)
            self._change(rules.publish(ports), "add ports")

    def remove_ports(self, ports: Sequence[PortRule]) -> None:
        if not ports:
            return
        try:
            self._change(rules.withdraw(ports), "remove ports")
        except OSError:
            for port in ports:
                try:
                    self._change(rules.withdraw([port]), "remove a port")
                except OSError as e:
                    if e.errno != errno.ENOENT:
                        raise

    def _change(self, changes: Iterable[Change], what: str) -> None:
        nftelement.change(self._netlink, self.table, changes, what)

    def keep_apart(self, uplinks: Iterable[str]) -> None:
        """These interfaces did not route among each other before; they shall not now."""
        self.nft.run(rules.add_elements(self.table, [("uplinks", rules.quoted(name)) for name in uplinks]))

    def is_present(self) -> bool:
        try:
            self.nft.run(f"list chain inet {self.table} forward")
        except OSError:
            return False
        return True

    def keeps_apart(self) -> bool:
        """Whether interfaces are in the table that must not route among each other without it."""
        try:
            return any(
                "elem" in entry.get("set", {}) for entry in self.nft.query(f"list set inet {self.table} uplinks")
            )
        except OSError:
            return False

    def remove(self) -> None:
        """The whole table, when nothing needs it any more."""
        self._gone_is_fine(f"delete table inet {self.table}")

    def _gone_is_fine(self, commands: str) -> None:
        try:
            self.nft.run(commands)
        except OSError as e:
            if e.errno != errno.ENOENT:
                raise
