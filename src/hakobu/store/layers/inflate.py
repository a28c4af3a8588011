"""A stream of bytes whatever it was compressed with: plain, gzip, zstd, bzip2 or xz, told by its first bytes.

Inflating runs in a thread of its own beside the unpacking: the libraries release the interpreter's lock.
"""

import bz2
import lzma
import queue
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol, cast

import zstandard
from isal import isal_zlib

from hakobu.store.archive.entry import BadArchive
from hakobu.store.layers.compression import compression_of

IsalError = cast("type[Exception]", isal_zlib.error)  # the stub calls it an instance
CHUNK = 1 << 18
_DEPTH = 8


class _Inflater(Protocol):
    def decompress(self, data: bytes, /) -> bytes: ...


class _Member(Protocol):
    eof: bool
    unused_data: bytes

    def decompress(self, data: bytes, /) -> bytes: ...


class _Members:
    """Concatenated gzip members or zstd frames, as both formats allow; `eof` is False in the middle of one."""

    def __init__(self, make: Callable[[], _Member]) -> None:
        self._make = make
        self._inner = make()

    def decompress(self, data: bytes, /) -> bytes:
        parts: list[bytes] = [b""]
        while data:
            if self._inner.eof:
                data = data.lstrip(b"\0")
                if not data:
                    break
                self._inner = self._make()
            parts.append(self._inner.decompress(data))
            data = self._inner.unused_data if self._inner.eof else b""
        return b"".join(parts) if len(parts) > 2 else parts[-1]

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)


def _gzip() -> _Member:
    return cast("_Member", isal_zlib.decompressobj(31))  # pyright: ignore[reportUnknownMemberType]


def _zstd() -> _Member:
    return cast("_Member", zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj())


def _inflater(kind: str) -> _Inflater | None:
    match kind:
        case "gzip":
            return _Members(_gzip)
        case "zstd":
            return _Members(_zstd)
        case "bzip2":
            return bz2.BZ2Decompressor()
        case "xz":
            return lzma.LZMADecompressor(memlimit=256 << 20)
        case _:
            return None


class Stream:
    """`read(size)` gives exactly that many inflated bytes, fewer only at the end.

    `chunks` gives raw bytes; `tap` sees each of them as it comes (for a digest of the compressed form).
    """

    def __init__(self, chunks: Iterator[bytes], tap: Callable[[bytes], None] | None = None) -> None:
        self._chunks = _tapped(chunks, tap)
        self._buffer = b""
        self._at = 0
        self._first = b""
        while len(self._first) < 6 and (chunk := next(self._chunks, b"")):
            self._first += chunk
        self.compression = compression_of(self._first)
        self._blocks = self._plain() if not self.compression else _threaded(self._inflated())
        self.size = 0

    def read(self, size: int) -> bytes:
        have = len(self._buffer) - self._at
        if have >= size:
            data = self._buffer[self._at : self._at + size]
            self._at += size
        else:
            parts = [self._buffer[self._at :]]
            while have < size and (block := next(self._blocks, b"")):
                parts.append(block)
                have += len(block)
            joined = b"".join(parts)
            data, self._buffer, self._at = joined[:size], joined, min(size, len(joined))
        self.size += len(data)
        return data

    def drain(self) -> Iterator[bytes]:
        """All that is left."""
        while block := self.read(CHUNK):
            yield block

    def _plain(self) -> Iterator[bytes]:
        if self._first:
            yield self._first
        yield from self._chunks

    def _inflated(self) -> Iterator[bytes]:
        inflater = _inflater(self.compression)
        assert inflater is not None
        try:
            for chunk in self._plain():
                if out := inflater.decompress(chunk):
                    yield out
        except (zlib.error, IsalError, zstandard.ZstdError, lzma.LZMAError, OSError, EOFError) as error:
            raise BadArchive(f"the {self.compression} stream is damaged: {error}") from error
        if getattr(inflater, "eof", True) is False:
            raise BadArchive(f"the {self.compression} stream ends too early")


def _tapped(chunks: Iterator[bytes], tap: Callable[[bytes], None] | None) -> Iterator[bytes]:
    for chunk in chunks:
        if tap is not None:
            tap(chunk)
        yield chunk


def _threaded(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The iterator's items, produced by a thread that is a few ahead; an error arrives in its place."""
    items: queue.Queue[bytes | BaseException | None] = queue.Queue(_DEPTH)
    stop = threading.Event()

    def put(item: bytes | BaseException | None) -> bool:
        while not stop.is_set():
            try:
                items.put(item, timeout=0.2)
                return True
            except queue.Full:
                continue
        return False

    def produce() -> None:
        try:
            for block in blocks:
                if not put(block):
                    return
            put(None)
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=produce, name="inflate", daemon=True)
    thread.start()
    try:
        while (item := items.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
