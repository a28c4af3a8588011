"""Applying a tar stream to a directory: layers into snapshots, and what users copy into containers.

Every parent is resolved by the kernel below the root (openat2, RESOLVE_IN_ROOT), every last component is made
without following a link, whatever was there before is removed first, metadata is set by descriptor. An entry
can name whatever it likes: it lands inside the root or nowhere.
"""

import errno
import os
import stat
from collections import OrderedDict
from dataclasses import dataclass

from hakobu.errors import HakobuError, Kind
from hakobu.kernel import userns
from hakobu.kernel.overlay import RESERVED_XATTRS, opaque_xattr
from hakobu.kernel.saferoot import make_directories, open_entry, open_in
from hakobu.store.archive.entry import BadArchive, Entry, EntryType
from hakobu.store.archive.reader import TarReader
from hakobu.store.layers.whiteout import make_whiteout

WHITEOUT = b".wh."
OPAQUE = b".wh..wh..opq"
_OPEN_DIRECTORIES = 64
_STEPS = 32  # directories above a step stay open meanwhile, and Python's stack is not endless
_DIRECTORY = os.O_PATH | os.O_DIRECTORY
_KEPT_XATTRS = ("security.capability",)


class NotOverwritten(BadArchive):
    """A directory would replace a file, or the other way round, and the caller forbade it."""


class NoSuchId(HakobuError):
    """A file's owner that a user's engine has no subordinate id for."""

    kind = Kind.UNAVAILABLE

    def __init__(self, kind: str, number: int, path: str) -> None:
        super().__init__(
            f"{path!r} belongs to {kind} {number}, which is outside of this engine's ids",
            hint=f"give the user a range of more than {number} in /etc/sub{kind}, and start the engine anew",
        )


@dataclass(frozen=True, slots=True)
class ApplyOptions:
    """`layer` turns whiteouts into overlayfs's, `merge` carries them out instead; `owner` is given to everything
    instead of the archive's owners."""

    layer: bool = False
    merge: bool = False
    keep_directories: bool = False
    owner: tuple[int, int] | None = None


