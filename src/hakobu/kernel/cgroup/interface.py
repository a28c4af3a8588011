"""What a control group can do, whichever layout is mounted, and what it tells.

Counters have the kernel's units turned into one: nanoseconds and bytes. -1 is "unlimited", and "not told" where a
value has no meaning on a layout.
"""

from collections.abc import Mapping
from typing import Protocol

from hakobu.kernel.cgroup.layout import Layout
from hakobu.kernel.cgroup.oom import OomWatch
from hakobu.spec.dataclass import dataclass, field
from hakobu.spec.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuStats:
    """Times in nanoseconds; a period is one of the bandwidth limit."""

    total_ns: int = 0
    user_ns: int = 0
    system_ns: int = 0
    per_cpu_ns: tuple[int, ...] = ()
    periods: int = 0
    throttled_periods: int = 0
    throttled_ns: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryStats:
    """`stat` is memory.stat as the kernel has it (its names differ between v1 and v2)."""

    usage: int = 0
    max_usage: int = -1
    limit: int = -1
    fail_count: int = 0
    swap: int = 0
    oom_kills: int = 0
    stat: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True)
class IoEntry:
    """One counter of one block device; `op` is read, write, sync, async, discard or total, in lower case."""

    major: int
    minor: int
    op: str
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """One look at a cgroup."""

    cpu: CpuStats = CpuStats()
    memory: MemoryStats = MemoryStats()
    pids: int = 0
    pids_limit: int = -1
    io_bytes: tuple[IoEntry, ...] = ()
    io_operations: tuple[IoEntry, ...] = ()


class MissingController(OSError):
    """A limit asks for a controller (or one of its files) that this machine does not have."""

    def __init__(self, controller: str, file: str, path: str) -> None:
        super().__init__(95, f"cgroup: controller {controller} is not available for {file}", path)
        self.controller = controller


class Cgroup(Protocol):
    """One control group in all hierarchies. Calls block for at most about a second and raise OSError."""

    @property
    def path(self) -> str: ...

    def exists(self) -> bool: ...

    def create(self, resources: Resources) -> None:
        """Makes the directories, enables controllers on the way down and sets the limits; there already is fine."""
        ...

    def apply(self, resources: Resources) -> None:
        """Sets limits; None leaves what is. `MissingController` where one cannot be set."""
        ...

    def limits(self, resources: Resources) -> list[tuple[str, str]]:
        """What `apply` writes, (file, value) in order, device rules aside. The cgroup need not exist yet."""
        ...

    def places(self, resources: Resources) -> list[str]:
        """The directories that `create` makes for a cgroup with these limits."""
        ...

    def joined_by(self, resources: Resources) -> list[str]:
        """The files into which a process writes itself to be moved: what `join_fds` opens."""
        ...

    def clone_fd(self) -> int:
        """An O_PATH descriptor for CLONE_INTO_CGROUP, -1 where there is no v2 hierarchy; the caller closes it."""
        ...

    def join_fds(self) -> list[int]:
        """Descriptors for `join` in the process that shall be moved; the caller closes them."""
        ...

    def add(self, pid: int) -> None:
        """Moves a process, all its threads, from outside; about 10 ms a hierarchy."""
        ...

    def directories(self) -> dict[str, str]:
        """Controllers' names (joined by commas, empty for v2) to directories: what to bind into a container."""
        ...

    def processes(self) -> list[int]: ...

    def kill(self) -> None:
        """SIGKILL to every process below, also of those that fork meanwhile and those that are frozen."""
        ...

    def freeze(self) -> None: ...

    def thaw(self) -> None: ...

    def is_frozen(self) -> bool: ...

    def stats(self) -> Stats: ...

    def oom_kills(self) -> int:
        """How many processes the kernel has killed here for want of memory; 0 without a memory controller."""
        ...

    def watch_oom(self) -> OomWatch: ...

    def delete(self) -> None:
        """Removes it and what is below; gone already is fine. OSError(EBUSY) if processes stay."""
        ...


class Tree(Protocol):
    @property
    def layout(self) -> Layout: ...

    def cgroup(self, path: str) -> Cgroup: ...

    def leave_inner_node(self, path: str, leaf: str) -> None:
        """Moves the processes of a delegated cgroup to `<path>/<leaf>`, so that controllers can be enabled there."""
        ...
