"""GELF 1.1, Graylog's format: compressed and chunked datagrams, or TCP with a zero byte behind each message."""

import gzip
import json
import os
import socket
import zlib
from collections.abc import Iterator, Mapping

from hakobu.engine.logs.drivers import Address
from hakobu.engine.logs.forwarder.line import Line, Source
from hakobu.engine.logs.forwarder.wire import Datagrams, Stream, Wire
from hakobu.spec.timestamp import format_timestamp

CHUNK_BYTES = 1420
_MAGIC = b"\x1e\x0f"
_MAX_CHUNKS = 128


class Gelf:
    def __init__(self, source: Source, address: Address, options: Mapping[str, str]) -> None:
        self._hostname = socket.gethostname()
        self._datagrams = address.network == "udp"
        self._kind = options.get("gelf-compression-type", "gzip")
        self._level = int(options.get("gelf-compression-level", "1"))
        self._extra = {
            "_container_id": source.id,
            "_container_name": source.name,
            "_image_id": source.image_id,
            "_image_name": source.image_name,
            "_command": source.command,
            "_tag": source.tag,
            "_created": format_timestamp(source.created_ns),
            **{f"_{name}": value for name, value in source.extra.items() if name != "id"},
        }
        self.wire: Wire = Datagrams(address) if self._datagrams else Stream(address)

    async def open(self) -> None:
        await self.wire.open()

    async def send(self, line: Line) -> None:
        """What cannot be said is left out: Graylog takes no empty message, and no more than 128 chunks."""
        if line.text:
            for part in self.encode(line):
                await self.wire.send(part)

    def close(self) -> None:
        self.wire.close()

    def encode(self, line: Line) -> Iterator[bytes]:
        message = {
            "version": "1.1",
            "host": self._hostname,
            "short_message": line.text,
            "timestamp": line.time_ns // 1_000_000 / 1000,
            "level": line.severity,
            **self._extra,
        }
        data = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace")
        if not self._datagrams:
            yield data + b"\0"
            return
        yield from chunks(self._compressed(data))

    def _compressed(self, data: bytes) -> bytes:
        match self._kind:
            case "zlib":
                return zlib.compress(data, self._level)
            case "gzip":
                return gzip.compress(data, 6 if self._level < 0 else self._level)
            case _:
                return data


def chunks(data: bytes) -> Iterator[bytes]:
    """One datagram, or up to 128 with a common random id; nothing for what would need more."""
    if len(data) <= CHUNK_BYTES:
        yield data
        return
    size = CHUNK_BYTES - 12
    count = -(-len(data) // size)
    if count > _MAX_CHUNKS:
        return
    identity = os.urandom(8)
    for number in range(count):
        yield _MAGIC + identity + bytes((number, count)) + data[number * size : (number + 1) * size]
