"""Listening sockets: a unix socket that appears whole with its rights, or one that systemd hands over.

The socket is bound under a temporary name, given its owner and mode, and renamed into place: nobody can connect
before the rights are right, and a stale socket of an engine that died is replaced in one step.
"""

import grp
import os
import socket
import stat
from collections.abc import Mapping
from contextlib import suppress

from hakobu.errors import HakobuError, Kind

BACKLOG = 512
DEFAULT_GROUP = "hakobu"
_FIRST_PASSED_FD = 3


class SocketInUse(HakobuError):
    """Somebody answers at this path."""

    kind = Kind.CONFLICT

    def __init__(self, path: str) -> None:
        super().__init__(
            f"socket is in use by a running engine: {path}", hint="stop that engine, or choose another --host"
        )
        self.path = path


class NoSuchGroup(HakobuError):
    kind = Kind.INVALID

    def __init__(self, group: str) -> None:
        super().__init__(f"no such group for the socket: {group}")
        self.group = group


def listen_unix(path: str, *, group: str = "", default_group: str = DEFAULT_GROUP) -> socket.socket:
    """A listening, non-blocking socket at `path`: 0600, or 0660 where a group is named.

    Without a name, the default group is used where it exists and the caller is root.
    """
    gid = _gid(group, default_group)
    directory, name = os.path.split(path)
    dir_fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _refuse_live(dir_fd, name, path)
        return _bind(dir_fd, name, gid)
    finally:
        os.close(dir_fd)


def _bind(dir_fd: int, name: str, gid: int | None) -> socket.socket:
    temporary = f".{name}.{os.getpid()}"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=dir_fd)
        # Through /proc, because sun_path holds 108 bytes and a user's directory may be longer.
        os.fchmod(listener.fileno(), 0o600)  # a socket's own mode is that of its name; umask would be all threads'
        listener.bind(f"/proc/self/fd/{dir_fd}/{temporary}")
        if gid is not None:
            os.chown(temporary, -1, gid, dir_fd=dir_fd, follow_symlinks=False)
            os.chmod(temporary, 0o660, dir_fd=dir_fd)
        listener.listen(BACKLOG)
        os.rename(temporary, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
    except BaseException:
        listener.close()
        with suppress(OSError):
            os.unlink(temporary, dir_fd=dir_fd)
        raise
    return listener


def _refuse_live(dir_fd: int, name: str, path: str) -> None:
    """Raises `SocketInUse` when a connect succeeds; a path that is not a socket is never replaced."""
    try:
        mode = os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(f"not a socket: {path}")
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(f"/proc/self/fd/{dir_fd}/{name}")
        except OSError:
            return
    raise SocketInUse(path)


class AddressRefused(HakobuError):
    kind = Kind.INVALID

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"cannot listen on {host or '*'} port {port}: {reason}")


def listen_tcp(host: str, port: int) -> socket.socket:
    """A listening, non-blocking TCP socket; an empty host means every address of both families."""
    try:
        return _listen_tcp(host, port)
    except OSError as error:
        raise AddressRefused(host, port, (error.strerror or str(error)).lower()) from error


def _listen_tcp(host: str, port: int) -> socket.socket:
    if not host:
        listener = socket.create_server(("", port), family=socket.AF_INET6, backlog=BACKLOG, dualstack_ipv6=True)
    else:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    listener.setblocking(False)
    return listener


def _gid(group: str, default: str) -> int | None:
    if group:
        if group.isdigit():
            return int(group)
        try:
            return grp.getgrnam(group).gr_gid
        except KeyError as error:
            raise NoSuchGroup(group) from error
    if os.geteuid() != 0 or not default:
        return None
    with suppress(KeyError):
        return grp.getgrnam(default).gr_gid
    return None


def passed_sockets(environ: Mapping[str, str]) -> list[socket.socket]:
    """Listening sockets by systemd's protocol (LISTEN_PID, LISTEN_FDS); empty when there are none for us."""
    if environ.get("LISTEN_PID") != str(os.getpid()):
        return []
    count = environ.get("LISTEN_FDS", "")
    if not count.isdigit():
        return []
    sockets: list[socket.socket] = []
    for fd in range(_FIRST_PASSED_FD, _FIRST_PASSED_FD + int(count)):
        os.set_inheritable(fd, False)
        listener = socket.socket(fileno=fd)
        listener.setblocking(False)
        sockets.append(listener)
    return sockets
