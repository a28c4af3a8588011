"""User namespaces for idmapped mounts: made for their id maps, held by a descriptor, with nobody in them.

Called by a process that is in the host's pid namespace and may write id maps, before the clone.
"""

import os
import signal
from collections.abc import Mapping, Sequence
from typing import cast

from hakobu.kernel import process
from hakobu.spec.plan import Plan
from hakobu.spec.step import Json, Place

Lines = Sequence[Sequence[int]]


def open_idmaps(plan: Plan) -> dict[int, int]:
    """Descriptors by the index of the mount steps that ask for id maps; the caller closes them."""
    opened: dict[int, int] = {}
    for index, step in plan.at(Place.CHILD):
        maps = step.args.get("idmap")
        if isinstance(maps, dict):
            opened[index] = user_namespace(_lines(maps.get("uid")), _lines(maps.get("gid")))
    return opened


def _lines(value: Json) -> Lines:
    return cast("Lines", value) if isinstance(value, list) else ()


def user_namespace(uid: Lines, gid: Lines) -> int:
    """A descriptor of a new user namespace with these maps: (inside, outside, count) each."""
    ready_read, ready_write = os.pipe2(os.O_CLOEXEC)
    pid = os.fork()
    if pid == 0:
        try:
            process.set_parent_death_signal(signal.SIGKILL)
            process.unshare(process.CLONE_NEWUSER)
            os.write(ready_write, b"1")
            signal.pause()
        finally:
            os._exit(1)
    try:
        os.close(ready_write)
        if os.read(ready_read, 1) != b"1":
            raise OSError(1, "a user namespace for an idmapped mount could not be made")
        write_maps(pid, uid, gid)
        return os.open(f"/proc/{pid}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(ready_read)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def write_id_maps(args: Mapping[str, Json], pid: int) -> None:
    """The step `idmap.write`."""
    write_maps(pid, _lines(args.get("uid")), _lines(args.get("gid")))


def write_maps(pid: int, uid: Lines, gid: Lines) -> None:
    """As a process that holds the right to; one write a file, as the kernel wants it."""
    for kind, lines in (("uid", uid), ("gid", gid)):
        if not lines:
            continue
        content = "".join(f"{inside} {outside} {count}\n" for inside, outside, count in lines)
        fd = os.open(f"/proc/{pid}/{kind}_map", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, content.encode())
        finally:
            os.close(fd)
