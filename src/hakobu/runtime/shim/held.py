"""What a shim holds of its container while nothing happens: one value, and the descriptors it names.

A server that goes to rest leaves it to the next one, by way of the shim, which does not read it (`turn.py`). It is
JSON then, in which each descriptor is its place among those that travel beside it.
"""

import json
from collections.abc import Mapping, Sequence
from typing import cast

from hakobu.runtime.message import Message, stdio_from_json, stdio_to_json
from hakobu.spec.dataclass import dataclass, field
from hakobu.spec.plan import Stdio
from hakobu.spec.step import Json


@dataclass(frozen=True, slots=True)
class HeldPorts:
    """Bound sockets with the arguments of their step, and what the daemon was told of them."""

    fds: tuple[int, ...] = ()
    steps: tuple[Json, ...] = ()
    reserved: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class OomCount:
    """The kernel's word of kills for want of memory: `fd` (-1: none) wakes, `seen` of them are known."""

    fd: int = -1
    seen: int = 0
    kills: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """A descriptor of -1 is none. `unfinished` are last lines without their end, by stream; `outputs` maps to names."""

    container_id: str
    pid: int
    start_time_ticks: int
    stdio: Stdio
    cgroup: str
    pidfd: int
    dir_fd: int
    listener_fd: int
    daemon_fds: tuple[int, ...]
    outputs: Mapping[int, str] = field(default_factory=dict[int, str])
    input_fd: int = -1
    master_fd: int = -1
    log_fd: int = -1
    unfinished: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    ports: HeldPorts = HeldPorts()
    oom: OomCount = OomCount()
    kept_fds: tuple[int, ...] = ()

    def to_bytes(self) -> tuple[bytes, list[int], int]:
        """With the descriptors that travel beside it, and at how many of them something can happen, the first ones."""
        watched = (self.pidfd, self.listener_fd, *self.daemon_fds, *self.outputs, *self.ports.fds, self.oom.fd)
        others = (self.dir_fd, self.input_fd, self.master_fd, self.log_fd, *self.kept_fds)
        fds = [fd for fd in dict.fromkeys((*watched, *others)) if fd >= 0]
        place = {fd: number for number, fd in enumerate(fds)} | {-1: -1}
        count = len({fd for fd in watched if fd >= 0})
        told: Message = {
            "container_id": self.container_id,
            "pid": self.pid,
            "start_time_ticks": self.start_time_ticks,
            "stdio": stdio_to_json(self.stdio),
            "cgroup": self.cgroup,
            "one": [place[fd] for fd in self._single()],
            "daemons": [place[fd] for fd in self.daemon_fds],
            "outputs": [[place[fd], name] for fd, name in self.outputs.items()],
            "unfinished": {name: rest.decode("latin-1") for name, rest in self.unfinished.items()},
            "ports": [place[fd] for fd in self.ports.fds],
            "port_steps": list(self.ports.steps),
            "reserved": list(self.ports.reserved),
            "oom": [self.oom.seen, self.oom.kills],
            "kept": [place[fd] for fd in self.kept_fds],
        }
        return json.dumps(told, separators=(",", ":")).encode(), fds, count

    def _single(self) -> tuple[int, ...]:
        return (
            self.pidfd, self.dir_fd, self.listener_fd, self.input_fd, self.master_fd, self.log_fd, self.oom.fd,
        )  # fmt: skip


def from_bytes(body: bytes, fds: Sequence[int]) -> Held:
    told = cast("Message", json.loads(body))
    at = (*fds, -1)

    def taken(key: str) -> tuple[int, ...]:
        return tuple(at[number] for number in cast("list[int]", told[key]))

    pidfd, dir_fd, listener_fd, input_fd, master_fd, log_fd, oom_fd = taken("one")
    seen, kills = cast("list[int]", told["oom"])
    outputs = cast("list[tuple[int, str]]", told["outputs"])
    unfinished = cast("dict[str, str]", told["unfinished"])
    steps, reserved = cast("list[Json]", told["port_steps"]), cast("list[Message]", told["reserved"])
    return Held(
        container_id=cast("str", told["container_id"]),
        pid=cast("int", told["pid"]),
        start_time_ticks=cast("int", told["start_time_ticks"]),
        stdio=stdio_from_json(told["stdio"]),
        cgroup=cast("str", told["cgroup"]),
        pidfd=pidfd,
        dir_fd=dir_fd,
        listener_fd=listener_fd,
        daemon_fds=taken("daemons"),
        outputs={at[number]: name for number, name in outputs},
        input_fd=input_fd,
        master_fd=master_fd,
        log_fd=log_fd,
        unfinished={name: rest.encode("latin-1") for name, rest in unfinished.items()},
        ports=HeldPorts(taken("ports"), tuple(steps), tuple(reserved)),
        oom=OomCount(oom_fd, seen, kills),
        kept_fds=taken("kept"),
    )
