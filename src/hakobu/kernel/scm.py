"""Messages between our processes: bytes and descriptors over SOCK_SEQPACKET.

    byte 0      flags: MORE (a further packet with descriptors follows), MEMFD (the first descriptor is the body)
    byte 1      number of descriptors in this packet, at most 200 (the kernel takes 253)
    bytes 2..9  length of the body
    the body    in the first packet, unless MEMFD

A body over 64 KiB travels in a sealed memfd, because a packet must fit into the socket's buffer; descriptors over
200 follow in packets of their own. Invariant: every received descriptor is close-on-exec and is either in a
returned message or closed. Sockets are bound and connected through a directory's descriptor: a path of more than
107 bytes does not fit into sockaddr_un.
"""

import _socket
import array
import errno
import fcntl
import os
import select
import socket
import struct
from collections.abc import Sequence
from typing import Final

from hakobu.spec.dataclass import dataclass, field

FDS_PER_PACKET: Final = 200
INLINE_BODY_BYTES: Final = 64 * 1024
MAX_BODY_BYTES: Final = 64 * 1024 * 1024
MAX_FDS: Final = 4096

_MORE: Final = 1
_MEMFD: Final = 2
_HEADER: Final = struct.Struct("<BBQ")
_UCRED: Final = struct.Struct("iII")
_SEALS: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_ANCILLARY_BYTES: Final = socket.CMSG_SPACE(4 * 253)
# Plain numbers: to combine flags of an enumeration runs Python code, and touches memory that a fork shares.
_KIND: Final = int(socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
_RECEIVE_FLAGS: Final = int(socket.MSG_CMSG_CLOEXEC)
_SEND_FLAGS: Final = int(socket.MSG_NOSIGNAL)
_CUT: Final = int(socket.MSG_TRUNC | socket.MSG_CTRUNC)


@dataclass(frozen=True, slots=True)
class Message:
    """`fds` belong to the receiver; `pid` is the sender's where the receiving socket has SO_PASSCRED."""

    body: bytes
    fds: tuple[int, ...] = ()
    pid: int = 0

    def close(self) -> None:
        for fd in self.fds:
            os.close(fd)


@dataclass(frozen=True, slots=True)
class Peer:
    """Who connected (SO_PEERCRED), as of the connect."""

    pid: int
    uid: int
    gid: int


def sealed_memfd(name: str, content: bytes) -> int:
    """A memory file that nobody can change any more; the offset is at its start."""
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(fd, view) :]
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
        os.lseek(fd, 0, os.SEEK_SET)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _read_sealed(fd: int, length: int) -> bytes:
    if fcntl.fcntl(fd, fcntl.F_GET_SEALS) & _SEALS != _SEALS:
        raise OSError(errno.EPROTO, "recvmsg: the body's memory file is not sealed")
    parts: list[bytes] = []
    offset = 0
    while offset < length:
        part = os.pread(fd, min(length - offset, 1 << 20), offset)
        if not part:
            raise OSError(errno.EPROTO, "recvmsg: the body's memory file is too short")
        parts.append(part)
        offset += len(part)
    return b"".join(parts)


def send_packet(sock: _socket.socket, packet: bytes, fds: Sequence[int]) -> None:
    """Bare bytes with at most `FDS_PER_PACKET` descriptors, for who needs no more than a packet."""
    ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    sock.sendmsg([packet], ancillary, _SEND_FLAGS)


def send(sock: socket.socket, body: bytes, fds: Sequence[int] = ()) -> None:
    """Sends one message, blocking where the socket blocks; the caller keeps its descriptors.

    On a non-blocking socket BlockingIOError before the first packet means that nothing was sent.
    """
    if len(body) > MAX_BODY_BYTES or len(fds) > MAX_FDS:
        raise OSError(errno.EMSGSIZE, f"sendmsg: {len(body)} bytes and {len(fds)} descriptors are too many")
    if len(body) <= INLINE_BODY_BYTES:
        _send_batches(sock, body, len(body), list(fds), 0)
        return
    memfd = sealed_memfd("message", body)
    try:
        _send_batches(sock, b"", len(body), [memfd, *fds], _MEMFD)
    finally:
        os.close(memfd)


def write(sock: socket.socket, body: bytes) -> None:
    """`send` of a short body by write(2) alone, for who has a filter on that may know no sendmsg. SIGPIPE may come."""
    if len(body) > INLINE_BODY_BYTES:
        raise OSError(errno.EMSGSIZE, f"write: {len(body)} bytes are too many")
    os.write(sock.fileno(), _HEADER.pack(0, 0, len(body)) + body)


def read(sock: socket.socket) -> bytes:
    """`receive` by read(2) alone: the body of a short message, empty at the end; descriptors beside it are lost."""
    return os.read(sock.fileno(), _HEADER.size + INLINE_BODY_BYTES)[_HEADER.size :]


