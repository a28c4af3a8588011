"""Reading tar: ustar, PAX and GNU's long names, base-256 numbers, both kinds of sparse files, extended attributes.

Bounds: 1 MiB of extended header, 1,000,000 entries, 4096 bytes of name, numbers of 63 bits, sparse maps of
100,000 pieces. An archive that breaks one is refused; a truncated one is refused, never taken for its end.
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Protocol

from hakobu.store.archive.entry import BadArchive, Entry, EntryType

BLOCK = 512
MAX_EXTENSION_BYTES = 1 << 20
MAX_ENTRIES = 1_000_000
MAX_NAME_BYTES = 4096
MAX_SPARSE_PIECES = 100_000
_MAX = (1 << 63) - 1
_TYPES = {
    b"0": EntryType.FILE,
    b"\0": EntryType.FILE,
    b"7": EntryType.FILE,
    b"S": EntryType.FILE,
    b"1": EntryType.LINK,
    b"2": EntryType.SYMLINK,
    b"3": EntryType.CHARACTER,
    b"4": EntryType.BLOCK,
    b"5": EntryType.DIRECTORY,
    b"6": EntryType.FIFO,
}


class Source(Protocol):
    def read(self, size: int, /) -> bytes:
        """Exactly `size` bytes, fewer only at the end."""
        ...

    def read1(self, size: int, /) -> bytes | memoryview:
        """At least one byte and at most `size`, as they are at hand; none only at the end."""
        ...


class TarReader:
    """Iterates over entries; before the next one is asked for, `data` may be read for the present one."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._left = 0
        self._padding = 0
        self._global: dict[bytes, bytes] = {}
        self._count = 0

    def __iter__(self) -> Iterator[Entry]:
        extra: dict[bytes, bytes] = {}
        while True:
            self.skip()
            padding, self._padding = self._padding, 0
            header = self._source.read(padding + BLOCK)[padding:]
            if not header or header == bytes(BLOCK):
                return
            if len(header) < BLOCK:
                raise BadArchive("the archive ends in the middle of a header")
            _check(header)
            kind = header[156:157]
            size = _number(header[124:136], "size")
            if kind in (b"x", b"g", b"L", b"K"):
                self._extension(kind, self._exact(size), extra)
                continue
            self._count += 1
            if self._count > MAX_ENTRIES:
                raise BadArchive(f"the archive has more than {MAX_ENTRIES} entries")
            entry = self._entry(header, kind, size, {**self._global, **extra})
            extra = {}
            if entry is not None:
                yield entry

    def data(self) -> Iterator[bytes | memoryview]:
        """The stored bytes of the present entry, in blocks as they come."""
        while self._left:
            block = self._source.read1(self._left)
            if not block:
                raise BadArchive("the archive ends in the middle of a file")
            self._left -= len(block)
            yield block

    def read(self, size: int) -> bytes:
        """Up to `size` stored bytes of the present entry."""
        block = self._source.read(min(self._left, size)) if self._left else b""
        self._left -= len(block)
        return block

    def skip(self) -> None:
        if self._left:
            for _ in self.data():
                pass

    def _exact(self, size: int) -> bytes:
        """The data of an extension header, with its padding."""
        if size > MAX_EXTENSION_BYTES:
            raise BadArchive(f"the archive has an extended header of {size} bytes")
        data = self._source.read(size)
        if len(data) < size:
            raise BadArchive("the archive ends in the middle of an extended header")
        self._padding = -size % BLOCK
        return data

    def _extension(self, kind: bytes, data: bytes, extra: dict[bytes, bytes]) -> None:
        match kind:
            case b"L":
                extra[b"path"] = data.split(b"\0", 1)[0]
            case b"K":
                extra[b"linkpath"] = data.split(b"\0", 1)[0]
            case b"g":
                self._global |= _records(data)
            case _:
                extra |= _records(data)

    def _entry(self, header: bytes, kind: bytes, size: int, pax: dict[bytes, bytes]) -> Entry | None:
        type = _TYPES.get(kind)
        if b"size" in pax:
            size = _decimal(pax[b"size"], "size")
        has_data = type is EntryType.FILE or type is None
        self._left = size if has_data else 0
        self._padding = -self._left % BLOCK
        if type is None:
            raise BadArchive(f"the archive has an entry of unknown type {kind!r}")
        name = pax.get(b"path") or _name(header)
        if type is EntryType.FILE and name.endswith(b"/") and kind != b"S":
            type = EntryType.DIRECTORY
        entry = Entry(
            name=_bounded(name),
            type=type,
            mode=_number(header[100:108], "mode") & 0o7777,
            uid=_decimal(pax[b"uid"], "uid") if b"uid" in pax else _number(header[108:116], "uid"),
            gid=_decimal(pax[b"gid"], "gid") if b"gid" in pax else _number(header[116:124], "gid"),
            size=size if has_data else 0,
            stored=self._left,
            mtime_ns=_time(pax[b"mtime"]) if b"mtime" in pax else _number(header[136:148], "mtime") * 10**9,
            link=_bounded(pax.get(b"linkpath") or header[157:257].split(b"\0", 1)[0]),
            major=_number(header[329:337], "devmajor") if kind in (b"3", b"4") else 0,
            minor=_number(header[337:345], "devminor") if kind in (b"3", b"4") else 0,
            xattrs=_xattrs(pax),
        )
        return self._sparse(entry, header, kind, pax)

    def _sparse(self, entry: Entry, header: bytes, kind: bytes, pax: dict[bytes, bytes]) -> Entry:
        if kind == b"S":
            return self._gnu_sparse(entry, header)
        if pax.get(b"GNU.sparse.major") == b"1":
            return self._pax_sparse(entry, pax)
        if b"GNU.sparse.map" in pax:
            numbers = [_decimal(n, "sparse") for n in pax[b"GNU.sparse.map"].split(b",")]
            real = _decimal(pax.get(b"GNU.sparse.size", b"0"), "sparse")
            return _with_map(entry, numbers, real, pax.get(b"GNU.sparse.name"))
        return entry

    def _gnu_sparse(self, entry: Entry, header: bytes) -> Entry:
        numbers = _old_pairs(header[386:482])
        extended = header[482:483] not in (b"\0", b"")
        while extended:
            block = self._source.read(BLOCK)
            if len(block) < BLOCK or len(numbers) > 2 * MAX_SPARSE_PIECES:
                raise BadArchive("the archive has a sparse map that does not end")
            numbers += _old_pairs(block[:504])
            extended = block[504:505] not in (b"\0", b"")
        return _with_map(entry, numbers, _number(header[483:495], "realsize"), None)

    def _pax_sparse(self, entry: Entry, pax: dict[bytes, bytes]) -> Entry:
        """Version 1.0: the map stands before the data, decimal numbers in lines, padded to a block."""
        text, count = b"", -1
        numbers: list[int] = []
        while count < 0 or len(numbers) < 2 * count:
            block = self.read(BLOCK)
            if len(block) < BLOCK or len(numbers) > 2 * MAX_SPARSE_PIECES:
                raise BadArchive("the archive has a sparse map that does not end")
            *lines, text = (text + block).split(b"\n")
            for line in lines:
                if count < 0:
                    count = _decimal(line, "sparse")
                elif len(numbers) < 2 * count:
                    numbers.append(_decimal(line, "sparse"))
            if count == 0:
                break
        real = _decimal(pax.get(b"GNU.sparse.realsize", b"0"), "sparse")
        mapped = _with_map(entry, numbers, real, pax.get(b"GNU.sparse.name"))
        return replace(mapped, stored=self._left)


