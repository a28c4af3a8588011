"""What a container changed: its overlay's upper directory against the layers below, as docker diff tells it.

0 changed, 1 added, 2 deleted. A parent of something changed is changed itself.
"""

import os
import stat

from hakobu.store.layers.pack import is_opaque
from hakobu.store.layers.whiteout import is_whiteout

CHANGED, ADDED, DELETED = 0, 1, 2


def changes(upper: str, lowers: tuple[str, ...], skip: frozenset[str]) -> list[tuple[str, int]]:
    """Sorted by path. `skip` are the mount points and files that the engine itself put there."""
    found: list[tuple[str, int]] = []
    fd = os.open(upper, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _walk(fd, "", lowers, skip, found)
    finally:
        os.close(fd)
    return sorted(found)


def _walk(fd: int, prefix: str, lowers: tuple[str, ...], skip: frozenset[str], found: list[tuple[str, int]]) -> None:
    for name in sorted(os.listdir(fd)):
        path = f"{prefix}/{name}"
        if path in skip:
            continue
        info = os.stat(name, dir_fd=fd, follow_symlinks=False)
        below = _exists(lowers, path)
        if is_whiteout(info):
            if below:
                found.append((path, DELETED))
            continue
        is_directory = stat.S_ISDIR(info.st_mode)
        before = len(found)
        found.append((path, CHANGED if below else ADDED))
        if is_directory:
            child = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
            try:
                opaque = is_opaque(child)
                _walk(child, path, () if opaque else lowers, skip, found)
                if below and not opaque and len(found) == before + 1 and _same_directory(lowers, path, info):
                    found.pop()
            finally:
                os.close(child)


def _exists(lowers: tuple[str, ...], path: str) -> bool:
    return _find(lowers, path) is not None


def _find(lowers: tuple[str, ...], path: str) -> os.stat_result | None:
    """Of the topmost layer that says something of the path or of a directory above it."""
    for lower in lowers:
        info, hides = _look(lower, path.strip("/").split("/"))
        if info is not None or hides:
            return info
    return None


def _look(lower: str, parts: list[str]) -> tuple[os.stat_result | None, bool]:
    """What one layer has at a path, and whether it hides there what the layers below it have: by a whiteout on the
    way, by an opaque directory, or by something that is no directory where theirs is one."""
    current, info, hides = lower, None, False
    for part in parts:
        current = f"{current}/{part}"
        try:
            info = os.lstat(current)
        except FileNotFoundError:
            return None, hides
        except OSError:
            return None, True
        if is_whiteout(info):
            return None, True
        hides = hides or (stat.S_ISDIR(info.st_mode) and _is_opaque(current))
    return info, hides


def _is_opaque(directory: str) -> bool:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        return is_opaque(fd)
    finally:
        os.close(fd)


def _same_directory(lowers: tuple[str, ...], path: str, info: os.stat_result) -> bool:
    """A directory that was copied up with nothing in it and looks as it did has not changed."""
    below = _find(lowers, path)
    keys = ("st_mode", "st_uid", "st_gid", "st_mtime_ns")
    return below is not None and all(getattr(below, k) == getattr(info, k) for k in keys)
