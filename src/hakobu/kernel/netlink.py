"""Netlink: messages as bytes, and the socket that carries them to the kernel and back.

Encoding is pure and checks every length before it is packed into 16 bits (a longer attribute would wrap and
let its payload be read as further attributes: CVE-2021-43784). Decoding checks every length against what was
received. The socket is synchronous and single-threaded: one request, then its answer up to the
acknowledgement. It belongs to the network namespace of the process that opened it, for good.
"""

import errno
import os
import socket
import struct
from collections.abc import Iterator, Sequence

NETLINK_ROUTE = 0
NETLINK_EXT_ACK = 11
NETLINK_GET_STRICT_CHK = 12
SOL_NETLINK = 270

NLMSG_ERROR = 2
NLMSG_DONE = 3
NLM_F_REQUEST = 0x1
NLM_F_MULTI = 0x2
NLM_F_ACK = 0x4
NLM_F_DUMP_INTR = 0x10
NLM_F_ROOT = 0x100
NLM_F_MATCH = 0x200
NLM_F_DUMP = NLM_F_ROOT | NLM_F_MATCH
NLM_F_REPLACE = 0x100
NLM_F_EXCL = 0x200
NLM_F_CREATE = 0x400
NLM_F_CAPPED = 0x100
NLM_F_ACK_TLVS = 0x200
NLMSGERR_ATTR_MSG = 1
NLA_F_NESTED = 0x8000
NLA_TYPE_MASK = 0x3FFF

RECEIVE_BYTES = 1 << 16
"""A dump's datagrams are at most 32 KiB; with MSG_TRUNC a longer one would be noticed, not cut."""

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")

Attributes = dict[int, bytes]
Message = tuple[int, bytes]
"""Type of the message and what follows its header."""


def align(length: int) -> int:
    return (length + 3) & ~3


def attribute(kind: int, payload: bytes) -> bytes:
    """One attribute, padded. Raises OSError(EMSGSIZE) where the length does not fit its 16 bits."""
    length = _ATTRIBUTE.size + len(payload)
    if length > 0xFFFF:
        raise OSError(errno.EMSGSIZE, f"netlink attribute {kind} of {len(payload)} bytes")
    return _ATTRIBUTE.pack(length, kind) + payload + bytes(align(length) - length)


def text(kind: int, value: str) -> bytes:
    return attribute(kind, os.fsencode(value) + b"\0")


