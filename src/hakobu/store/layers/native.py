"""Snapshots without overlayfs: all layers of an image copied into one tree, and what was changed in it afterwards.

    snapshots/<n>/merged         the tree, a container's root
    snapshots/<n>/merged.json    how each name looked when it had been made
    snapshots/<n>/fs             what differs, as overlayfs would have kept it: made anew whenever it is asked for

So whatever reads an upper directory (diff, commit, size) reads this one. A file counts as changed by type, mode,
owners, size, time or target, as for Docker's vfs driver; its content is never compared.
"""

import errno
import json
import os
import shutil
import stat
from contextlib import closing

from hakobu.errors import HakobuError
from hakobu.store.archive.reader import TarReader
from hakobu.store.archive.writer import TarWriter
from hakobu.store.layers.apply import Applier, ApplyOptions
from hakobu.store.layers.inflate import Stream
from hakobu.store.layers.pack import Packer
from hakobu.store.layers.whiteout import make_whiteout
from hakobu.store.worker.feed import Feed

Look = list[int | str]
Known = dict[str, "tuple[Look, Known]"]
"""What a directory held: name to its look, and for a directory what that held."""

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def merge(layers: tuple[str, ...], target: str) -> None:
    """Copies `layers` (from top to bottom) into the empty directory `target`, and writes down how it looks."""
    target_fd = os.open(target, _DIRECTORY)
    try:
        for layer in reversed(layers):
            layer_fd = os.open(layer, _DIRECTORY)
            try:
                copy(layer_fd, target_fd, ApplyOptions(merge=True), whiteouts=True)
            finally:
                os.close(layer_fd)
        with open(f"{target}.json", "w", encoding="ascii") as file:
            json.dump(_known(target_fd), file)
    finally:
        os.close(target_fd)


def copy(source_fd: int, target_fd: int, options: ApplyOptions, *, whiteouts: bool = False) -> None:
    """A tree into another directory, owners and all, by way of an archive that another process writes."""
    read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
    info = os.fstat(source_fd)
    pid = os.fork()
    if pid == 0:
        try:
            os.close(read_fd)
            with open(write_fd, "wb", buffering=1 << 20) as out:
                writer = TarWriter(out.write)
                Packer(writer, whiteouts=whiteouts).tree(source_fd, b"", itself=False)
                writer.close()
            os._exit(0)
        finally:
            os._exit(1)
    os.close(write_fd)
    try:
        with closing(Feed(read_fd)) as feed, Stream(iter(feed), halt=feed.stop) as stream:
            Applier(target_fd, options).apply(TarReader(stream))
            stream.drain()
    finally:
        # Before the wait: a writer that nobody reads from any more must not wait for a reader.
        os.close(read_fd)
        _, status = os.waitpid(pid, 0)
    if status:
        raise HakobuError("a tree could not be read to its end, and the copy is not whole")
    os.fchown(target_fd, info.st_uid, info.st_gid)
    os.fchmod(target_fd, info.st_mode & 0o7777)


def separate(merged: str, upper: str) -> None:
    """Makes `upper` anew from what differs in `merged` since it was made; files are links to those in it.

    The tree may be a running container's: every step in it goes by a descriptor and follows no link.
    """
    with open(f"{merged}.json", encoding="ascii") as file:
        known: Known = json.load(file)
    for name in os.listdir(upper):
        path = f"{upper}/{name}"
        shutil.rmtree(path) if stat.S_ISDIR(os.lstat(path).st_mode) else os.unlink(path)
    merged_fd, upper_fd = os.open(merged, _DIRECTORY), os.open(upper, _DIRECTORY)
    try:
        _separate(merged_fd, known, _Upper(upper_fd))
    finally:
        os.close(merged_fd)
        os.close(upper_fd)


class _Upper:
    """A directory that is made, with those above it, when something must go into it."""

    def __init__(self, fd: int = -1, above: "_Upper | None" = None, name: str = "", source_fd: int = -1) -> None:
        self._fd, self._above, self._name, self._source_fd = fd, above, name, source_fd

    def fd(self) -> int:
        if self._fd < 0 and self._above is not None:
            above_fd, info = self._above.fd(), os.fstat(self._source_fd)
            os.mkdir(self._name, 0o700, dir_fd=above_fd)
            self._fd = os.open(self._name, _DIRECTORY, dir_fd=above_fd)
            os.fchown(self._fd, info.st_uid, info.st_gid)
            os.fchmod(self._fd, stat.S_IMODE(info.st_mode))
        return self._fd

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)


def _separate(directory_fd: int, known: Known, upper: _Upper) -> None:
    names = os.listdir(directory_fd)
    for name in names:
        try:
            info = os.stat(name, dir_fd=directory_fd, follow_symlinks=False)
            look = _look(directory_fd, name, info)
            before = known.get(name)
            if not stat.S_ISDIR(info.st_mode):
                if before is None or before[0] != look:
                    os.link(name, name, src_dir_fd=directory_fd, dst_dir_fd=upper.fd(), follow_symlinks=False)
                continue
            child_fd = os.open(name, _DIRECTORY, dir_fd=directory_fd)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                continue  # removed, or swapped for something else, in this moment
            raise
        below = _Upper(above=upper, name=name, source_fd=child_fd)
        try:
            if before is None or before[0] != look:
                below.fd()
            _separate(child_fd, before[1] if before else {}, below)
        finally:
            below.close()
            os.close(child_fd)
    for name in known.keys() - set(names):
        make_whiteout(name, upper.fd())


def _known(directory_fd: int) -> Known:
    found: Known = {}
    for name in os.listdir(directory_fd):
        info = os.stat(name, dir_fd=directory_fd, follow_symlinks=False)
        below: Known = {}
        if stat.S_ISDIR(info.st_mode):
            child_fd = os.open(name, _DIRECTORY, dir_fd=directory_fd)
            try:
                below = _known(child_fd)
            finally:
                os.close(child_fd)
        found[name] = (_look(directory_fd, name, info), below)
    return found


def _look(directory_fd: int, name: str, info: os.stat_result) -> Look:
    """A directory's size and time are its entries' matter."""
    look: Look = [info.st_mode, info.st_uid, info.st_gid]
    if not stat.S_ISDIR(info.st_mode):
        target = os.readlink(name, dir_fd=directory_fd) if stat.S_ISLNK(info.st_mode) else ""
        look += [info.st_size, info.st_mtime_ns, target]
    return look