class Applier:
    """Applies entries below `root_fd`, which stays the caller's."""

    def __init__(self, root_fd: int, options: ApplyOptions) -> None:
        self._root_fd, self._options = root_fd, options
        self._parents: OrderedDict[tuple[bytes, ...], int] = OrderedDict()
        self._times: list[tuple[tuple[bytes, ...], int]] = []
        self.bytes = 0

    def apply(self, reader: TarReader) -> None:
        try:
            for entry in reader:
                self._one(entry, reader)
            self._finish()
        finally:
            for fd in self._parents.values():
                os.close(fd)
            self._parents.clear()

    def _one(self, entry: Entry, reader: TarReader) -> None:
        parts = entry.parts
        if not parts:
            self._root(entry)
            return
        parent_fd, name = self._parent(parts[:-1]), parts[-1]
        if (self._options.layer or self._options.merge) and name.startswith(WHITEOUT):
            self._whiteout(parent_fd, name)
            return
        try:  # as if nothing stood there, which is nearly always so: making never replaces, nor follows a link
            self._make(parent_fd, name, entry, reader)
        except FileExistsError:
            if self._clear(parent_fd, name, entry):
                self._make(parent_fd, name, entry, reader)
        if entry.type is EntryType.DIRECTORY:
            self._directory(parent_fd, name, entry)
            self._times.append((parts, entry.mtime_ns))

    def _parent(self, parts: tuple[bytes, ...]) -> int:
        """A descriptor of the directory, made where it is missing; the last few are kept open."""
        found = self._parents.get(parts)
        if found is not None:
            self._parents.move_to_end(parts)
            return found
        opened = self._step(parts) if 0 < len(parts) <= _STEPS else -1
        if opened < 0:
            opened = self._resolve(b"/" + b"/".join(parts))
        self._parents[parts] = opened
        if len(self._parents) > _OPEN_DIRECTORIES:
            os.close(self._parents.popitem(last=False)[1])
        return opened

    def _step(self, parts: tuple[bytes, ...]) -> int:
        """One step from the directory above, mostly open already; -1 where the name is no plain directory."""
        above_fd, name = self._parent(parts[:-1]), parts[-1]
        try:
            return open_entry(above_fd, name, _DIRECTORY)
        except FileNotFoundError:
            return make_directories(above_fd, name, 0o755)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                raise
            return -1

    def _resolve(self, path: bytes) -> int:
        """From the root, links followed inside it."""
        try:
            return open_in(self._root_fd, path, _DIRECTORY)
        except FileNotFoundError:
            return make_directories(self._root_fd, path, 0o755)
        except NotADirectoryError:
            raise BadArchive(f"the archive has an entry below something that is no directory: {path!r}") from None
        except OSError as e:
            if e.errno != errno.ELOOP:
                raise
            raise BadArchive(f"the archive has an entry below a link that leads to itself: {path!r}") from None

    def _forget(self, keep_fd: int) -> None:
        """A directory or a link goes: cached descriptors may lead where their path no longer does."""
        for key in [k for k, fd in self._parents.items() if fd != keep_fd]:
            os.close(self._parents.pop(key))

    def _root(self, entry: Entry) -> None:
        if entry.type is not EntryType.DIRECTORY:
            raise BadArchive("the archive's root is no directory")
        if self._options.layer:
            os.chmod(f"/proc/self/fd/{self._root_fd}", entry.mode)
            os.chown(f"/proc/self/fd/{self._root_fd}", *self._owner(entry))

    def _whiteout(self, parent_fd: int, name: bytes) -> None:
        if name == OPAQUE and self._options.merge:
            for child in os.listdir(f"/proc/self/fd/{parent_fd}"):
                self._remove(parent_fd, os.fsencode(child))
            return
        if name == OPAQUE:
            os.setxattr(f"/proc/self/fd/{parent_fd}", opaque_xattr(), b"y")
            return
        if name.startswith(b".wh..wh."):
            return  # bookkeeping of an old union file system
        target = name[len(WHITEOUT) :]
        if target in (b"", b".", b".."):
            raise BadArchive(f"the archive has a whiteout of nothing: {name!r}")
        self._remove(parent_fd, target)
        if not self._options.merge:
            make_whiteout(target, parent_fd)

    def _clear(self, parent_fd: int, name: bytes, entry: Entry) -> bool:
        """Removes what stands there; False where a directory stays and takes the entry's metadata."""
        try:
            mode = os.stat(name, dir_fd=parent_fd, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return True
        is_directory = entry.type is EntryType.DIRECTORY
        if self._options.keep_directories and stat.S_ISDIR(mode) != is_directory:
            kinds = ("directory", "non-directory") if stat.S_ISDIR(mode) else ("non-directory", "directory")
            raise NotOverwritten(f"cannot overwrite {kinds[0]} {os.fsdecode(name)!r} with {kinds[1]}")
        if stat.S_ISDIR(mode) and is_directory:
            return False
        if (
            is_directory
            and stat.S_ISLNK(mode)
            and not self._options.layer
            and self._leads_to_directory(parent_fd, name)
        ):
            return False
        self._remove(parent_fd, name)
        return True

    def _leads_to_directory(self, parent_fd: int, name: bytes) -> bool:
        """A link to a directory stays when a user copies a directory of its name in (Docker's behaviour)."""
        try:
            target = os.readlink(name, dir_fd=parent_fd)
            opened = open_in(self._root_fd, target, os.O_PATH | os.O_DIRECTORY)
        except OSError:
            return False
        os.close(opened)
        return True

    def _remove(self, parent_fd: int, name: bytes) -> None:
        try:
            mode = os.stat(name, dir_fd=parent_fd, follow_symlinks=False).st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISREG(mode):
            self._forget(parent_fd)
        if stat.S_ISDIR(mode):
            _remove_tree(parent_fd, name)
        else:
            os.unlink(name, dir_fd=parent_fd)

    def _make(self, parent_fd: int, name: bytes, entry: Entry, reader: TarReader) -> None:
        match entry.type:
            case EntryType.FILE:
                self._file(parent_fd, name, entry, reader)
                return
            case EntryType.DIRECTORY:
                os.mkdir(name, 0o700, dir_fd=parent_fd)
                return
            case EntryType.LINK:
                self._link(parent_fd, name, entry)
                return
            case EntryType.SYMLINK:
                os.symlink(entry.link, name, dir_fd=parent_fd)
                self.bytes += len(entry.link)  # the size the file system tells of a link, which Docker counts
            case EntryType.CHARACTER | EntryType.BLOCK | EntryType.FIFO:
                self._node(parent_fd, name, entry)
        self._own(parent_fd, name, entry)
        os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), dir_fd=parent_fd, follow_symlinks=False)

    def _node(self, parent_fd: int, name: bytes, entry: Entry) -> None:
        if entry.type is EntryType.CHARACTER and entry.major == 0 and entry.minor == 0:
            raise BadArchive(f"the archive has a whiteout device of its own: {name!r}")
        kinds = {EntryType.CHARACTER: stat.S_IFCHR, EntryType.BLOCK: stat.S_IFBLK, EntryType.FIFO: stat.S_IFIFO}
        os.mknod(name, kinds[entry.type] | 0o600, os.makedev(entry.major, entry.minor), dir_fd=parent_fd)

    def _file(self, parent_fd: int, name: bytes, entry: Entry, reader: TarReader) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(name, flags, 0o600, dir_fd=parent_fd)
        try:
            if entry.sparse is None:
                for block in reader.data():
                    _write_all(fd, block)
            else:
                _write_sparse(fd, entry, reader)
            self.bytes += entry.stored
            os.fchown(fd, *self._owner(entry))
            os.fchmod(fd, entry.mode)
            if entry.xattrs:
                _set_xattrs(fd, entry.xattrs)
            os.utime(fd, ns=(entry.mtime_ns, entry.mtime_ns))
        finally:
            os.close(fd)

    def _link(self, parent_fd: int, name: bytes, entry: Entry) -> None:
        """To another entry of the same tree, by descriptors; a link's own target is not followed."""
        target = tuple(p for p in entry.link.split(b"/") if p not in (b"", b"."))
        if not target or b".." in target:
            raise BadArchive(f"the archive has a hard link outside of its root: {entry.link!r}")
        source_fd = open_in(self._root_fd, b"/" + b"/".join(target[:-1]), os.O_PATH | os.O_DIRECTORY)
        try:
            os.link(target[-1], name, src_dir_fd=source_fd, dst_dir_fd=parent_fd, follow_symlinks=False)
        except FileNotFoundError:
            raise BadArchive(f"the archive has a hard link to nothing: {entry.link!r}") from None
        finally:
            os.close(source_fd)

    def _directory(self, parent_fd: int, name: bytes, entry: Entry) -> None:
        """Owner, mode and attributes; the time comes last of all."""
        if not self._options.layer and stat.S_ISLNK(os.stat(name, dir_fd=parent_fd, follow_symlinks=False).st_mode):
            return
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent_fd)
        try:
            os.fchown(fd, *self._owner(entry))
            os.fchmod(fd, entry.mode)
            if entry.xattrs:
                _set_xattrs(fd, entry.xattrs)
        finally:
            os.close(fd)

    def _owner(self, entry: Entry) -> tuple[int, int]:
        """Whose it shall be: refused where this user namespace has no such id, root's where it has only that."""
        wanted = self._options.owner or (entry.uid, entry.gid)
        if userns.is_initial():
            return wanted
        if userns.has_one_id():
            return 0, 0
        for kind, number in zip(("uid", "gid"), wanted, strict=True):
            if not userns.has_id(kind, number):
                raise NoSuchId(kind, number, os.fsdecode(entry.name))
        return wanted

    def _own(self, parent_fd: int, name: bytes, entry: Entry) -> None:
        uid, gid = self._owner(entry)
        os.chown(name, uid, gid, dir_fd=parent_fd, follow_symlinks=False)
        if entry.type is not EntryType.SYMLINK:
            # the entry was made by us in this moment, under a name that was free: it is no link
            os.chmod(name, entry.mode, dir_fd=parent_fd)

    def _finish(self) -> None:
        """Times of directories, children first: making an entry changes its directory's time."""
        for parts, time_ns in reversed(self._times):
            try:
                parent_fd = self._parent(parts[:-1])
                os.utime(parts[-1], ns=(time_ns, time_ns), dir_fd=parent_fd, follow_symlinks=False)
            except FileNotFoundError:
                continue  # replaced by a later entry


