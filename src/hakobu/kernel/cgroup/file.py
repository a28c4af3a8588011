"""Reading and writing the small files of a cgroup directory."""

import errno
import os
import re
import select
import time
from collections.abc import Callable, Iterable
from typing import Final

from hakobu.kernel.cgroup.interface import MissingController

_RETRY_S: Final = 5.0


def write(directory: str, name: str, value: str) -> None:
    """One write. A file that is not there means that its controller is not."""
    path = f"{directory}/{name}"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        if os.path.isdir(directory):
            raise MissingController(name.partition(".")[0], name, directory) from error
        raise
    try:
        os.write(fd, value.encode())
    except OSError as error:
        number = error.errno or errno.EIO
        raise OSError(number, f"cgroup: {name} = {value!r}: {os.strerror(number)}", path) from error
    finally:
        os.close(fd)


def read(directory: str, name: str, default: str = "") -> str:
    """The content, or the default where the file is not there (or the device has nothing to say)."""
    try:
        fd = os.open(f"{directory}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return default
    try:
        parts: list[bytes] = []
        while part := os.read(fd, 65536):
            parts.append(part)
        return b"".join(parts).decode("ascii", "replace")
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.ENODEV):
            return default
        raise
    finally:
        os.close(fd)


def number(text: str, default: int = 0) -> int:
    """A counter; `max` is -1."""
    text = text.strip()
    if text == "max":
        return -1
    return int(text) if text.isdecimal() else default


def pairs(text: str) -> dict[str, int]:
    """Lines of `name value`."""
    found: dict[str, int] = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if value.isdecimal():
            found[name] = int(value)
    return found


def has(directory: str, name: str) -> bool:
    return os.path.exists(f"{directory}/{name}")


def knows(directory: str, name: str) -> bool:
    """Whether a cgroup has this file, or would have it: one that does not exist is asked for in its parent."""
    while not os.path.isdir(directory) and directory != "/":
        directory = os.path.dirname(directory)
    return has(directory, name)


def write_all(settings: Iterable[tuple[str, str]]) -> None:
    """(file, value) in order; each as `write` does it."""
    for path, value in settings:
        directory, _, name = path.rpartition("/")
        write(directory, name, value)


def wait_until(condition: Callable[[], bool], what: str, path: str, poll_fd: int = -1) -> None:
    """Until the condition holds, at most five seconds: a machine may stall. `poll_fd` tells of changes (POLLPRI)."""
    deadline = time.monotonic() + _RETRY_S
    delay = 0.0005
    poll = select.poll()
    if poll_fd >= 0:
        poll.register(poll_fd, select.POLLPRI)
    while not condition():
        if time.monotonic() > deadline:
            raise OSError(errno.EBUSY, f"cgroup: {what}: {os.strerror(errno.EBUSY)}", path)
        poll.poll(delay * 1000)
        delay = min(delay * 2, 0.02)


_PATH: Final = re.compile(r"(/[^/\0\n]{1,255})+")


def clean_path(path: str) -> str:
    """A cgroup's path; it begins with a slash and has no `.` or `..`, or it is refused."""
    if not _PATH.fullmatch(path) or any(part in (".", "..") for part in path.split("/")):
        raise OSError(errno.EINVAL, "cgroup: not a path of a cgroup", path)
    return path


def remove_tree(directory: str) -> None:
    """rmdir from the leaves up. Processes that have just been killed may still be leaving: EBUSY is retried."""
    try:
        names = [entry.name for entry in os.scandir(directory) if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return
    for name in names:
        remove_tree(f"{directory}/{name}")

    def gone() -> bool:
        try:
            os.rmdir(directory)
        except FileNotFoundError:
            return True
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            return False
        return True

    wait_until(gone, "rmdir", directory)


def walk(directory: str) -> list[str]:
    """A cgroup's directory and all below it."""
    found = [directory]
    try:
        with os.scandir(directory) as entries:
            below = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    for path in below:
        found += walk(path)
    return found


def processes(directory: str) -> list[int]:
    """The pids of a cgroup and of those below it."""
    found: list[int] = []
    for path in walk(directory):
        try:
            found += [int(pid) for pid in read(path, "cgroup.procs").split()]
        except OSError as error:
            if error.errno != errno.ENODEV:  # removed meanwhile
                raise
    return found


def join(fds: list[int]) -> None:
    """Moves the caller, which must have one thread, into the cgroup whose `join_fds` these are."""
    for fd in fds:
        os.write(fd, b"0")
