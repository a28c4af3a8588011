"""Writing tar: ustar headers, PAX records where a value does not fit. Deterministic for equal entries."""

import os
from collections.abc import Callable

from hakobu.store.archive.entry import Entry, EntryType

BLOCK = 512
_READ = 1 << 20
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
_TAIL_OFFSET, _DEVICES_OFFSET = 156, 329  # behind the checksum: from the flag on; the device numbers
_HEAD = b"%b%07o\0%07o\0%07o\0%011o\0%011o\0"
_PLAIN_TAIL = (_FLAGS[EntryType.FILE] + bytes(100) + b"ustar\x0000").ljust(BLOCK - _TAIL_OFFSET, b"\0")
_PLAIN_SUM = sum(_PLAIN_TAIL) + 8 * ord(" ")


class TarWriter:
    """`write` takes bytes; after `add` of a file exactly `entry.size` bytes must follow, by `data` or `file`.

    `send` takes a file's descriptor and how many of its bytes to write, where there is a better way than reading them.
    `seconds` cuts times, as Docker does: a more precise one takes a record of its own in front of every entry.
    """

    def __init__(
        self,
        write: Callable[[bytes], object],
        send: "Callable[[int, int], object] | None" = None,
        *,
        seconds: bool = False,
    ) -> None:
        self._write = write
        self._send = send
        self._seconds = seconds
        self._pad = 0

    def add(self, entry: Entry) -> None:
        self._finish()
        name = entry.name + (b"/" if entry.type is EntryType.DIRECTORY and not entry.name.endswith(b"/") else b"")
        records = _records(entry, name, seconds=self._seconds)
        if records:
            self._write(_header(b"PaxHeaders/entry", b"x", len(records), 0o644))
            self._write(records + bytes(-len(records) % BLOCK))
        self._write(_header(name, _FLAGS[entry.type], entry.size, entry.mode, entry))
        self._pad = -entry.size % BLOCK

    def add_plain(self, name: bytes, info: os.stat_result) -> bool:
        """The header of a regular file that needs no record and has no attributes; False where it does need one.

        Most files are such, and a copy of thousands of them is mostly this.
        """
        seconds, rest = divmod(info.st_mtime_ns, 10**9)
        fits = 0 <= seconds < _OCTAL_12 and info.st_size < _OCTAL_12 and info.st_uid < 8**7 and info.st_gid < 8**7
        if not fits or len(name) > 100 or not name.isascii() or (rest and not self._seconds):
            return False
        self._finish()
        head = _HEAD % (name.ljust(100, b"\0"), info.st_mode & 0o7777, info.st_uid, info.st_gid, info.st_size, seconds)
        self._write(b"%b%06o\0 %b" % (head, sum(head) + _PLAIN_SUM, _PLAIN_TAIL))
        self._pad = -info.st_size % BLOCK
        return True

    def data(self, block: bytes) -> None:
        self._write(block)

    def file(self, fd: int, size: int) -> None:
        """From its beginning: a file that shrinks while it is read is filled up, one that grows is cut."""
        if self._send is not None:
            self._send(fd, size)
            return
        while size:
            block = os.read(fd, min(size, _READ)) or bytes(min(size, _READ))
            size -= len(block)
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


def _records(entry: Entry, name: bytes, *, seconds: bool) -> bytes:
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
    whole, rest = divmod(entry.mtime_ns, 10**9)
    if (rest and not seconds) or whole < 0 or whole >= _OCTAL_12:
        wanted[b"mtime"] = _decimal_time(entry.mtime_ns - (rest if seconds else 0))
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
    uid = gid = mtime = 0
    link = devices = b""
    if entry is not None:
        uid, gid, link = entry.uid, entry.gid, entry.link
        mtime = max(0, min(entry.mtime_ns // 10**9, _OCTAL_12 - 1))
        if entry.type in (EntryType.CHARACTER, EntryType.BLOCK):
            devices = b"%07o\0%07o\0" % (entry.major, entry.minor)
    head = b"%b%07o\0%07o\0%07o\0%011o\0%011o\0" % (
        _short(name).ljust(100, b"\0"),
        mode,
        uid if uid < 8**7 else 0,
        gid if gid < 8**7 else 0,
        size if size < _OCTAL_12 else 0,
        mtime,
    )
    tail = b"%b%bustar\x0000" % (flag, _short(link).ljust(100, b"\0"))
    if devices:
        tail = tail.ljust(_DEVICES_OFFSET - _TAIL_OFFSET, b"\0") + devices
    checksum = sum(head) + sum(tail) + 8 * ord(" ")
    return b"%b%06o\0 %b" % (head, checksum, tail.ljust(BLOCK - _TAIL_OFFSET, b"\0"))


def _short(text: bytes) -> bytes:
    """What does not fit or is not ASCII stands in a PAX record; here is what is left of it."""
    return text[:100] if text.isascii() else bytes(b if b < 128 else 0x5F for b in text[:100])
