"""The one module that resolves paths below a root somebody else controls.

Every path is resolved by the kernel (`openat2`, RESOLVE_IN_ROOT and no magic links) relative to a directory
descriptor, every new entry is made by name in an already opened directory and opened again without following
links. Invariant: no function gives or takes a path string that reaches the kernel without the root's descriptor.
A dangling link on the way is followed inside the root, as a container's own mkdir would.
"""

import errno
import os
import stat
from typing import Final

from hakobu.kernel.openat2 import (
    RESOLVE_BENEATH,
    RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS,
    openat2,
)

_IN_ROOT: Final = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
_ENTRY: Final = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS
_DIRECTORY: Final = os.O_PATH | os.O_DIRECTORY
_MAX_LINKS: Final = 40


def open_in(root_fd: int, path: str | bytes, flags: int = os.O_PATH, mode: int = 0) -> int:
    """A descriptor of what `path` means to a process whose root is `root_fd`."""
    return openat2(root_fd, path, flags, mode, _IN_ROOT)


def open_entry(dir_fd: int, name: str | bytes, flags: int = os.O_PATH | os.O_NOFOLLOW, mode: int = 0) -> int:
    """A descriptor of an entry of an opened directory; a link is not followed, with O_PATH it is itself opened."""
    resolve = RESOLVE_BENEATH if flags & os.O_PATH and flags & os.O_NOFOLLOW else _ENTRY
    return openat2(dir_fd, name, flags | os.O_NOFOLLOW, mode, resolve)


def split(path: str | bytes) -> list[bytes]:
    """The components of a path as a user wrote it, `.` and `..` taken out as text (so cleans Docker its targets)."""
    parts: list[bytes] = []
    for part in os.fsencode(path).split(b"/"):
        if part == b"..":
            del parts[-1:]
        elif part not in (b"", b"."):
            parts.append(part)
    if any(b"\0" in part for part in parts):
        raise OSError(errno.EINVAL, "openat2: a path with a zero byte", path)
    return parts


def open_parent(root_fd: int, path: str | bytes) -> tuple[int, bytes]:
    """(descriptor of the directory, name of the entry) for making or removing what `path` names.

    The last component is not followed. OSError(EINVAL) for the root itself.
    """
    parts = split(path)
    if not parts:
        raise OSError(errno.EINVAL, "openat2: the root has no parent", path)
    return open_in(root_fd, b"/" + b"/".join(parts[:-1]), _DIRECTORY), parts[-1]


def make_directories(root_fd: int, path: str | bytes, mode: int = 0o755, owner: tuple[int, int] | None = None) -> int:
    """mkdir -p below the root: an O_PATH descriptor of the directory. `owner` is for the ones made here."""
    done, todo = b"/", split(path)
    try:
        return open_in(root_fd, done + done.join(todo), _DIRECTORY)  # as a rule all of it is there
    except FileNotFoundError:
        pass
    links = 0
    current_fd = open_in(root_fd, done, _DIRECTORY)
    try:
        while todo:
            name = todo.pop(0)
            done = done.rstrip(b"/") + b"/" + name
            try:
                next_fd = open_in(root_fd, done, _DIRECTORY)
            except FileNotFoundError:
                target = _make_directory(current_fd, name, mode, owner)
                if target is None:
                    next_fd = open_entry(current_fd, name, _DIRECTORY)
                else:
                    links += 1
                    if links > _MAX_LINKS:
                        raise OSError(errno.ELOOP, "openat2: too many links", path) from None
                    done, todo = _follow(done, target, todo)
                    next_fd = open_in(root_fd, done, _DIRECTORY)
            os.close(current_fd)
            current_fd = next_fd
    except BaseException:
        os.close(current_fd)
        raise
    return current_fd


def _make_directory(dir_fd: int, name: bytes, mode: int, owner: tuple[int, int] | None) -> bytes | None:
    """Makes the directory; where a dangling link has the name, gives the link's target instead."""
    try:
        os.mkdir(name, mode, dir_fd=dir_fd)
    except FileExistsError:
        return _link_target(dir_fd, name)
    new_fd = open_entry(dir_fd, name, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fchmod(new_fd, mode)  # the process's umask is not the user's wish
        if owner is not None:
            os.fchown(new_fd, *owner)
    finally:
        os.close(new_fd)
    return None


def _link_target(dir_fd: int, name: bytes) -> bytes | None:
    try:
        return os.readlink(name, dir_fd=dir_fd)
    except OSError as error:
        if error.errno == errno.EINVAL:  # no link: somebody made it meanwhile
            return None
        raise


def _follow(link: bytes, target: bytes, rest: list[bytes]) -> tuple[bytes, list[bytes]]:
    """Where to go on after a dangling link: (what is certain to be there, the components still to come).

    `..` of a target is left to the kernel, which resolves it in the root.
    """
    start = b"/" if target.startswith(b"/") else link.rpartition(b"/")[0] or b"/"
    return start, [part for part in target.split(b"/") if part not in (b"", b".")] + rest


def make_file(root_fd: int, path: str | bytes, mode: int = 0o644, owner: tuple[int, int] | None = None) -> int:
    """An O_PATH descriptor of the file `path` means, made empty (with its directories) where it is not there."""
    for _ in range(_MAX_LINKS):
        parts = split(path)
        try:
            return open_in(root_fd, b"/" + b"/".join(parts))
        except FileNotFoundError:
            pass
        parent = b"/" + b"/".join(parts[:-1])
        parent_fd = make_directories(root_fd, parent, owner=owner)
        try:
            target = _create(parent_fd, parts[-1], mode, owner)
            if target is None:
                return open_entry(parent_fd, parts[-1])
        finally:
            os.close(parent_fd)
        path = target if target.startswith(b"/") else parent + b"/" + target
    raise OSError(errno.ELOOP, "openat2: too many links", path)


def _create(dir_fd: int, name: bytes, mode: int, owner: tuple[int, int] | None) -> bytes | None:
    try:
        fd = open_entry(dir_fd, name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return _link_target(dir_fd, name)
    try:
        os.fchmod(fd, mode)
        if owner is not None:
            os.fchown(fd, *owner)
    finally:
        os.close(fd)
    return None


def make_mount_target(root_fd: int, path: str | bytes, directory: bool) -> int:
    """What a mount is put on: an O_PATH descriptor; made where missing, refused where it is of the other kind."""
    fd = make_directories(root_fd, path) if directory else make_file(root_fd, path)
    if stat.S_ISDIR(os.fstat(fd).st_mode) != directory:
        os.close(fd)
        number, text = (errno.ENOTDIR, "Not a directory") if directory else (errno.EISDIR, "Is a directory")
        raise OSError(number, f"openat2: {text}", path)
    return fd


def read_file(root_fd: int, path: str | bytes, limit_bytes: int = 10 * 1024 * 1024) -> bytes:
    """The content of a regular file below the root; OSError(EINVAL) for anything else, EFBIG beyond the limit."""
    fd = open_in(root_fd, path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "openat2: not a regular file", path)
        parts: list[bytes] = []
        size = 0
        while part := os.read(fd, 1 << 16):  # larger ones would be mapped and unmapped
            parts.append(part)
            size += len(part)
            if size > limit_bytes:
                raise OSError(errno.EFBIG, f"read: more than {limit_bytes} bytes", path)
        return b"".join(parts)
    finally:
        os.close(fd)
