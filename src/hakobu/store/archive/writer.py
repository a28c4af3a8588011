"""Writing tar: ustar headers, PAX records where a value does not fit. Deterministic for equal entries."""

from collections.abc import Callable

from hakobu.store.archive.entry import Entry, EntryType

BLOCK = 512
_FLAGS = {
    EntryType.FILE: b"0",
    EntryType.LINK: b"1",
    EntryType.SYMLINK: b"2",
    EntryType.CHARACTER: b"3",
    EntryType.BLOCK: b"4",
    EntryType.DIRECTORY: b"5",
    EntryType.FIFO: b"6",
}
_OCTAL_12 = 8**11


class TarWriter:
    """`write` takes bytes; after `add` of a file exactly `entry.size` bytes of `data` must follow."""

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._pad = 0

    def add(self, entry: Entry) -> None:
        self._finish()
        name = entry.name + (b"/" if entry.type is EntryType.DIRECTORY and not entry.name.endswith(b"/") else b"")
        records = _records(entry, name)
        if records:
            self._write(_header(b"PaxHeaders/entry", b"x", len(records), 0o644))
            self._write(records + bytes(-len(records) % BLOCK))
        self._write(_header(name, _FLAGS[entry.type], entry.size, entry.mode, entry))
        self._pad = -entry.size % BLOCK

    def data(self, block: bytes) -> None:
        self._write(block)

    def add_file(self, entry: Entry, content: bytes) -> None:
        self.add(entry)
        self.data(content)

    def close(self) -> None:
        """Two empty blocks end an archive."""
        self._finish()
        self._write(bytes(2 * BLOCK))

    def _finish(self) -> None:
        if self._pad:
            self._write(bytes(self._pad))
            self._pad = 0


def _records(entry: Entry, name: bytes) -> bytes:
    wanted: dict[bytes, bytes] = {}
    if len(name) > 100 or not name.isascii():
        wanted[b"path"] = name
    if len(entry.link) > 100 or not entry.link.isascii():
        wanted[b"linkpath"] = entry.link
    if entry.size >= _OCTAL_12:
        wanted[b"size"] = str(entry.size).encode()
    for key, value in ((b"uid", entry.uid), (b"gid", entry.gid)):
        if value >= 8**7:
            wanted[key] = str(value).encode()
    seconds, rest = divmod(entry.mtime_ns, 10**9)
    if rest or seconds < 0 or seconds >= _OCTAL_12:
        wanted[b"mtime"] = _decimal_time(entry.mtime_ns)
    for key, value in sorted(entry.xattrs.items()):
        wanted[b"SCHILY.xattr." + key.encode("utf-8", "surrogateescape")] = value
    return b"".join(_record(k, v) for k, v in wanted.items())


def _decimal_time(time_ns: int) -> bytes:
    sign = "-" if time_ns < 0 else ""
    seconds, rest = divmod(abs(time_ns), 10**9)
    return f"{sign}{seconds}.{rest:09d}".rstrip("0").rstrip(".").encode()


def _record(key: bytes, value: bytes) -> bytes:
    """Its length counts its own digits."""
    body = b" " + key + b"=" + value + b"\n"
    length = len(body) + len(str(len(body)))
    if len(str(length)) != len(str(len(body))):
        length = len(body) + len(str(length))
    return str(length).encode() + body


def _header(name: bytes, flag: bytes, size: int, mode: int, entry: Entry | None = None) -> bytes:
    uid, gid = (entry.uid, entry.gid) if entry else (0, 0)
    mtime = max(0, min(entry.mtime_ns // 10**9, _OCTAL_12 - 1)) if entry else 0
    link = entry.link if entry else b""
    header = bytearray(BLOCK)
    header[0:100] = _short(name, 100)
    header[100:108] = b"%07o\0" % mode
    header[108:116] = b"%07o\0" % (uid if uid < 8**7 else 0)
    header[116:124] = b"%07o\0" % (gid if gid < 8**7 else 0)
    header[124:136] = b"%011o\0" % (size if size < _OCTAL_12 else 0)
    header[136:148] = b"%011o\0" % mtime
    header[148:156] = b" " * 8
    header[156:157] = flag
    header[157:257] = _short(link, 100)
    header[257:265] = b"ustar\x0000"
    if entry and entry.type in (EntryType.CHARACTER, EntryType.BLOCK):
        header[329:337] = b"%07o\0" % entry.major
        header[337:345] = b"%07o\0" % entry.minor
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def _short(text: bytes, width: int) -> bytes:
    """What does not fit or is not ASCII stands in a PAX record; here is what is left of it."""
    return bytes(b if b < 128 else 0x5F for b in text[:width]).ljust(width, b"\0")
