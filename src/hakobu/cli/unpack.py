"""Writes a tar stream that came out of a container below a local directory, and nowhere else.

The container made the archive, so every name in it may be a trap. Each component is opened relative to its
parent's descriptor, never through a link; a link in the archive is made, but never walked through; hard
links lead to files below the same directory only. Devices are not made.
"""

from __future__ import annotations

import os
import tarfile

from hakobu.cli.failure import Failure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

_DIR = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_COPY_BYTES = 1 << 20


class _Stream:
    """The pieces of a response as the file that `tarfile` reads."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int) -> bytes:
        while len(self._rest) < size:
            piece = next(self._pieces, b"")
            if not piece:
                break
            self._rest += piece
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def unpack(pieces: Iterator[bytes], folder: str, name: str, *, keep_ids: bool = False) -> int:
    """Unpacks below `folder`, the first component of every name replaced by `name`; gives the bytes written."""
    root_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    writer = _Writer(root_fd, name, keep_ids)
    try:
        stream: IO[bytes] = _Stream(pieces)  # pyright: ignore[reportAssignmentType]
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                writer.write(archive, member)
        writer.finish()
    except tarfile.TarError as e:
        raise Failure(f"the archive from the container is damaged: {e}") from None
    finally:
        os.close(root_fd)
    return writer.size


class _Writer:
    def __init__(self, root_fd: int, name: str, keep_ids: bool) -> None:
        self._root_fd = root_fd
        self._name = name
        self._keep_ids = keep_ids
        self._folders: list[tuple[list[str], tarfile.TarInfo]] = []
        self.size = 0

    def _parts(self, path: str) -> list[str]:
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise Failure(f"the archive from the container names a path outside itself: {path}")
        # The contents of a directory come as `./a` or as `name/a`: the first name is the directory's own.
        below = parts if path.startswith("./") or path == "." else parts[1:]
        return [self._name, *below] if self._name else below

    def _parent(self, parts: list[str]) -> int:
        """A new descriptor of the directory that holds the last part."""
        fd = os.dup(self._root_fd)
        for part in parts[:-1]:
            try:
                os.mkdir(part, 0o755, dir_fd=fd)
            except FileExistsError:
                pass
            try:
                below = os.open(part, _DIR, dir_fd=fd)
            except OSError as e:
                raise Failure(f"{'/'.join(parts)}: {part} is not a directory: {(e.strerror or '').lower()}") from None
            finally:
                os.close(fd)
            fd = below
        return fd

    def write(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        parts = self._parts(member.name)
        if not parts:
            return
        parent_fd = self._parent(parts)
        try:
            self._entry(archive, member, parts, parent_fd)
        finally:
            os.close(parent_fd)

    def _entry(self, archive: tarfile.TarFile, member: tarfile.TarInfo, parts: list[str], parent_fd: int) -> None:
        name = parts[-1]
        if member.isdir():
            self._folder(member, parts, parent_fd)
            return
        _clear(name, parent_fd)
        if member.isreg():
            self._file(archive, member, name, parent_fd)
        elif member.issym():
            os.symlink(member.linkname, name, dir_fd=parent_fd)
        elif member.islnk():
            self._hard_link(member, name, parent_fd)
        elif member.isfifo():
            os.mkfifo(name, member.mode & 0o777, dir_fd=parent_fd)

    def _folder(self, member: tarfile.TarInfo, parts: list[str], parent_fd: int) -> None:
        try:
            os.mkdir(parts[-1], 0o700, dir_fd=parent_fd)
        except FileExistsError:
            os.close(os.open(parts[-1], _DIR, dir_fd=parent_fd))
        self._folders.append((parts, member))

    def _file(self, archive: tarfile.TarFile, member: tarfile.TarInfo, name: str, parent_fd: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(name, flags, 0o600, dir_fd=parent_fd)
        with open(fd, "wb", closefd=True) as file:
            source = archive.extractfile(member)
            while source and (data := source.read(_COPY_BYTES)):
                file.write(data)
                self.size += len(data)
            file.flush()
            self._attributes(member, fd)

    def _attributes(self, member: tarfile.TarInfo, fd: int) -> None:
        if self._keep_ids:
            os.fchown(fd, member.uid, member.gid)
        # Set-id bits of a container's file mean its own ids; they are kept only with those.
        os.fchmod(fd, member.mode & (0o7777 if self._keep_ids else 0o1777))
        os.utime(fd, (member.mtime, member.mtime))

    def _hard_link(self, member: tarfile.TarInfo, name: str, parent_fd: int) -> None:
        target = self._parts(member.linkname)
        target_fd = self._parent(target)
        try:
            os.link(target[-1], name, src_dir_fd=target_fd, dst_dir_fd=parent_fd, follow_symlinks=False)
        finally:
            os.close(target_fd)

    def finish(self) -> None:
        """Modes and times of directories, which writing into them would have spoilt; deepest first."""
        for parts, member in reversed(self._folders):
            parent_fd = self._parent(parts)
            try:
                fd = os.open(parts[-1], _DIR, dir_fd=parent_fd)
            finally:
                os.close(parent_fd)
            try:
                self._attributes(member, fd)
            finally:
                os.close(fd)


def _clear(name: str, parent_fd: int) -> None:
    """Takes away what stands where a file shall be; a directory stays, and is an error."""
    try:
        os.unlink(name, dir_fd=parent_fd)
    except FileNotFoundError:
        pass
    except IsADirectoryError:
        raise Failure(f"cannot overwrite directory {name} with a file") from None
