"""What a tmpfs covers, copied into it (`tmpcopyup`): by descriptors alone, links as links, no device followed.

Bounded by the tmpfs itself. Invariant: every entry is opened in a directory already open, without following a link.
"""

import os
import stat

from hakobu.kernel.saferoot import open_entry

_CHUNK_BYTES = 1 << 20


def copy_tree(source_fd: int, target_fd: int) -> None:
    """Of directories given by O_PATH descriptors; owners, modes and times go along."""
    read_fd = open_entry(source_fd, ".", os.O_RDONLY | os.O_DIRECTORY)
    write_fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=target_fd)
    try:
        for name in os.listdir(read_fd):
            _copy_entry(read_fd, write_fd, name)
        _copy_attributes(os.fstat(read_fd), write_fd)
    finally:
        os.close(read_fd)
        os.close(write_fd)


def _copy_entry(source_fd: int, target_fd: int, name: str) -> None:
    info = os.stat(name, dir_fd=source_fd, follow_symlinks=False)
    if stat.S_ISLNK(info.st_mode):
        os.symlink(os.readlink(name, dir_fd=source_fd), name, dir_fd=target_fd)
        os.chown(name, info.st_uid, info.st_gid, dir_fd=target_fd, follow_symlinks=False)
    elif stat.S_ISDIR(info.st_mode):
        os.mkdir(name, 0o700, dir_fd=target_fd)
        below_fd, made_fd = open_entry(source_fd, name), open_entry(target_fd, name)
        try:
            copy_tree(below_fd, made_fd)
        finally:
            os.close(below_fd)
            os.close(made_fd)
    elif stat.S_ISREG(info.st_mode):
        _copy_file(source_fd, target_fd, name)
    elif stat.S_ISFIFO(info.st_mode):
        os.mkfifo(name, stat.S_IMODE(info.st_mode), dir_fd=target_fd)


def _copy_file(source_fd: int, target_fd: int, name: str) -> None:
    read_fd = open_entry(source_fd, name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        info = os.fstat(read_fd)
        if not stat.S_ISREG(info.st_mode):
            return  # exchanged meanwhile for something that is no file
        write_fd = open_entry(target_fd, name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            while part := os.read(read_fd, _CHUNK_BYTES):
                while part:
                    part = part[os.write(write_fd, part) :]
            _copy_attributes(info, write_fd)
        finally:
            os.close(write_fd)
    finally:
        os.close(read_fd)


def _copy_attributes(info: os.stat_result, fd: int) -> None:
    """The owner first: a change of it takes set-id bits away."""
    os.fchown(fd, info.st_uid, info.st_gid)
    os.fchmod(fd, stat.S_IMODE(info.st_mode))
    os.utime(fd, ns=(info.st_atime_ns, info.st_mtime_ns))
