"""Executors of the network steps that a shim or a container's child carries out.

What each step takes is told by `hakobu.network.steps`, which plans them. `SHIM` steps act in the host's
network namespace and get the pid whose namespace is the container's; `CHILD` steps act in the namespace of
the process that calls them. Order: a child's steps on an interface come after the shim's that creates it.
Nothing here imports lazily, decodes names through NSS, or touches a file outside /proc.
"""

import errno
import os
import resource
import time
from collections.abc import Callable, Mapping

from hakobu.kernel import qdisc, rtnetlink, upper_link
from hakobu.kernel.netlink import Netlink
from hakobu.runtime.port_socket import Reserved, bind, bind_by
from hakobu.spec.step import Json

Args = Mapping[str, Json]

EPHEMERAL_TRIES = 64
BUSY_TRIES, BUSY_PAUSE_S = 300, 0.01


def _text(args: Args, key: str) -> str:
    value = args.get(key, "")
    if not isinstance(value, str):
        raise OSError(errno.EINVAL, f"{key} is not text")
    return value


def _number(args: Args, key: str) -> int:
    value = args.get(key, 0)
    if not isinstance(value, int):
        raise OSError(errno.EINVAL, f"{key} is not a number")
    return value


def veth_create(args: Args, pid: int) -> None:
    with Netlink() as nl:
        rtnetlink.create_veth(
            nl,
            _text(args, "host"),
            _text(args, "peer"),
            pid=pid,
            mac=_text(args, "mac"),
            bridge=_text(args, "bridge"),
            mtu=_number(args, "mtu"),
        )
        if args.get("isolated"):
            rtnetlink.isolate_port(nl, _text(args, "host"))


def veth_delete(args: Args, pid: int) -> None:
    """Its far end goes with it. Already gone is what was wanted."""
    with Netlink() as nl:
        try:
            rtnetlink.delete_link(nl, _text(args, "host"))
        except OSError as e:
            if e.errno != errno.ENODEV:
                raise


def macvlan_create(args: Args, pid: int) -> None:
    with Netlink() as nl:
        upper_link.create_macvlan(
            nl,
            _text(args, "parent"),
            _text(args, "name"),
            _text(args, "mode"),
            pid=pid,
            mac=_text(args, "mac"),
            mtu=_number(args, "mtu"),
        )


def ipvlan_create(args: Args, pid: int) -> None:
    with Netlink() as nl:
        upper_link.create_ipvlan(
            nl,
            _text(args, "parent"),
            _text(args, "name"),
            _text(args, "mode"),
            _text(args, "flag"),
            pid=pid,
            mtu=_number(args, "mtu"),
        )


def rate_limit(args: Args) -> None:
    with Netlink() as nl:
        qdisc.limit_sending(nl, _text(args, "name"), _number(args, "rate_bytes"))


def link_delete(args: Args) -> None:
    """Of the container's own side. Already gone is what was wanted."""
    with Netlink() as nl:
        try:
            rtnetlink.delete_link(nl, _text(args, "name"))
        except OSError as e:
            if e.errno != errno.ENODEV:
                raise


def link_up(args: Args) -> None:
    """A macvlan whose MAC address another one of the parent has is refused by the kernel. After a restart that other
    is the container's own former interface: the kernel takes an ended namespace away in its own time."""
    name = _text(args, "name")
    with Netlink() as nl:
        for left in reversed(range(BUSY_TRIES)):
            try:
                rtnetlink.set_up(nl, name)
                break
            except OSError as e:
                if e.errno != errno.EADDRINUSE or not left:
                    raise
            time.sleep(BUSY_PAUSE_S)


def addr_add(args: Args) -> None:
    with Netlink() as nl:
        rtnetlink.add_address(nl, _text(args, "name"), _text(args, "address"), _number(args, "prefix"))


def route_add(args: Args) -> None:
    """Replaces: the default route moves when a network is connected or disconnected."""
    with Netlink() as nl:
        rtnetlink.add_route(
            nl,
            _text(args, "destination"),
            _number(args, "prefix"),
            gateway=_text(args, "gateway"),
            name=_text(args, "name"),
            metric=_number(args, "metric"),
            replace=True,
        )


def sysctl_interface(args: Args) -> None:
    """Writes /proc/sys/net/<family>/conf/<name>/<key>; /proc/sys/net always shows the writer's own namespace."""
    parts = (_text(args, "family"), _text(args, "name"), _text(args, "key"))
    if any(not p or "/" in p or p.startswith(".") for p in parts):
        raise OSError(errno.EINVAL, "not an interface setting", "/".join(parts))
    path = "/proc/sys/net/{}/conf/{}/{}".format(*parts)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        if parts[0] == "ipv6":
            return  # a kernel without IPv6 has nothing to switch off
        raise
    try:
        os.write(fd, _text(args, "value").encode("ascii"))
    finally:
        os.close(fd)


def port_reserve(args: Args) -> tuple[Reserved, ...]:
    """Binds the host's side of one published port: IPv4 and, for an empty `host_ip`, IPv6 with the same number.

    `host_port` 0 takes a free one, `host_port_end` the first free one of a range. OSError(EADDRINUSE) when
    there is none, with Docker's words for it.
    """
    protocol, host_ip, keeper = _text(args, "protocol") or "tcp", _text(args, "host_ip"), _text(args, "keeper")
    first, last = _number(args, "host_port"), _number(args, "host_port_end")
    tries = range(first, max(first, last) + 1) if first else (0,) * EPHEMERAL_TRIES
    failure: OSError | None = None
    for port in tries:
        try:
            return _bind_all(protocol, host_ip, port, keeper)
        except OSError as e:
            if e.errno == errno.EMFILE and _raise_limit():
                return port_reserve(args)
            if e.errno != errno.EADDRINUSE:
                raise
            failure = e
    assert failure is not None
    raise failure


def _raise_limit() -> bool:
    """A range of a thousand ports takes two thousand descriptors: up to the hard limit of this process alone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return False
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return True


def _bind_all(protocol: str, host_ip: str, port: int, keeper: str) -> tuple[Reserved, ...]:
    """For every address, so that both families have one port; IPv6 is left out where the host has none."""

    def one(address: str, number: int) -> Reserved:
        return bind_by(keeper, protocol, address, number) if keeper else bind(protocol, address, number)

    if host_ip:
        return (one(host_ip, port),)
    first = one("0.0.0.0", port)
    try:
        return first, one("::", first.host_port)
    except OSError as e:
        if e.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
            return (first,)
        first.socket.close()
        raise


SHIM: Mapping[str, Callable[[Args, int], None]] = {
    "veth.create": veth_create,
    "veth.delete": veth_delete,
    "macvlan.create": macvlan_create,
    "ipvlan.create": ipvlan_create,
    "rate.limit": lambda args, pid: rate_limit(args),
}
"""Steps of the shim; `port.reserve` stands apart because its sockets are kept: `port_reserve`."""

CHILD: Mapping[str, Callable[[Args], None]] = {
    "link.up": link_up,
    "link.delete": link_delete,
    "rate.limit": rate_limit,
    "addr.add": addr_add,
    "route.add": route_add,
    "sysctl.interface": sysctl_interface,
}