def _with_map(entry: Entry, numbers: list[int], real: int, name: bytes | None) -> Entry:
    pairs = tuple(zip(numbers[::2], numbers[1::2], strict=False))
    end = 0
    for offset, length in pairs:
        if offset < end or offset + length > max(real, 0):
            raise BadArchive("the archive has a sparse map that contradicts itself")
        end = offset + length
    if sum(length for _, length in pairs) > entry.stored:
        raise BadArchive("the archive has a sparse map for more than it holds")
    return replace(entry, size=real, sparse=pairs, name=_bounded(name) if name else entry.name)


def _old_pairs(data: bytes) -> list[int]:
    numbers: list[int] = []
    for at in range(0, len(data) - 23, 24):
        offset, length = data[at : at + 12], data[at + 12 : at + 24]
        if not offset.strip(b"\0 ") and not length.strip(b"\0 "):
            break
        numbers += [_number(offset, "sparse"), _number(length, "sparse")]
    return numbers


def _check(header: bytes) -> None:
    total = sum(header) - sum(header[148:156]) + 8 * 0x20
    if _number(header[148:156], "checksum") != total:
        raise BadArchive("the archive has a header with a wrong checksum")


@lru_cache(maxsize=4096)  # owners, modes and times are the same few in entry after entry
def _number(field: bytes, what: str) -> int:
    """Octal text, or base 256 with the first bit set."""
    if field[:1] in (b"\x80", b"\xff"):
        value = int.from_bytes(field[1:] if field[:1] == b"\x80" else field, "big", signed=field[:1] == b"\xff")
    else:
        text = field.strip(b"\0 ")
        if text and not text.translate(None, b"01234567") == b"":
            raise BadArchive(f"the archive has a {what} that is no number: {field!r}")
        value = int(text, 8) if text else 0
    if abs(value) > _MAX or (value < 0 and what != "mtime"):
        raise BadArchive(f"the archive has a {what} out of range")
    return value


def _decimal(text: bytes, what: str) -> int:
    if not text or len(text) > 19 or text.translate(None, b"0123456789"):
        raise BadArchive(f"the archive has a {what} that is no number: {text[:32]!r}")
    return int(text)


def _time(text: bytes) -> int:
    """Seconds with decimals, possibly negative, in ns."""
    negative = text.startswith(b"-")
    whole, _, fraction = text.lstrip(b"-").partition(b".")
    value = _decimal(whole, "time") * 10**9 + _decimal((fraction[:9] or b"0").ljust(9, b"0"), "time")
    return -value if negative else value


def _name(header: bytes) -> bytes:
    name = header[:100].split(b"\0", 1)[0]
    prefix = header[345:500].split(b"\0", 1)[0]
    return prefix + b"/" + name if prefix and header[257:263] == b"ustar\0" else name


def _bounded(name: bytes) -> bytes:
    if len(name) > MAX_NAME_BYTES or b"\0" in name:
        raise BadArchive(f"the archive has a name of {len(name)} bytes")
    return name


def _records(data: bytes) -> dict[bytes, bytes]:
    """PAX records: `length key=value\\n`."""
    found: dict[bytes, bytes] = {}
    while data:
        length_text, space, _ = data.partition(b" ")
        length = _decimal(length_text, "record") if space else 0
        if length <= len(length_text) + 1 or length > len(data):
            raise BadArchive("the archive has an extended header that contradicts itself")
        record, data = data[len(length_text) + 1 : length], data[length:]
        key, equals, value = record.rstrip(b"\n").partition(b"=")
        if equals:
            found[key] = value
    return found


def _xattrs(pax: dict[bytes, bytes]) -> dict[str, bytes]:
    prefix = b"SCHILY.xattr."
    return {k[len(prefix) :].decode("utf-8", "surrogateescape"): v for k, v in pax.items() if k.startswith(prefix)}
