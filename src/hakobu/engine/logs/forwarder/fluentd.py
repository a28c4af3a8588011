"""Fluentd's forward protocol in message mode: MessagePack of tag, time and record; with acknowledgement if asked."""

import base64
import os
import ssl
import struct
from collections.abc import Mapping
from typing import Any

import msgspec

from hakobu.engine.logs.drivers import Address, parse_bool, parse_duration_s
from hakobu.engine.logs.forwarder.line import Line, Source
from hakobu.engine.logs.forwarder.wire import Stream

_EVENT_TIME = 0
"""Fluentd's extension type of a time with nanoseconds: two big-endian 32-bit numbers."""


class NotAcknowledged(OSError):
    pass


class Fluentd:
    def __init__(self, source: Source, address: Address, options: Mapping[str, str]) -> None:
        self._tag = source.tag
        self._fine = parse_bool(options.get("fluentd-sub-second-precision", "false"))
        self._acknowledged = parse_bool(options.get("fluentd-request-ack", "false"))
        timeout_s = parse_duration_s(options.get("fluentd-write-timeout", "0")) or None
        self._common = {"container_id": source.id, "container_name": f"/{source.name}", **source.extra}
        context = ssl.create_default_context() if address.network == "tls" else None
        self.wire = Stream(address, context, timeout_s)

    async def open(self) -> None:
        await self.wire.open()

    async def send(self, line: Line) -> None:
        if not self._acknowledged:
            await self.wire.send(self.encode(line))
            return
        chunk = base64.b64encode(os.urandom(16)).decode()
        await self.wire.send(self.encode(line, chunk))
        if _acknowledged(await self.wire.receive()) != chunk:
            raise NotAcknowledged("fluentd acknowledged something else")

    def close(self) -> None:
        self.wire.close()

    def encode(self, line: Line, chunk: str = "") -> bytes:
        record = {**self._common, "source": line.stream, "log": line.text}
        if line.partial:
            record["partial_message"] = "true"
        seconds, rest_ns = divmod(line.time_ns, 1_000_000_000)
        moment = msgspec.msgpack.Ext(_EVENT_TIME, struct.pack(">II", seconds, rest_ns)) if self._fine else seconds
        event: list[Any] = [self._tag, moment, record]
        return msgspec.msgpack.encode([*event, {"chunk": chunk}] if chunk else event)


class _Ack(msgspec.Struct):
    ack: str


_acks = msgspec.msgpack.Decoder(_Ack)


def _acknowledged(data: bytes) -> str:
    try:
        return _acks.decode(data).ack
    except msgspec.DecodeError:
        return ""
