"""Looking at running containers: processes, statistics, and pausing, all through their cgroups."""

import asyncio
from collections.abc import AsyncIterator, Callable

from hakobu.engine import sampling, toplist
from hakobu.engine.clock import now_ns
from hakobu.engine.failures import NotRunning
from hakobu.engine.records import Records
from hakobu.engine.services import Stats
from hakobu.errors import HakobuError, Kind
from hakobu.kernel.cgroup import Cgroup, MissingController
from hakobu.kernel.procfs import processes_of_pid_namespace
from hakobu.spec.container import Container, Status

CgroupOf = Callable[[Container], Cgroup]
_WITHOUT_INTERFACES = ("host", "null")


class CannotPause(HakobuError):
    """There is no freezer for this container: its processes cannot be stopped all at once."""

    kind = Kind.UNAVAILABLE

    def __init__(self, container_id: str, reason: str) -> None:
        super().__init__(f"cannot pause container {container_id}: {reason}")


class CgroupFreezer:
    """`ports.Freezer` by the kernel's freezer."""

    def __init__(self, records: Records, cgroup_of: CgroupOf) -> None:
        self._records, self._cgroup_of = records, cgroup_of

    async def freeze(self, container_id: str) -> None:
        """A container that ends meanwhile leaves an empty cgroup, which the kernel never calls frozen."""
        cgroup = self._cgroup_of(self._records.get(container_id))
        try:
            await asyncio.to_thread(cgroup.freeze)
        except MissingController as error:
            raise CannotPause(container_id, error.strerror or str(error)) from error
        except OSError as error:
            await asyncio.to_thread(cgroup.thaw)
            if await asyncio.to_thread(cgroup.processes):
                raise HakobuError(f"cannot pause container {container_id}: {error.strerror}") from error
            raise NotRunning(container_id) from error

    async def thaw(self, container_id: str) -> None:
        await asyncio.to_thread(self._cgroup_of(self._records.get(container_id)).thaw)


class Observer:
    """Reads; changes nothing."""

    def __init__(self, records: Records, cgroup_of: CgroupOf) -> None:
        self._records, self._cgroup_of = records, cgroup_of

    async def top(self, container: Container, ps_args: str) -> toplist.Table:
        pids = await asyncio.to_thread(self._processes, container)
        return await toplist.top(frozenset(pids), ps_args)

    def _processes(self, container: Container) -> list[int]:
        """Its cgroup's; without a cgroup those of its pid namespace, which with `--pid host` is only its first."""
        cgroup = self._cgroup_of(container)
        if cgroup.exists():
            return cgroup.processes()
        return processes_of_pid_namespace(container.state.pid)

    def stats(self, container_id: str, *, stream: bool, one_shot: bool) -> AsyncIterator[tuple[Stats | None, Stats]]:
        """Ends when the container is removed; of one that does not run, zeros."""

        def sample() -> Stats | None:
            container = self._records.by_id(container_id)
            return None if container is None else self._sample(container)

        return sampling.stream(sample, stream=stream, one_shot=one_shot)

    def _sample(self, container: Container) -> Stats:
        running = container.state.status in (Status.RUNNING, Status.PAUSED)
        found = self._cgroup_of(container).stats() if running else None
        networks = sampling.network_counters(container.state.pid) if running and has_interfaces(container) else {}
        memory, cpu = (found.memory, found.cpu) if found else (None, None)
        limit = memory.limit if memory and memory.limit > 0 else sampling.host_memory_bytes()
        return Stats(
            time_ns=now_ns(),
            cpu_total_ns=cpu.total_ns if cpu else 0,
            cpu_user_ns=cpu.user_ns if cpu else 0,
            cpu_system_ns=cpu.system_ns if cpu else 0,
            cpu_per_cpu_ns=cpu.per_cpu_ns if cpu else (),
            system_cpu_ns=sampling.host_cpu_ns(),
            online_cpus=sampling.host_cpus(),
            throttled_periods=cpu.periods if cpu else 0,
            throttled_count=cpu.throttled_periods if cpu else 0,
            throttled_ns=cpu.throttled_ns if cpu else 0,
            memory_usage=memory.usage if memory else 0,
            memory_max=max(0, memory.max_usage) if memory else 0,
            memory_limit=min(limit, sampling.host_memory_bytes()) if running else 0,
            memory_details=dict(memory.stat) if memory else {},
            pids_current=found.pids if found else 0,
            pids_limit=max(0, found.pids_limit) if found else 0,
            networks=networks,
            blkio={
                "bytes": tuple((e.major, e.minor, e.op, e.value) for e in found.io_bytes),
                "operations": tuple((e.major, e.minor, e.op, e.value) for e in found.io_operations),
            }
            if found
            else {},
        )


def has_interfaces(container: Container) -> bool:
    """Whether it is on a network by interfaces of its own: those of the host are not its traffic."""
    return any(e.driver not in _WITHOUT_INTERFACES for e in container.endpoints)