def _write_all(fd: int, data: bytes | memoryview) -> None:
    written = os.write(fd, data)
    while written < len(data):
        data = memoryview(data)[written:]
        written = os.write(fd, data)


def _write_sparse(fd: int, entry: Entry, reader: TarReader) -> None:
    os.ftruncate(fd, entry.size)
    for offset, length in entry.sparse or ():
        os.lseek(fd, offset, os.SEEK_SET)
        while length:
            block = reader.read(min(length, 1 << 20))
            if not block:
                raise BadArchive("the archive ends in the middle of a sparse file")
            _write_all(fd, block)
            length -= len(block)


def _set_xattrs(fd: int, xattrs: dict[str, bytes]) -> None:
    """File capabilities and the user's own. What overlayfs keeps for itself is never taken from an archive."""
    for name, value in xattrs.items():
        if name not in _KEPT_XATTRS and (not name.startswith("user.") or name.startswith(RESERVED_XATTRS)):
            continue
        try:
            os.setxattr(fd, name, value)
        except OSError as error:
            if error.errno not in (errno.EOPNOTSUPP, errno.EPERM):
                raise


def _remove_tree(parent_fd: int, name: bytes) -> None:
    fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent_fd)
    try:
        for child in os.listdir(fd):
            child_name = os.fsencode(child)
            try:
                os.unlink(child_name, dir_fd=fd)
            except IsADirectoryError:
                _remove_tree(fd, child_name)
    finally:
        os.close(fd)
    os.rmdir(name, dir_fd=parent_fd)
