"""What containers print, as it comes from attach, exec and logs: `(stream, bytes)` pieces.

A container with a terminal has one raw stream, all of it stdout; another one's two streams are framed.
"""

from __future__ import annotations

from hakobu.client.frame import STDOUT, Demultiplexer
from hakobu.client.transport import Response

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hakobu.client.transport import Hijacked


def pieces(source: Hijacked | Response, *, tty: bool = False) -> Iterator[tuple[int, bytes]]:
    """The output until its end; `stream` is `frame.STDOUT` or `frame.STDERR`."""
    chunks = _received(source)
    if tty:
        for data in chunks:
            yield STDOUT, data
        return
    frames = Demultiplexer()
    for data in chunks:
        yield from frames.feed(data)


def _received(source: Hijacked | Response) -> Iterator[bytes]:
    if isinstance(source, Response):
        yield from source
        return
    while data := source.recv():
        yield data


def lines(source: Hijacked | Response, *, tty: bool = False) -> Iterator[tuple[int, bytes]]:
    """The output line by line, each stream's lines whole, without their line breaks."""
    rest: dict[int, bytes] = {}
    for stream, data in pieces(source, tty=tty):
        *whole, rest[stream] = (rest.get(stream, b"") + data).split(b"\n")
        for line in whole:
            yield stream, line
    for stream, data in rest.items():
        if data:
            yield stream, data
