"""journald's native protocol: fields in a datagram, or in a sealed memory file where a datagram is too small."""

import array
import asyncio
import errno
import os
import socket
import struct
from collections.abc import Mapping

from hakobu.engine.logs.drivers import Address
from hakobu.engine.logs.forwarder.line import Line, Source
from hakobu.engine.logs.forwarder.wire import Datagrams
from hakobu.kernel import scm
from hakobu.spec.timestamp import format_timestamp


class Journald:
    def __init__(self, source: Source, address: Address, options: Mapping[str, str]) -> None:
        self._fields = {
            "CONTAINER_ID": source.id[:12],
            "CONTAINER_ID_FULL": source.id,
            "CONTAINER_NAME": source.name,
            "CONTAINER_TAG": source.tag,
            "IMAGE_NAME": source.image_name,
            "SYSLOG_IDENTIFIER": source.tag,
            **{field_name(name): value for name, value in source.extra.items()},
        }
        self.wire = Datagrams(address)

    async def open(self) -> None:
        await self.wire.open()

    async def send(self, line: Line) -> None:
        data = self.encode(line)
        try:
            await self.wire.send(data)
        except OSError as error:
            if error.errno not in (errno.EMSGSIZE, errno.ENOBUFS) or self.wire.socket is None:
                raise
            await asyncio.to_thread(_send_memory, self.wire.socket, data)

    def close(self) -> None:
        self.wire.close()

    def encode(self, line: Line) -> bytes:
        fields = {
            **self._fields,
            "PRIORITY": str(line.severity),
            "SYSLOG_TIMESTAMP": format_timestamp(line.time_ns),
            "MESSAGE": line.text,
        }
        if line.partial:
            fields["CONTAINER_PARTIAL_MESSAGE"] = "true"
        return b"".join(_field(name, value.encode("utf-8", "surrogateescape")) for name, value in fields.items())


def _field(name: str, value: bytes) -> bytes:
    """A value with a line feed in it goes with its length."""
    if b"\n" in value:
        return b"%b\n%b%b\n" % (name.encode(), struct.pack("<Q", len(value)), value)
    return b"%b=%b\n" % (name.encode(), value)


def field_name(name: str) -> str:
    """As journald allows it: capitals, digits and underscores, no underscore or digit first."""
    clean = "".join(c if c.isascii() and c.isalnum() else "_" for c in name.upper()).lstrip("_")
    return (f"X_{clean}" if clean[:1].isdigit() else clean)[:64] or "X"


def _send_memory(sock: socket.socket, data: bytes) -> None:
    fd = scm.sealed_memfd("journal-entry", data)
    try:
        sock.sendmsg([], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))])
    finally:
        os.close(fd)
