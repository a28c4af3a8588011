"""A stream of bytes whatever it was compressed with: plain, gzip, zstd, bzip2 or xz, told by its first bytes.

Nothing here copies what it can pass on: a block that came is what its reader gets views of.
"""

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol, Self, cast

import zstandard
from isal import isal_zlib

from hakobu.store.archive.entry import BadArchive
from hakobu.store.layers.ahead import Ahead, Block
from hakobu.store.layers.compression import compression_of

IsalError = cast("type[Exception]", isal_zlib.error)  # the stub calls it an instance
CHUNK = 1 << 20
"""What is read at a time: each piece costs a turn through all that it passes."""


class _Inflater(Protocol):
    def decompress(self, data: Block, /) -> bytes: ...


class _Member(Protocol):
    eof: bool
    unused_data: bytes

    def decompress(self, data: Block, /) -> bytes: ...


class _Members:
    """Concatenated gzip members or zstd frames, as both formats allow; `eof` is False in the middle of one."""

    def __init__(self, make: Callable[[], _Member]) -> None:
        self._make = make
        self._inner = make()

    def decompress(self, data: Block, /) -> bytes:
        parts: list[bytes] = [b""]
        while data:
            if self._inner.eof:
                data = bytes(data).lstrip(b"\0")
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


def _nothing() -> None:
    """For blocks whose making never waits."""


def _ignored(_: Block) -> None:
    """Of bytes that nobody looks at on their way."""


class Stream:
    """`read(size)` gives exactly that many inflated bytes, fewer only at the end; `read1` what is at hand.

    `chunks` gives raw bytes; `tap` sees each of them as it comes, `inflated` what a compressed one became (for
    digests). Inflating goes on in a thread beside the reader, with all that comes before it: so a stream has to be
    closed, and `halt` ends a wait for more of `chunks` then.
    """

    def __init__(
        self,
        chunks: Iterator[Block],
        tap: Callable[[Block], object] = _ignored,
        inflated: Callable[[Block], object] = _ignored,
        *,
        halt: Callable[[], None] = _nothing,
    ) -> None:
        self._chunks, self._tap, self._tap_inflated = chunks, tap, inflated
        self._view, self._at = memoryview(b""), 0
        self._first = b""
        while len(self._first) < 6 and (chunk := next(self._chunks, b"")):
            self._first += chunk
        self.compression = compression_of(self._first)
        blocks = self._inflated() if self.compression else self._plain()
        self._ahead = Ahead(blocks, halt) if self.compression else None
        self._blocks = iter(self._ahead) if self._ahead is not None else blocks

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._ahead is not None:
            self._ahead.close()

    def read(self, size: int) -> bytes:
        at, end = self._at, self._at + size
        if end <= len(self._view):
            self._at = end
            return bytes(self._view[at:end])
        parts: list[Block] = []
        while size and (part := self.read1(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def read1(self, size: int) -> Block:
        """Up to `size` bytes and at least one, nothing only at the end."""
        while self._at == len(self._view):
            block = next(self._blocks, None)
            if block is None:
                return b""
            self._view, self._at = memoryview(block), 0
        part = self._view[self._at : self._at + size]
        self._at += len(part)
        return part

    def drain(self) -> None:
        """What stands behind the archive's end belongs to the digests too."""
        while self.read1(CHUNK):
            pass

    def _plain(self) -> Iterator[Block]:
        if self._first:
            self._tap(self._first)
            yield self._first
        for chunk in self._chunks:
            self._tap(chunk)
            yield chunk

    def _inflated(self) -> Iterator[Block]:
        inflater = _inflater(self.compression)
        assert inflater is not None
        for chunk in self._plain():
            try:
                out = inflater.decompress(chunk)
            except (zlib.error, IsalError, zstandard.ZstdError, lzma.LZMAError, OSError, EOFError) as error:
                raise BadArchive(f"the {self.compression} stream is damaged: {error}") from error
            if out:
                self._tap_inflated(out)
                yield out
        if getattr(inflater, "eof", True) is False:
            raise BadArchive(f"the {self.compression} stream ends too early")
