"""So that a container sees its client's own address, although a shim's socket stands between the two.

The shim's socket towards the container takes the client's address (IP_TRANSPARENT). The container answers to that
address by its gateway, which is this network namespace: whatever belongs to such a socket is marked, and what is
marked is delivered here instead of being sent out.
"""

import socket

from hakobu.kernel import policy_route
from hakobu.kernel.netlink import Netlink
from hakobu.kernel.nftables import Nftables

_MARK = _TABLE = 104
_RULES = f"""
add table inet hakobu_answers
add chain inet hakobu_answers prerouting {{ type filter hook prerouting priority mangle; }}
add rule inet hakobu_answers prerouting socket transparent 1 meta mark set {_MARK}
"""


def deliver() -> bool:
    """In the namespace of this process; False where the kernel has no word for it (nft_socket, policy routing)."""
    try:
        with Nftables() as nft:
            nft.run(_RULES)
        with Netlink() as netlink:
            policy_route.deliver_marked(netlink, _MARK, _TABLE, socket.AF_INET)
            policy_route.deliver_marked(netlink, _MARK, _TABLE, socket.AF_INET6)
    except OSError:
        return False
    return True
