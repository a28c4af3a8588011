"""One block of json-file lines becomes the bytes a client gets. Pure.

A line is `{"log":"…\\n","stream":"stdout","attrs":{…},"time":"2024-05-01T10:00:00.123456789Z"}`. A line that
does not parse (a torn write of a machine that lost power) costs that line alone.
"""

import struct
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

from hakobu.engine.services import LogQuery

_HEADER = struct.Struct(">BxxxL")
_STREAM = {"stdout": 1, "stderr": 2}


class _Line(msgspec.Struct):
    log: str
    stream: str = "stdout"
    time: str = ""
    attrs: dict[str, str] | None = None


_decoder = msgspec.json.Decoder(_Line)


class Past(Exception):
    """The block reached what lies behind `until`; carries the bytes before it."""

    def __init__(self, before: bytes) -> None:
        super().__init__("past the end of the query")
        self.before = before


def parse_time_ns(text: str) -> int:
    """RFC 3339 with up to nine decimals, as the log has it, in ns since the epoch; 0 when it is not one."""
    try:
        whole, _, rest = text.partition(".")
        fraction = rest.rstrip("Z")
        moment = datetime.fromisoformat(whole.rstrip("Z")).replace(tzinfo=UTC)
        return int(moment.timestamp()) * 1_000_000_000 + int(fraction.ljust(9, "0")[:9] or "0")
    except ValueError:
        return 0


def renderer(query: LogQuery, framed: bool) -> Callable[[bytes], bytes]:
    """A function from a block of whole lines to output; it raises `Past` behind `until_ns`."""
    plain = not (query.since_ns or query.until_ns or query.timestamps or query.details)

    def render(block: bytes) -> bytes:
        out: list[bytes] = []
        for raw in block.splitlines():
            try:
                line = _decoder.decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            if not _wanted(line, query):
                continue
            if not plain:
                when = parse_time_ns(line.time) if query.since_ns or query.until_ns else 0
                if query.since_ns and when < query.since_ns:
                    continue
                if query.until_ns and when > query.until_ns:
                    raise Past(b"".join(out))
            text = (line.log if plain else _prefix(line, query) + line.log).encode("utf-8", "surrogateescape")
            if framed:
                out.append(_HEADER.pack(_STREAM.get(line.stream, 1), len(text)))
            out.append(text)
        return b"".join(out)

    return render


def _wanted(line: _Line, query: LogQuery) -> bool:
    return query.stderr if line.stream == "stderr" else query.stdout


def _prefix(line: _Line, query: LogQuery) -> str:
    prefix = f"{_full_time(line.time)} " if query.timestamps else ""
    if query.details:
        prefix += ",".join(f"{k}={v}" for k, v in sorted((line.attrs or {}).items())) + " "
    return prefix


def _full_time(text: str) -> str:
    """Docker prints all nine decimals."""
    whole, _, rest = text.rstrip("Z").partition(".")
    return f"{whole}.{rest.ljust(9, '0')[:9]}Z"