def _send_batches(sock: socket.socket, inline: bytes, length: int, fds: list[int], flags: int) -> None:
    for start in range(0, max(len(fds), 1), FDS_PER_PACKET):
        batch = fds[start : start + FDS_PER_PACKET]
        more = _MORE if start + FDS_PER_PACKET < len(fds) else 0
        first = start == 0
        header = _HEADER.pack((flags if first else 0) | more, len(batch), length if first else 0)
        try:
            send_packet(sock, header + inline if first else header, batch)
        except BlockingIOError:
            if first:
                raise
            # A message that has begun must be finished: the rest waits for room.
            select.select([], [sock], [])
            send_packet(sock, header, batch)


@dataclass(slots=True)
class Receiver:
    """Puts packets together to messages, for one socket; sans blocking, so that an event loop can drive it."""

    sock: socket.socket
    max_body_bytes: int = MAX_BODY_BYTES
    _flags: int = -1
    _length: int = 0
    _inline: bytes = b""
    _fds: list[int] = field(default_factory=list[int])
    _pid: int = 0

    def receive(self) -> Message | None:
        """The next message, None at the end of the stream. BlockingIOError where the socket would block."""
        while True:
            packet, fds = self._packet()
            if not packet:
                if self._flags >= 0:
                    self.close()
                    raise OSError(errno.EPROTO, "recvmsg: the stream ended within a message")
                return None
            try:
                message = self._take(packet, fds)
            except BaseException:
                self.close()
                raise
            if message is not None:
                return message

    @property
    def in_message(self) -> bool:
        """Whether a message has begun and is not complete."""
        return self._flags >= 0

    def close(self) -> None:
        """Closes what was received for a message that is not complete."""
        for fd in self._fds:
            os.close(fd)
        self._fds.clear()
        self._flags = -1

    def _packet(self) -> tuple[bytes, list[int]]:
        data, ancillary, flags, _ = self.sock.recvmsg(
            _HEADER.size + INLINE_BODY_BYTES, _ANCILLARY_BYTES, _RECEIVE_FLAGS
        )
        fds = array.array("i")
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
            elif (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                self._pid = _UCRED.unpack(content)[0]
        self._fds.extend(fds)
        if flags & _CUT:
            self.close()
            raise OSError(errno.EMSGSIZE, "recvmsg: a packet was cut")
        return data, list(fds)

    def _take(self, packet: bytes, fds: list[int]) -> Message | None:
        if len(packet) < _HEADER.size:
            raise OSError(errno.EPROTO, "recvmsg: a packet without a header")
        flags, count, length = _HEADER.unpack_from(packet)
        if count != len(fds):
            raise OSError(errno.EPROTO, f"recvmsg: {len(fds)} descriptors where {count} were announced")
        if self._flags < 0:
            self._begin(flags, length, packet[_HEADER.size :])
        if len(self._fds) > MAX_FDS + 1:
            raise OSError(errno.EMSGSIZE, "recvmsg: too many descriptors")
        return None if flags & _MORE else self._finish()

    def _begin(self, flags: int, length: int, inline: bytes) -> None:
        if length > self.max_body_bytes:
            raise OSError(errno.EMSGSIZE, f"recvmsg: a body of {length} bytes is too long")
        if not flags & _MEMFD and length != len(inline):
            raise OSError(errno.EPROTO, "recvmsg: the body's length is wrong")
        self._flags, self._length, self._inline = flags, length, inline

    def _finish(self) -> Message:
        body = self._inline
        if self._flags & _MEMFD:
            if not self._fds:
                raise OSError(errno.EPROTO, "recvmsg: the body's memory file is missing")
            memfd = self._fds.pop(0)
            try:
                body = _read_sealed(memfd, self._length)
            finally:
                os.close(memfd)
        fds = tuple(self._fds)
        self._fds.clear()
        self._flags, self._inline = -1, b""
        return Message(body, fds, self._pid)


def receive(sock: socket.socket) -> Message | None:
    """One message of a blocking socket, None at its end."""
    return Receiver(sock).receive()


def pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, _KIND)


def _at(dirfd: int, name: str) -> str:
    if not name or "/" in name or name in (".", ".."):
        raise OSError(errno.EINVAL, "bind: not a single path component", name)
    return f"/proc/self/fd/{dirfd}/{name}"


def listen_at(dirfd: int, name: str, *, mode: int = 0o600, backlog: int = 128) -> socket.socket:
    """A listening socket `name` in a directory; nobody but its owner can connect before the mode is set."""
    sock = socket.socket(socket.AF_UNIX, _KIND)
    try:
        os.fchmod(sock.fileno(), 0o600)  # a socket's own mode is that of its name; umask would be all threads'
        sock.bind(_at(dirfd, name))
        os.chmod(name, mode, dir_fd=dirfd)
        sock.listen(backlog)
    except BaseException:
        sock.close()
        raise
    return sock


def connect_at(dirfd: int, name: str) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, _KIND)
    try:
        sock.connect(_at(dirfd, name))
    except BaseException:
        sock.close()
        raise
    return sock


def peer(sock: socket.socket) -> Peer:
    return Peer(*_UCRED.unpack(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)))
