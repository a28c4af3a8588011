"""What a test must leave as it found it: mounts, links, nftables, cgroups, children, descriptors.

The session moves into a mount and a network namespace of its own and becomes a subreaper, so that whatever is
left behind there is ours and nobody else's on the machine, and a process that was forked twice comes back to us.
Cgroups have no such walls: only those below names given to `own_cgroup` are compared.
"""

import fcntl
import gc
import os
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import pytest

from hakobu.kernel import mount
from hakobu.kernel.process import CLONE_NEWNET, CLONE_NEWNS, set_child_subreaper, unshare

_GRACE_S = 5.0
_own_cgroups: set[str] = set()
_isolated = False


def own_cgroup(name: str) -> str:
    """Says that this top-level cgroup is the tests' own; what is left below it is a leak."""
    _own_cgroups.add(name.strip("/"))
    return name


def need(there: bool, what: str) -> None:
    """Skips where the machine lacks something, fails where CI=1 says that it must be there."""
    if there:
        return
    if os.environ.get("CI") == "1":
        pytest.fail(f"CI lacks: {what}")
    pytest.skip(f"this machine lacks: {what}")


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sH14x", b"lo", 0x1 | 0x40)  # IFF_UP | IFF_RUNNING
        fcntl.ioctl(sock, 0x8914, request)  # SIOCSIFFLAGS


def isolate() -> None:
    """Once a session: own mount and network namespace with loopback up, and orphans come to us."""
    global _isolated
    if _isolated:
        return
    need(os.geteuid() == 0, "root")
    unshare(CLONE_NEWNS | CLONE_NEWNET)
    mount.mount(None, "/", None, mount.MS_REC | mount.MS_PRIVATE)
    _loopback_up()
    set_child_subreaper()
    _isolated = True


@dataclass(frozen=True)
class World:
    mounts: frozenset[str]
    links: frozenset[str]
    nft_tables: frozenset[str]
    cgroups: frozenset[str]
    children: frozenset[str]
    descriptors: frozenset[str]


def _mounts() -> frozenset[str]:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return frozenset(" ".join(line.split()[2:5]) for line in lines)


def _nft_tables() -> frozenset[str]:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12) as sock:  # NETLINK_NETFILTER
        # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETTABLE; NLM_F_REQUEST | NLM_F_DUMP
        sock.sendto(struct.pack("=IHHIIBBH", 20, 10 << 8 | 1, 0x301, 1, 0, 0, 0, 0), (0, 0))
        found: set[str] = set()
        while True:
            data = sock.recv(65536)
            while len(data) >= 16:
                length, kind = struct.unpack_from("=IH", data)
                if kind in (2, 3):  # NLMSG_ERROR (no nftables in this kernel), NLMSG_DONE
                    return frozenset(found)
                size = struct.unpack_from("=H", data, 20)[0]
                found.add(f"family {data[16]} {data[24 : 20 + size - 1].decode()}")
                data = data[(length + 3) & ~3 :]


def _cgroups() -> frozenset[str]:
    found: set[str] = set()
    roots = [Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").glob("*")] if _own_cgroups else []
    for root in roots:
        for name in _own_cgroups:
            found.update(str(path) for path in [root / name] if path.is_dir())
            found.update(str(path) for path in (root / name).glob("**") if path.is_dir())
    return frozenset(found)


def _children() -> frozenset[str]:
    """Live children; what has ended and was handed to us as an orphan is reaped here."""
    found: set[str] = set()
    me = os.getpid()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            text = (entry / "stat").read_text()
        except OSError:
            continue
        name, _, rest = text.rpartition(")")
        state, parent = rest.split()[:2]
        if int(parent) != me:
            continue
        if state == "Z":
            try:
                os.waitpid(int(entry.name), os.WNOHANG)
            except ChildProcessError:
                pass
        else:
            found.add(f"{name})")
    return frozenset(found)


def _descriptors() -> frozenset[str]:
    found: set[str] = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{name} -> {os.readlink(f'/proc/self/fd/{name}')}")
        except OSError:
            continue
    return frozenset(found)


def look() -> World:
    gc.collect()
    return World(
        mounts=_mounts(),
        links=frozenset(name for _, name in socket.if_nameindex()),
        nft_tables=_nft_tables(),
        cgroups=_cgroups(),
        children=_children(),
        descriptors=_descriptors(),
    )


def differences(before: World, after: World) -> list[str]:
    found: list[str] = []
    for item in fields(World):
        old, new = getattr(before, item.name), getattr(after, item.name)
        found += [f"left behind in {item.name}: {thing}" for thing in sorted(new - old)]
        if item.name in ("mounts", "links"):
            # a mount of the host's whose folder was removed goes in all namespaces; that is nobody's doing here
            gone = [thing for thing in sorted(old - new) if item.name == "links" or Path(thing.split()[-1]).exists()]
            found += [f"gone from {item.name}: {thing}" for thing in gone]
    return found


@pytest.fixture(scope="session", autouse=True)
def isolated_session() -> None:
    isolate()


@pytest.fixture(autouse=True)
def no_leaks(isolated_session: None) -> Iterator[None]:
    """Compares the world around each test; what ends by itself has five seconds to do so."""
    before = look()
    yield
    deadline = time.monotonic() + _GRACE_S
    while found := differences(before, look()):
        if time.monotonic() > deadline:
            pytest.fail("\n".join(found))
        time.sleep(0.02)
