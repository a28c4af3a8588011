"""`update`: new limits and a new restart policy for a container, at once where it runs."""

import asyncio
from dataclasses import fields, replace

from hakobu.engine.announce import container_event
from hakobu.engine.failures import WrongStatus
from hakobu.engine.observing import CgroupOf
from hakobu.engine.oci import limits_to_resources
from hakobu.engine.records import Records
from hakobu.engine.services import Events
from hakobu.engine.validate import check_spec
from hakobu.errors import HakobuError, Invalid, Kind
from hakobu.spec.container import Container, Limits, RestartPolicy, Status


class UpdateFailed(HakobuError):
    kind = Kind.INVALID

    def __init__(self, container_id: str, error: OSError) -> None:
        super().__init__(f"Cannot update container {container_id}: {error.strerror or error}")


class Updater:
    def __init__(self, records: Records, events: Events, cgroup_of: CgroupOf) -> None:
        self._records, self._events, self._cgroup_of = records, events, cgroup_of

    async def update(self, ref: str, limits: Limits, restart: RestartPolicy | None) -> tuple[str, ...]:
        """What is zero, empty or None in `limits` stays as it was. Returns warnings."""
        container = self._records.get(ref)
        async with self._records.lock(container.id):
            container = self._records.get(container.id)
            if container.state.status in (Status.REMOVING, Status.DEAD):
                raise WrongStatus(f"Cannot update container {container.id}: it is marked for removal")
            _check_against(container.spec.limits, limits)
            merged = _merge(container.spec.limits, limits)
            spec = replace(container.spec, limits=merged, restart=restart or container.spec.restart)
            if spec.auto_remove and spec.restart.name != "no":
                raise Invalid("Restart policy cannot be updated because AutoRemove is enabled for the container")
            warnings = check_spec(spec, self._records)
            if container.state.status in (Status.RUNNING, Status.PAUSED):
                await self._apply(container, merged)
            container = await self._records.change(container.id, spec=spec)
        container_event(self._events, container, "update")
        return warnings

    async def _apply(self, container: Container, limits: Limits) -> None:
        try:
            await asyncio.to_thread(self._cgroup_of(container).apply, limits_to_resources(limits))
        except OSError as error:
            raise UpdateFailed(container.id, error) from error


def _merge(old: Limits, new: Limits) -> Limits:
    changed = {f.name: value for f in fields(Limits) if (value := getattr(new, f.name)) not in (None, 0, "", (), False)}
    return replace(old, **changed)


def _check_against(old: Limits, new: Limits) -> None:
    """What would contradict what is set already, in Docker's words for it."""
    for name, was, other in (
        ("CPU Period", new.cpu_period_us and old.nano_cpus, "NanoCPUs"),
        ("CPU Quota", new.cpu_quota_us and old.nano_cpus, "NanoCPUs"),
        ("Nano CPUs", new.nano_cpus and old.cpu_period_us, "CPU Period"),
        ("Nano CPUs", new.nano_cpus and old.cpu_quota_us, "CPU Quota"),
    ):
        if was:
            raise Invalid(f"Conflicting options: {name} cannot be updated as {other} has already been set", field=name)
    if new.memory_bytes and not new.memory_swap_bytes and 0 < old.memory_swap_bytes < new.memory_bytes:
        raise Invalid(
            "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
            field="Memory",
        )
