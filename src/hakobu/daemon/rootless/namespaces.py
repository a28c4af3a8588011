"""Makes the namespaces of a user's engine: user, mount and network, with a network driver that leads out.

| maker (the user)                     | child                                               |
|--------------------------------------|-----------------------------------------------------|
| forks                                | unshares user, mount, network and cgroup namespace   |
|                                      | ← `made`, or why not                                  |
| writes the id maps (newuidmap)       |                                                     |
| moves both to the cgroup's leaf      |                                                     |
| → `mapped`                           | becomes root, keeps mounts to itself, sets up `lo`    |
|                                      | ← `ready`, or why not                                 |
| opens the namespaces, starts driver  |                                                     |
| → end of stream                      | leaves                                              |

Must not: run in a process with a second thread (unshare(2) refuses CLONE_NEWUSER there).
"""

import errno
import os
import pwd
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass

from hakobu.daemon.rootless import answers
from hakobu.daemon.rootless import driver as drivers
from hakobu.daemon.rootless.delegation import Delegation
from hakobu.daemon.rootless.subid import Line, Maps, plan_maps, ranges
from hakobu.errors import HakobuError, Kind
from hakobu.kernel import mount, process, rtnetlink
from hakobu.kernel.netlink import Netlink

_MS_SLAVE_REC = 1 << 19 | 1 << 14
_MS_BIND = 1 << 12
TYPES = ("user", "mnt", "net", "cgroup")
_FLAGS = process.CLONE_NEWUSER | process.CLONE_NEWNS | process.CLONE_NEWNET | process.CLONE_NEWCGROUP
_READY_S = 10.0


class NoNamespaces(HakobuError):
    kind = Kind.UNAVAILABLE


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Descriptors of the namespaces, and the driver's process; whoever holds them keeps them.

    `transparent` says that a socket may take a client's address and gets the answers (`answers`).
    """

    user_fd: int
    mount_fd: int
    network_fd: int
    cgroup_fd: int
    driver: "subprocess.Popen[bytes]"
    transparent: bool

    @property
    def fds(self) -> tuple[int, ...]:
        return self.user_fd, self.mount_fd, self.network_fd, self.cgroup_fd


def make(folder: str, driver: drivers.Driver, log_fd: int, delegation: Delegation | None) -> Namespaces:
    """`folder` keeps the resolver's file. Raises `NoNamespaces` with what to do."""
    maps = user_maps()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    resolver = _write_resolver(folder, driver)
    pid = os.fork()
    if pid == 0:
        ours.close()
        _be_child(theirs, resolver, delegation)
    theirs.close()
    try:
        _expect(ours, "made")
        for kind, lines in (("uid", maps.uid), ("gid", maps.gid)):
            write_map(pid, kind, lines, subordinate=maps.subordinate)
        if delegation is not None:
            delegation.settle()
        ours.send(b"mapped")
        transparent = _expect(ours, "ready", "ready, transparent") != "ready"
        fds = [os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in TYPES]
        running = _start(driver, pid, log_fd)
        return Namespaces(*fds, driver=running, transparent=transparent)
    finally:
        ours.close()
        os.waitpid(pid, 0)


