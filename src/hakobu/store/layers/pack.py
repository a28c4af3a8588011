"""Directories become tar streams: an overlay's upper as a layer, a container's tree for export and copy.

Walked by descriptors from outside: nothing is opened by a path that a container could have changed on the way.
Names are sorted, so that equal trees give equal streams.
"""

import errno
import os
import stat
from dataclasses import dataclass, field

from hakobu.kernel.overlay import RESERVED_XATTRS, opaque_xattr
from hakobu.store.archive.entry import Entry, EntryType
from hakobu.store.archive.writer import TarWriter
from hakobu.store.layers.apply import OPAQUE, WHITEOUT
from hakobu.store.layers.whiteout import is_whiteout


@dataclass(slots=True)
class Packer:
    """`whiteouts` turns overlayfs's marks into a layer's; `one_device` leaves out what is mounted in the tree."""

    writer: TarWriter
    whiteouts: bool = False
    one_device: bool = False
    skip: frozenset[bytes] = frozenset()
    _links: dict[tuple[int, int], bytes] = field(default_factory=dict[tuple[int, int], bytes])
    _device: int = -1

    def tree(self, directory_fd: int, name: bytes, *, itself: bool = True) -> None:
        """The directory `directory_fd` stands for, as `name` in the archive (empty: its root)."""
        info = os.fstat(directory_fd)
        self._device = info.st_dev
        if itself and name:
            self._add(_entry(name, info, _xattrs_of(directory_fd)))
        self._children(directory_fd, name)

    def file(self, parent_fd: int, name: str | bytes, as_name: bytes) -> None:
        """One entry that is no directory."""
        raw = os.fsencode(name)
        self._one(parent_fd, raw, as_name, os.stat(raw, dir_fd=parent_fd, follow_symlinks=False))

    def _children(self, directory_fd: int, prefix: bytes) -> None:
        reading_fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory_fd)
        try:
            with os.scandir(reading_fd) as entries:
                found = sorted((os.fsencode(entry.name), entry.is_file(follow_symlinks=False)) for entry in entries)
            for child, is_file in found:
                path = prefix + b"/" + child if prefix else child
                if path in self.skip:
                    continue
                try:
                    if is_file:
                        self._file(reading_fd, child, path)
                    else:
                        info = os.stat(child, dir_fd=reading_fd, follow_symlinks=False)
                        self._one(reading_fd, child, path, info)
                except FileNotFoundError:
                    continue  # a running container removed it meanwhile
        finally:
            os.close(reading_fd)

    def _one(self, parent_fd: int, name: bytes, path: bytes, info: os.stat_result) -> None:
        if self.whiteouts and is_whiteout(info):
            head, slash, tail = path.rpartition(b"/")
            self._add(Entry(name=head + slash + WHITEOUT + tail, type=EntryType.FILE))
        elif stat.S_ISDIR(info.st_mode):
            self._directory(parent_fd, name, path, info)
        elif stat.S_ISREG(info.st_mode):
            self._file(parent_fd, name, path)
        elif not stat.S_ISSOCK(info.st_mode):
            link = os.fsencode(os.readlink(name, dir_fd=parent_fd)) if stat.S_ISLNK(info.st_mode) else b""
            self._add(_entry(path, info, {}, link))

    def _directory(self, parent_fd: int, name: bytes, path: bytes, info: os.stat_result) -> None:
        try:
            fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent_fd)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                return
            raise
        try:
            self._add(_entry(path, info, _xattrs_of(fd)))
            if self.whiteouts and is_opaque(fd):
                self._add(Entry(name=path + b"/" + OPAQUE, type=EntryType.FILE, mtime_ns=info.st_mtime_ns))
            if not self.one_device or info.st_dev == self._device:
                self._children(fd, path)
        finally:
            os.close(fd)

    def _file(self, parent_fd: int, name: bytes, path: bytes) -> None:
        """A regular file, as a hard link where it has been seen; nothing where it was swapped for something else."""
        try:
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent_fd)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO):
                return
            raise
        try:
            info = os.fstat(fd)
            if not stat.S_ISREG(info.st_mode):
                return
            if info.st_nlink > 1:
                key = (info.st_dev, info.st_ino)
                if key in self._links:
                    self._add(_entry(path, info, {}, self._links[key], EntryType.LINK))
                    return
                self._links[key] = path
            xattrs = _xattrs_of(fd)
            if xattrs or not self.writer.add_plain(path, info):
                self._add(_entry(path, info, xattrs))
            self.writer.file(fd, info.st_size)
        finally:
            os.close(fd)

    def _add(self, entry: Entry) -> None:
        self.writer.add(entry)


def _entry(
    name: bytes, info: os.stat_result, xattrs: dict[str, bytes], link: bytes = b"", type: EntryType | None = None
) -> Entry:
    kind = type or _type(info.st_mode)
    device = kind in (EntryType.CHARACTER, EntryType.BLOCK)
    return Entry(
        name=name,
        type=kind,
        mode=stat.S_IMODE(info.st_mode),
        uid=info.st_uid,
        gid=info.st_gid,
        size=info.st_size if kind is EntryType.FILE else 0,
        mtime_ns=info.st_mtime_ns,
        link=link,
        major=os.major(info.st_rdev) if device else 0,
        minor=os.minor(info.st_rdev) if device else 0,
        xattrs=xattrs,
    )


def _type(mode: int) -> EntryType:
    for test, kind in (
        (stat.S_ISREG, EntryType.FILE),
        (stat.S_ISDIR, EntryType.DIRECTORY),
        (stat.S_ISLNK, EntryType.SYMLINK),
        (stat.S_ISCHR, EntryType.CHARACTER),
        (stat.S_ISBLK, EntryType.BLOCK),
    ):
        if test(mode):
            return kind
    return EntryType.FIFO


def _xattrs_of(fd: int) -> dict[str, bytes]:
    try:
        names = os.listxattr(fd)
    except OSError:
        return {}
    kept = ("security.capability", "user.")
    return {n: os.getxattr(fd, n) for n in names if n.startswith(kept) and not n.startswith(RESERVED_XATTRS)}


def is_opaque(fd: int) -> bool:
    try:
        return os.getxattr(fd, opaque_xattr()) == b"y"
    except OSError:
        return False
