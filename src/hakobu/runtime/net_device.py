"""An interface of the host that becomes a container's (`linux.netDevices`), with its addresses and its state.

Moving an interface takes its addresses away, so they are read before and given again inside.
"""

from collections.abc import Mapping

from hakobu.kernel import rtnetlink
from hakobu.kernel.netlink import Netlink
from hakobu.runtime.shim.netjoin import run_in_network
from hakobu.spec.step import Json, Place, Step


def link_give(args: Mapping[str, Json], pid: int) -> None:
    host = str(args["host"])
    name = str(args.get("name") or host)
    with Netlink() as nl:  # link-local addresses are made anew by the kernel
        link = rtnetlink.find_link(nl, host)
        if link is None:
            raise OSError(19, f"there is no interface {host}")
        addresses = [a for a in rtnetlink.addresses(nl, link.ifindex) if not a.address.startswith("fe80:")]
        rtnetlink.give_away(nl, host, pid, name)
    steps = [Step("addr.add", Place.CHILD, {"name": name, "address": a.address, "prefix": a.prefix}) for a in addresses]
    if link.up:
        steps.append(Step("link.up", Place.CHILD, {"name": name}))
    run_in_network(pid, steps)


SHIM = {"link.give": link_give}
