"""`top`: the host's ps, restricted to the processes of a container's cgroup."""

import asyncio
import os
import shutil
from collections.abc import Sequence

from hakobu.errors import HakobuError, Invalid, Kind

Table = tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]


class NoPs(HakobuError):
    kind = Kind.UNAVAILABLE

    def __init__(self) -> None:
        super().__init__("ps is not installed on the host", hint="install procps")


async def top(pids: frozenset[int], ps_args: str) -> Table:
    """Titles and rows; the arguments are ps's own and must leave the PID column in."""
    if any(c in ps_args for c in "`$;|&<>\n\0"):
        raise Invalid(f"ps arguments are not acceptable: {ps_args}", field="ps_args")
    output = await asyncio.to_thread(_ps, (ps_args or "-ef").split())
    return parse(output, pids)


def parse(output: str, pids: frozenset[int]) -> Table:
    lines = output.splitlines()
    if not lines:
        raise Invalid("ps printed nothing", field="ps_args")
    titles = tuple(lines[0].split())
    if "PID" not in titles:
        raise Invalid("Couldn't find PID field in ps output", field="ps_args")
    at, last = titles.index("PID"), len(titles) - 1
    rows = (tuple(line.split(None, last)) for line in lines[1:])
    chosen = tuple(r for r in rows if len(r) > at and r[at].isdigit() and int(r[at]) in pids)
    return titles, chosen


def _ps(arguments: Sequence[str]) -> str:
    path = shutil.which("ps", path="/usr/bin:/bin")
    if path is None:
        raise NoPs
    read_fd, write_fd = os.pipe()
    actions = [(os.POSIX_SPAWN_DUP2, write_fd, 1), (os.POSIX_SPAWN_DUP2, write_fd, 2)]
    try:
        pid = os.posix_spawn(path, ["ps", *arguments], {"LC_ALL": "C"}, file_actions=actions)
    finally:
        os.close(write_fd)
    with open(read_fd, encoding="utf-8", errors="replace") as pipe:
        output = pipe.read()
    _, status = os.waitpid(pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise Invalid(f"error running ps: {output.strip().splitlines()[0] if output.strip() else status}")
    return output