def adopt(folder: str, driver: drivers.Driver, log_fd: int, pid: int, *, transparent: bool) -> Namespaces:
    """Those that process `pid` lives in, whose keeper is gone, and the driver with it: a new one leads out again."""
    _write_resolver(folder, driver)
    fds = [os.open(f"/proc/{pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC) for name in TYPES]
    return Namespaces(*fds, driver=_start(driver, pid, log_fd), transparent=transparent)


def user_maps() -> Maps:
    """What this user may have, by the files and helpers of this machine."""
    uid, gid = os.getuid(), os.getgid()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    helpers = all(shutil.which(h, path="/usr/bin:/bin:/usr/local/bin") for h in ("newuidmap", "newgidmap"))
    uids, gids = (ranges(_lines(path), name, uid) for path in ("/etc/subuid", "/etc/subgid"))
    return plan_maps(uid, gid, uids, gids, helpers=helpers)


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()
    except OSError:
        return []


def _write_resolver(folder: str, driver: drivers.Driver) -> str:
    """Its path; the host's file is read once: a driver asks the host's servers of each moment."""
    path = f"{folder}/resolv.conf"
    with open(path, "w", encoding="utf-8") as file:
        file.write(drivers.resolver_file("\n".join(_lines("/etc/resolv.conf")), driver))
    return path


def _expect(sock: socket.socket, *words: str) -> str:
    said = sock.recv(4096).decode()
    if said not in words:
        raise NoNamespaces(
            said or "the process that makes the user's namespaces ended",
            hint="hakobu doctor says what is missing here",
        )
    return said


def _be_child(sock: socket.socket, resolver: str, delegation: Delegation | None) -> None:
    """Does not return. What goes wrong is told in words, because the other side cannot see errno."""
    try:
        try:
            process.unshare(_FLAGS)
        except OSError as error:
            sock.send(_refused(error).encode())
            return
        sock.send(b"made")
        if sock.recv(64) != b"mapped":
            return
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        mount.mount(None, "/", None, _MS_SLAVE_REC)
        _bind_resolver(resolver)
        if delegation is not None:  # bound: the kernel does not mount a file system over itself (EBUSY)
            mount.mount(delegation.directory, delegation.mount_point, None, _MS_BIND)
        with Netlink() as netlink:
            rtnetlink.set_up(netlink, "lo")
        sock.send(b"ready, transparent" if answers.deliver() else b"ready")
        sock.recv(1)
    except OSError as error:
        with suppress(OSError):
            sock.send(f"the user's namespaces cannot be set up: {error}".encode())
    finally:
        os._exit(0)


def _refused(error: OSError) -> str:
    words = {
        errno.ENOSPC: "user.max_user_namespaces is used up",
        errno.EPERM: "this system does not let users make user namespaces",
        errno.EINVAL: "this kernel has no user namespaces",
    }
    return f"an engine without root needs a user namespace: {words.get(error.errno or 0, str(error))}"


def _bind_resolver(path: str) -> None:
    """In our mount namespace alone. A machine without the file has no names to look up."""
    with suppress(FileNotFoundError):
        mount.mount(path, os.path.realpath("/etc/resolv.conf", strict=True), None, _MS_BIND)


def write_map(pid: int, kind: str, lines: tuple[Line, ...], *, subordinate: bool) -> None:
    """By the helper that may write more than one id, or as user_namespaces(7) lets a process write its own."""
    if subordinate:
        words = [str(number) for line in lines for number in line]
        done = subprocess.run([f"new{kind}map", str(pid), *words], capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoNamespaces(
                f"new{kind}map failed: {done.stderr.strip()}",
                hint=f"/etc/sub{kind} must give this user ranges that nobody else has (sudo usermod --help)",
            )
        return
    if kind == "gid":  # user_namespaces(7): without it an ordinary user may not write gid_map
        _write(f"/proc/{pid}/setgroups", "deny")
    _write(f"/proc/{pid}/{kind}_map", "".join(f"{a} {b} {c}\n" for a, b, c in lines))


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _start(driver: drivers.Driver, pid: int, log_fd: int) -> "subprocess.Popen[bytes]":
    """Returns when the namespace of process `pid` has its way out.

    The namespaces are named by a process inside of them: pasta joins the user namespace first, from where it may
    not look at the keeper's descriptors any more.
    """
    ready_fd, told_fd = os.pipe()
    try:
        running = subprocess.Popen(
            drivers.command(driver, pid, told_fd),
            stdin=subprocess.DEVNULL,
            stdout=log_fd,
            stderr=log_fd,
            pass_fds=(told_fd,),
            preexec_fn=_end_with_parent,
        )
    finally:
        os.close(told_fd)
    try:
        _await(driver, running, ready_fd, pid)
    finally:
        os.close(ready_fd)
    return running


def _end_with_parent() -> None:
    process.set_parent_death_signal(15)


def _await(driver: drivers.Driver, running: "subprocess.Popen[bytes]", ready_fd: int, pid: int) -> None:
    if driver.name == "slirp4netns":
        if os.read(ready_fd, 1) == b"1":
            return
    else:
        deadline = time.monotonic() + _READY_S
        while running.poll() is None and time.monotonic() < deadline:
            if _leads_out(pid):
                return
            time.sleep(0.01)
    running.kill()
    running.wait()
    hint = "/dev/net/tun must be open to users: sudo chmod 0666 /dev/net/tun"
    raise NoNamespaces(
        f"{driver.name} could not connect the network namespace",
        hint=hint if not os.access("/dev/net/tun", os.R_OK | os.W_OK) else "",
    )


def _leads_out(pid: int) -> bool:
    """Whether the process's network namespace has a default route: /proc/net/route, second column."""
    return any(line.split()[1:2] == ["00000000"] for line in _lines(f"/proc/{pid}/net/route"))
