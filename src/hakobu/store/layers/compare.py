"""Two trees, file by file: what the second has that the first has not, has not any more, or has otherwise.

Both are walked by descriptors, names sorted; no link is followed. Files are taken for equal without a look at their
content where overlayfs says that they are the same file of the same layer.
"""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from hakobu.store.layers.changes import ADDED, CHANGED, DELETED

_BLOCK = 1 << 18


@dataclass(frozen=True, slots=True)
class Difference:
    """`why` names what is otherwise (type, mode, owner, device, target, content); sizes in bytes, -1 for not there."""

    path: str
    kind: int
    why: tuple[str, ...]
    before: int
    after: int


def compare(first_fd: int, second_fd: int) -> Iterator[Difference]:
    """Of two directories, which stay the caller's. Parents come before what is in them."""
    yield from _directory(first_fd, second_fd, "")


def _directory(first_fd: int, second_fd: int, prefix: str) -> Iterator[Difference]:
    old, new = set(_names(first_fd)), set(_names(second_fd))
    for name in sorted(old | new):
        path = f"{prefix}/{name}"
        before = _stat(first_fd, name) if name in old else None
        after = _stat(second_fd, name) if name in new else None
        if before is not None and after is not None:
            if why := _why(first_fd, second_fd, name, before, after):
                yield Difference(path, CHANGED, why, _size(before), _size(after))
        elif after is not None:
            yield Difference(path, ADDED, (), -1, _size(after))
        elif before is not None:
            yield Difference(path, DELETED, (), _size(before), -1)
        down = (before is not None and stat.S_ISDIR(before.st_mode), after is not None and stat.S_ISDIR(after.st_mode))
        if any(down):
            yield from _below(first_fd if down[0] else -1, second_fd if down[1] else -1, name, path)


def _below(first_fd: int, second_fd: int, name: str, path: str) -> Iterator[Difference]:
    """Where only one side is a directory, all of it came or went."""
    opened = [_open(fd, name, os.O_DIRECTORY) if fd >= 0 else -1 for fd in (first_fd, second_fd)]
    try:
        yield from _directory(opened[0], opened[1], path)
    finally:
        for fd in opened:
            if fd >= 0:
                os.close(fd)


def _names(fd: int) -> list[str]:
    if fd < 0:
        return []
    copy = _open(fd, ".", os.O_DIRECTORY)
    try:
        return os.listdir(copy)
    finally:
        os.close(copy)


def _open(fd: int, name: str, flags: int = 0) -> int:
    return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | flags, dir_fd=fd)


def _stat(fd: int, name: str) -> os.stat_result:
    return os.stat(name, dir_fd=fd, follow_symlinks=False)


def _size(info: os.stat_result) -> int:
    return info.st_size if stat.S_ISREG(info.st_mode) else 0


def _why(first_fd: int, second_fd: int, name: str, before: os.stat_result, after: os.stat_result) -> tuple[str, ...]:
    if stat.S_IFMT(before.st_mode) != stat.S_IFMT(after.st_mode):
        return ("type",)
    found: list[str] = []
    if before.st_mode != after.st_mode:
        found.append("mode")
    if (before.st_uid, before.st_gid) != (after.st_uid, after.st_gid):
        found.append("owner")
    if before.st_rdev != after.st_rdev:
        found.append("device")
    if stat.S_ISLNK(before.st_mode) and os.readlink(name, dir_fd=first_fd) != os.readlink(name, dir_fd=second_fd):
        found.append("target")
    if stat.S_ISREG(before.st_mode) and not _same_content(first_fd, second_fd, name, before, after):
        found.append("content")
    return tuple(found)


def _same_content(first_fd: int, second_fd: int, name: str, before: os.stat_result, after: os.stat_result) -> bool:
    if before.st_size != after.st_size:
        return False
    if before.st_ino == after.st_ino and before.st_mtime_ns == after.st_mtime_ns:
        return True  # overlayfs gives the inode number of the layer's own file, and all layers are on one file system
    with open(_open(first_fd, name), "rb", buffering=0) as one, open(_open(second_fd, name), "rb", buffering=0) as two:
        while block := one.read(_BLOCK):
            if block != two.read(len(block)):
                return False
    return True