def u8(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=B", value))


def u32(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack("=I", value))


def nested(kind: int, *attributes: bytes) -> bytes:
    return attribute(kind | NLA_F_NESTED, b"".join(attributes))


def message(kind: int, flags: int, sequence: int, payload: bytes) -> bytes:
    length = _HEADER.size + len(payload)
    return _HEADER.pack(length, kind, flags, sequence, 0) + payload + bytes(align(length) - length)


def attributes(payload: bytes, offset: int = 0) -> Attributes:
    """The attributes in `payload` from `offset` on; the last of a kind wins. OSError(EBADMSG) for a bad length."""
    found: Attributes = {}
    while offset + _ATTRIBUTE.size <= len(payload):
        length, kind = _ATTRIBUTE.unpack_from(payload, offset)
        if length < _ATTRIBUTE.size or offset + length > len(payload):
            raise OSError(errno.EBADMSG, "netlink attribute longer than its message")
        found[kind & NLA_TYPE_MASK] = payload[offset + _ATTRIBUTE.size : offset + length]
        offset += align(length)
    return found


def messages(datagram: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Type, flags, sequence and payload of each message in one datagram. OSError(EBADMSG) for a bad length."""
    offset = 0
    while offset + _HEADER.size <= len(datagram):
        length, kind, flags, sequence, _port = _HEADER.unpack_from(datagram, offset)
        if length < _HEADER.size or offset + length > len(datagram):
            raise OSError(errno.EBADMSG, "netlink message longer than its datagram")
        yield kind, flags, sequence, datagram[offset + _HEADER.size : offset + length]
        offset += align(length)


def error_of(flags: int, payload: bytes) -> tuple[int, str]:
    """errno (0 for an acknowledgement) and the kernel's own sentence, where it sent one (extended ack)."""
    if len(payload) < 4:
        raise OSError(errno.EBADMSG, "short netlink error message")
    code = -struct.unpack_from("=i", payload)[0]
    if not flags & NLM_F_ACK_TLVS or len(payload) < 4 + _HEADER.size:
        return code, ""
    quoted = struct.unpack_from("=I", payload, 4)[0]
    start = 4 + (_HEADER.size if flags & NLM_F_CAPPED else align(quoted))
    said = attributes(payload, start).get(NLMSGERR_ATTR_MSG, b"")
    return code, said.rstrip(b"\0").decode("ascii", "replace")


class Netlink:
    """A netlink socket; `what` of each call is the words that an error carries (`add address 10.0.0.2/24`)."""

    def __init__(self, protocol: int = NETLINK_ROUTE) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
        self._sequence = 0
        self._socket.setsockopt(SOL_NETLINK, NETLINK_EXT_ACK, 1)
        self._socket.bind((0, 0))

    def __enter__(self) -> "Netlink":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def fileno(self) -> int:
        return self._socket.fileno()

    def request(self, kind: int, flags: int, payload: bytes, what: str) -> list[Message]:
        """Sends one request and returns what the kernel answers. Raises OSError with errno and `what`."""
        self._sequence += 1
        self._socket.sendto(message(kind, flags | NLM_F_REQUEST | NLM_F_ACK, self._sequence, payload), (0, 0))
        answers: list[Message] = []
        while not self._collect(answers, what):
            pass
        return answers

    def batch(self, parts: Sequence[tuple[int, int, bytes]], what: str) -> None:
        """Sends types, flags and payloads as one datagram: the first opens a transaction, the last closes it.

        The kernel tells what it refuses at the end, in order; the last but one is acknowledged in any case, and the
        first only where the whole is refused. Raises OSError with the first errno."""
        first, last = self._sequence + 1, self._sequence + len(parts)
        self._sequence = last
        sent = [
            message(kind, flags | NLM_F_REQUEST | (NLM_F_ACK if number == last - 1 else 0), number, payload)
            for number, (kind, flags, payload) in enumerate(parts, first)
        ]
        self._socket.sendto(b"".join(sent), (0, 0))
        refused: OSError | None = None
        while True:
            for number, error in self._errors(what):
                refused = refused or error
                if number == last - 1 or (error is not None and number in (first, last)):
                    if refused is not None:
                        raise refused
                    return

    def _errors(self, what: str) -> Iterator[tuple[int, OSError | None]]:
        """Of one datagram: what it says of which of our messages."""
        datagram, _, _, address = self._socket.recvmsg(RECEIVE_BYTES)
        if address[0] != 0:
            return
        for kind, flags, sequence, payload in messages(datagram):
            if kind == NLMSG_ERROR:
                code, said = error_of(flags, payload)
                yield sequence, OSError(code, f"{what}: {said or os.strerror(code)}") if code else None

    def dump(self, kind: int, payload: bytes, what: str) -> list[Message]:
        """A dump, asked again (at most four times) when the kernel says it changed meanwhile."""
        for _ in range(4):
            try:
                return self.request(kind, NLM_F_DUMP, payload, what)
            except InterruptedError:
                continue
        raise OSError(errno.EAGAIN, f"{what}: changed while it was read")

    def _collect(self, answers: list[Message], what: str) -> bool:
        """Takes one datagram; True when it ended the answer."""
        datagram, _, _, address = self._socket.recvmsg(RECEIVE_BYTES)
        if address[0] != 0:
            return False  # another process may write to our port; only the kernel (port 0) is believed
        interrupted = False
        for kind, flags, sequence, payload in messages(datagram):
            if sequence != self._sequence:
                continue  # the rest of an answer that an error cut short
            interrupted = interrupted or bool(flags & NLM_F_DUMP_INTR)
            if kind == NLMSG_DONE:
                self._raise_if(flags, payload, what)
                if interrupted:
                    raise InterruptedError(errno.EINTR, what)
                return True
            if kind == NLMSG_ERROR:
                self._raise_if(flags, payload, what)
                return True
            answers.append((kind, payload))
        return False

    @staticmethod
    def _raise_if(flags: int, payload: bytes, what: str) -> None:
        code, said = error_of(flags, payload)
        if code:
            raise OSError(code, f"{what}: {said or os.strerror(code)}")
