"""Plans, and the protocol of whatever can carry one out.

A plan is the whole of a start (or an exec) as data: computed by pure code from an OCI runtime configuration,
a root file system and the endpoints, executed by the places its steps name. `runtime/` is the first body
of the `Runtime` protocol (a shim and a child for each container); a microVM will be the second.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Literal, Protocol

from hakobu.spec.dataclass import dataclass
from hakobu.spec.step import Json, Place, Step, StepResult


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in the order in which they are told; a place runs its own in this order, places run side by side."""

    container_id: str
    steps: tuple[Step, ...]

    def at(self, place: Place) -> tuple[tuple[int, Step], ...]:
        """The steps of one place, each with its index in the whole plan."""
        return tuple((i, s) for i, s in enumerate(self.steps) if s.place is place)


@dataclass(frozen=True, slots=True)
class LogTarget:
    """Where the shim writes what the container prints.

    `driver` is `json-file`, `local` or `none`; `path` the file on the host; `max_bytes` -1 for no rotation.
    """

    driver: Literal["json-file", "local", "none"]
    path: str
    max_bytes: int = -1
    max_files: int = 1
    compress: bool = False
    attributes: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Stdio:
    """How the shim holds a process's streams. `columns`/`rows` are the initial size of a terminal."""

    tty: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    columns: int = 0
    rows: int = 0
    log: LogTarget | None = None


@dataclass(frozen=True, slots=True)
class Attachment:
    """One client's connection, handed to the shim whole (`fd` is given away and closed by the callee).

    Framed by Docker's 8-byte headers unless the process has a terminal; `framed` says otherwise (a client may ask
    for frames of an exec that has one). `already_read` are bytes the client
    sent behind its request head. `detach_keys` are the raw bytes of the sequence, empty for none.
    `replay_log` first sends what the log holds, without a gap or a repetition to what follows.
    """

    fd: int
    stdin: bool
    stdout: bool
    stderr: bool
    stream: bool = True
    replay_log: bool = False
    already_read: bytes = b""
    detach_keys: bytes = b"\x10\x11"
    framed: bool | None = None


@dataclass(frozen=True, slots=True)
class ReservedPort:
    """A listening address the shim holds for the container's life, with the port the kernel gave."""

    protocol: str
    host_ip: str
    host_port: int
    container_port: int


@dataclass(frozen=True, slots=True)
class Created:
    """The container's init waits in its namespaces, everything set up, before its execve."""

    pid: int
    start_time_ticks: int
    shim_pid: int
    ports: tuple[ReservedPort, ...]
    results: tuple[StepResult, ...]


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended. `code` follows the shell: 128 + signal when a signal ended it."""

    code: int
    signal: int
    oom_killed: bool
    finished_ns: int


@dataclass(frozen=True, slots=True)
class RuntimeEvent:
    """What a shim reports unasked. `exec_id` is empty for the container's init.

    `exit` carries `exit`; `oom` that the kernel killed something in the cgroup; `detach` that a client
    typed its detach keys; `gone` that the shim's connection ended without an exit report.
    """

    kind: Literal["exit", "oom", "detach", "gone"]
    container_id: str
    exec_id: str = ""
    exit: Exit | None = None


@dataclass(frozen=True, slots=True)
class ExecRequest:
    """A further process in a running container: its plan (steps for the child), its streams, its id."""

    exec_id: str
    plan: Plan
    stdio: Stdio


class Runtime(Protocol):
    """What the engine asks of a body that runs containers; every call names the container by its 64-hex id.

    Failures are `HakobuError`s of the runtime's own: `CommandNotFound` (kind invalid, exit code 127),
    `CommandNotExecutable` (126), `PortInUse`, `MountFailed`, `NoShim` (the body is gone) and the like.
    """

    async def create(self, plan: Plan, stdio: Stdio, attachments: Sequence[Attachment] = ()) -> Created: ...

    async def start(self, container_id: str) -> tuple[StepResult, ...]:
        """Lets init call execve; returns when it has succeeded, raises when it failed (all is cleaned up)."""
        ...

    async def exec(self, container_id: str, request: ExecRequest, attachments: Sequence[Attachment] = ()) -> int:
        """Starts a process inside; returns its pid in the host's pid namespace."""
        ...

    def foresee_exec(self, container_id: str) -> None:
        """An exec in this container is likely in a moment: what can be made ahead of it is made. Never fails."""
        ...

    async def attach(self, container_id: str, exec_id: str, attachment: Attachment) -> None: ...

    async def signal(self, container_id: str, exec_id: str, signal: int) -> None: ...

    async def resize(self, container_id: str, exec_id: str, columns: int, rows: int) -> None: ...

    async def run_steps(
        self, container_id: str, steps: tuple[Step, ...], fds: Sequence[int] = ()
    ) -> Mapping[str, Json]:
        """Runs further SHIM and CHILD steps in the running container's namespaces (network connect, ports)."""
        ...

    async def root(self, container_id: str) -> int:
        """An O_PATH descriptor of the running container's root, mounts included; the caller closes it."""
        ...

    async def adopt(self, container_id: str) -> Created | Exit | None:
        """Finds the shim of an earlier daemon: running, ended meanwhile, or None when nothing is known."""
        ...

    async def acknowledge(self, container_id: str, exec_id: str) -> None:
        """The exit of an exec was recorded: its clients may see the end of their connections."""
        ...

    async def delete(self, container_id: str) -> None:
        """After the exit: lets go of what is left of the container at run time (cgroup, shim directory)."""
        ...

    def events(self) -> AsyncIterator[RuntimeEvent]: ...
