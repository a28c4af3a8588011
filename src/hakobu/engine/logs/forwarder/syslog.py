"""syslog: RFC 3164, RFC 5424 and the local socket's form, over UDP, TCP, TLS (RFC 5425's counted frames) and unix."""

import os
import ssl
import time
from collections.abc import Mapping
from datetime import UTC, datetime

from hakobu.engine.logs.drivers import Address, parse_bool, parse_facility
from hakobu.engine.logs.forwarder.line import Line, Source
from hakobu.engine.logs.forwarder.wire import Datagrams, Stream, Wire


class Syslog:
    def __init__(self, source: Source, address: Address, options: Mapping[str, str]) -> None:
        self._source = source
        self._facility = parse_facility(options.get("syslog-facility", "daemon"))
        self._format = options.get("syslog-format", "")
        self._counted = address.network == "tls" and self._format.startswith("rfc5424")
        self.wire: Wire
        if address.network in ("udp", "unixgram"):
            self.wire = Datagrams(address)
        else:
            self.wire = Stream(address, _context(options) if address.network == "tls" else None)

    async def open(self) -> None:
        await self.wire.open()

    async def send(self, line: Line) -> None:
        await self.wire.send(self.encode(line))

    def close(self) -> None:
        self.wire.close()

    def encode(self, line: Line) -> bytes:
        data = (self._message(line) + "\n").encode("utf-8", "surrogateescape")
        return b"%d %b" % (len(data), data) if self._counted else data

    def _message(self, line: Line) -> str:
        priority, tag, pid = self._facility * 8 + line.severity, self._source.tag, os.getpid()
        if self._format.startswith("rfc5424"):
            moment = _rfc3339(line.time_ns, micro=self._format.endswith("micro"))
            return f"<{priority}>1 {moment} {self._source.hostname} {tag} {pid} {tag} - {line.text}"
        moment = _stamp(line.time_ns)
        host = f"{self._source.hostname} " if self._format == "rfc3164" else ""
        return f"<{priority}>{moment} {host}{tag}[{pid}]: {line.text}"


def _rfc3339(time_ns: int, *, micro: bool) -> str:
    moment = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC)
    fraction = f".{time_ns % 1_000_000_000 // 1000:06d}" if micro else ""
    return f"{moment:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def _stamp(time_ns: int) -> str:
    """`Jan  2 15:04:05`, in local time as the format has it; English whatever the locale."""
    moment = time.localtime(time_ns // 1_000_000_000)
    month = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()[moment.tm_mon - 1]
    return f"{month} {moment.tm_mday:2d} {moment.tm_hour:02d}:{moment.tm_min:02d}:{moment.tm_sec:02d}"


def _context(options: Mapping[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=options.get("syslog-tls-ca-cert") or None)
    if parse_bool(options.get("syslog-tls-skip-verify", "false")):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate := options.get("syslog-tls-cert"):
        context.load_cert_chain(certificate, options.get("syslog-tls-key") or None)
    return context
