"""What a shim leaves on disk: `state` at the start, `exit` before it reports an end. Written whole or not at all."""

import json
import os
from functools import cache
from typing import cast

from hakobu.kernel import process
from hakobu.spec.step import Json

STATE = "state"
EXIT = "exit"
SOCKET = "s"


def write(dir_fd: int, name: str, facts: dict[str, Json]) -> None:
    """Temporary file and rename, and no sync: a machine that loses power loses what these files speak of, too.

    Whoever is told of an end (the daemon's database) makes it durable.
    """
    temporary = f".{name}.new"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600, dir_fd=dir_fd)
    try:
        os.write(fd, json.dumps(facts).encode())
    finally:
        os.close(fd)
    os.rename(temporary, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)


def read(dir_fd: int, name: str) -> dict[str, Json] | None:
    """None when there is none, or it is not what a shim writes."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=dir_fd)
    except FileNotFoundError:
        return None
    try:
        told = json.loads(os.read(fd, 1 << 20))
    except ValueError:
        return None
    finally:
        os.close(fd)
    return cast("dict[str, Json]", told) if isinstance(told, dict) else None


@cache
def boot_id() -> str:
    """Read once by the launcher, for all its forks."""
    return process.read_proc("/proc/sys/kernel/random/boot_id").decode().strip()
