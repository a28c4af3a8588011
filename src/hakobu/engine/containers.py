"""The containers a door sees: each call goes to the operation that knows how.

No logic of its own beyond choosing the operation; what an operation needs it was given by the composition
root.
"""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from hakobu.engine import links, listing, logs, pausing
from hakobu.engine.announce import container_event
from hakobu.engine.commit import Committer
from hakobu.engine.copying import Copier
from hakobu.engine.creating import Creator
from hakobu.engine.editing import Editor
from hakobu.engine.execs import ExecService
from hakobu.engine.failures import NotRunning
from hakobu.engine.lifecycle import Op, require
from hakobu.engine.logs import drivers
from hakobu.engine.logs.files import clear
from hakobu.engine.observing import CannotPause, Observer
from hakobu.engine.ports import Foresee, Freezer, Net
from hakobu.engine.records import Records, check_name
from hakobu.engine.removing import Remover
from hakobu.engine.services import (
    Archive,
    Change,
    ContainerSize,
    CreatedContainer,
    Edit,
    Events,
    Filters,
    ListedContainer,
    LogQuery,
    PathStat,
    Stats,
)
from hakobu.engine.starting import Gates, Pending, Starter
from hakobu.engine.stopping import Stopper
from hakobu.engine.traces import Traces
from hakobu.engine.updating import Updater
from hakobu.engine.waiting import Wait, Waiters
from hakobu.errors import HakobuError, Invalid, Kind
from hakobu.spec.container import Container, ContainerSpec, Limits, RestartPolicy, Status
from hakobu.spec.plan import Attachment, Plan, Runtime
from hakobu.spec.step import Json
from hakobu.spec.upload import Upload


class LogsNotReadable(HakobuError):
    kind = Kind.NOT_IMPLEMENTED

    def __init__(self, driver: str) -> None:
        super().__init__("configured logging driver does not support reading")
        self.driver = driver


class LogsNotClearable(HakobuError):
    kind = Kind.INVALID

    def __init__(self, driver: str) -> None:
        super().__init__(f"logs of the driver {driver} are not the engine's to clear")
        self.driver = driver


@dataclass(frozen=True, slots=True)
class ContainerService:
    """Implements `services.Containers`."""

    records: Records
    creator: Creator
    starter: Starter
    stopper: Stopper
    remover: Remover
    copier: Copier
    committer: Committer
    observer: Observer
    updater: Updater
    editor: Editor
    execs: ExecService
    waiters: Waiters
    runtime: Runtime
    freezer: Freezer
    net: Net
    events: Events
    pending: Pending
    traces: Traces
    gates: Gates
    foresee: Foresee
    ancestors: listing.Ancestors

    async def create(self, spec: ContainerSpec, name: str = "", platform: str = "") -> CreatedContainer:
        return await self.creator.create(spec, name, platform)

    async def start(self, ref: str) -> None:
        await self.starter.start(ref)

    async def stop(self, ref: str, timeout_s: int | None = None, signal: str = "") -> None:
        await self.stopper.stop(ref, timeout_s, signal)

    async def restart(self, ref: str, timeout_s: int | None = None, signal: str = "") -> None:
        container = self.records.get(ref)
        if container.state.status is Status.RESTARTING:
            await self.stopper.abandon_restart(container)
        async with self.records.lock(container.id):
            current = self.records.get(container.id)
            if current.state.status in (Status.RUNNING, Status.PAUSED):
                await self.stopper.stop_locked(current, timeout_s, signal)
                container_event(self.events, current, "stop")
            container = await self.starter.start_locked(container.id)
        container_event(self.events, container, "restart")

    async def kill(self, ref: str, signal: str = "SIGKILL") -> None:
        await self.stopper.kill(ref, signal)

    async def pause(self, ref: str) -> None:
        await pausing.pause(ref, self.records, self.freezer, self.events)

    async def unpause(self, ref: str) -> None:
        await pausing.unpause(ref, self.records, self.freezer, self.events)

    async def rename(self, ref: str, name: str) -> None:
        if not name.removeprefix("/"):
            raise Invalid("Neither old nor new names may be empty", field="name")
        container = self.records.get(ref)
        async with self.records.lock(container.id):
            require(Op.RENAME, container)
            new = check_name(name)
            if new == container.name:
                raise Invalid("Renaming a container with the same name as its current name", field="name")
            renamed = await self.records.rename(container.id, new)
        await self.net.renamed(renamed)
        container_event(self.events, renamed, "rename", oldName=f"/{container.name}")

    async def set_aside(self, ref: str, aside: bool) -> None:
        await self.net.set_aside(self.records.get(ref), aside)

    async def remove(self, ref: str, *, force: bool = False, volumes: bool = False, link: bool = False) -> None:
        if link:
            await links.remove(ref, self.records)
            return
        await self.remover.remove(ref, force=force, volumes=volumes)

    async def wait(self, ref: str, condition: Literal["not-running", "next-exit", "removed"]) -> Wait:
        return self.waiters.arm(self.records.get(ref), condition)

    def get(self, ref: str) -> Container:
        container = self.records.get(ref)
        return replace(container, exec_ids=self.execs.of_container(container.id))

    async def list(
        self, *, all: bool = False, limit: int = -1, size: bool = False, filters: Filters | None = None
    ) -> Sequence[ListedContainer]:
        chosen = listing.select(self.records, all=all, limit=limit, filters=filters or {}, ancestors=self.ancestors)
        linked = links.names(self.records)
        return [ListedContainer(c, await self.copier.size(c) if size else None, linked.get(c.id, ())) for c in chosen]

    async def size(self, ref: str) -> ContainerSize:
        return await self.copier.size(self.records.get(ref))

    def layer_paths(self, ref: str) -> Mapping[str, str]:
        return self.copier.layer_paths(self.records.get(ref))

    async def top(self, ref: str, ps_args: str = "") -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        container = self.records.get(ref)
        require(Op.TOP, container)
        table = await self.observer.top(container, ps_args)
        container_event(self.events, container, "top")
        return table

    async def clear_logs(self, ref: str) -> int:
        """Forgets what was printed; gives the freed bytes. Whoever follows goes on with what is printed next."""
        container = self.records.get(ref)
        if container.spec.log.driver not in ("", "json-file", "local"):
            raise LogsNotClearable(container.spec.log.driver)
        async with self.records.lock(container.id):
            return await asyncio.to_thread(clear, container.log_path)

    async def logs(self, ref: str, query: LogQuery) -> AsyncIterator[bytes]:
        container = self.records.get(ref)
        if not drivers.is_readable(container.spec.log):
            raise LogsNotReadable(container.spec.log.driver)
        if not query.stdout and not query.stderr:
            raise Invalid("You must choose at least one stream", field="stdout")
        if not os.path.exists(container.log_path) and not query.follow:
            return

        def ended() -> bool:
            now = self.records.by_id(container.id)
            return now is None or now.state.status not in (Status.RUNNING, Status.PAUSED, Status.RESTARTING)

        async for chunk in logs.stream(container.log_path, query, not container.spec.tty, ended):
            yield chunk

    def stats(self, ref: str, *, stream: bool, one_shot: bool) -> AsyncIterator[tuple[Stats | None, Stats]]:
        return self.observer.stats(self.records.get(ref).id, stream=stream, one_shot=one_shot)

    async def attach(self, ref: str, attachment: Attachment) -> None:
        container = self.records.get(ref)
        try:
            require(Op.ATTACH, container)
            container_event(self.events, container, "attach")
            async with self.gates.of(container.id):  # a start that is under way has taken what was pending
                await self._attach(self.records.get(container.id), attachment)
        except BaseException:
            os.close(attachment.fd)
            raise

    async def _attach(self, container: Container, attachment: Attachment) -> None:
        if container.state.status is Status.RUNNING:
            await self.runtime.attach(container.id, "", attachment)
        else:
            self.pending.add(container.id, attachment)

    async def resize(self, ref: str, rows: int, columns: int) -> None:
        container = self.records.get(ref)
        require(Op.RESIZE, container)
        await self.runtime.resize(container.id, "", columns, rows)
        container_event(self.events, container, "resize", height=str(rows), width=str(columns))

    async def update(self, ref: str, limits: Limits, restart: RestartPolicy | None) -> tuple[str, ...]:
        return await self.updater.update(ref, limits, restart)

    async def edit(self, ref: str, edit: Edit) -> tuple[str, ...]:
        return await self.editor.edit(ref, edit)

    async def changes(self, ref: str) -> Sequence[Change]:
        return await self.copier.changes(self.records.get(ref))

    async def export(self, ref: str) -> Archive:
        container = self.records.get(ref)
        archive = await self.copier.export(container)
        container_event(self.events, container, "export")
        return archive

    async def stat_path(self, ref: str, path: str) -> PathStat:
        return await self.copier.stat(self.records.get(ref), path)

    async def copy_out(self, ref: str, path: str) -> Archive:
        container = self.records.get(ref)
        archive = await self.copier.copy_out(container, path)
        container_event(self.events, container, "archive-path")
        return archive

    async def copy_in(
        self, ref: str, path: str, upload: Upload, *, no_overwrite_dir_non_dir: bool = False, copy_owner: bool = False
    ) -> None:
        container = self.records.get(ref)
        await self.copier.copy_in(
            container, path, upload, no_overwrite_dir_non_dir=no_overwrite_dir_non_dir, copy_owner=copy_owner
        )
        container_event(self.events, container, "extract-to-dir")

    async def commit(
        self,
        ref: str,
        *,
        repository: str = "",
        tag: str = "",
        comment: str = "",
        author: str = "",
        pause: bool = True,
        changes: Sequence[str] = (),
        config: ContainerSpec | None = None,
    ) -> str:
        container = self.records.get(ref)
        frozen = pause and container.state.status is Status.RUNNING
        if frozen:
            try:
                await self.freezer.freeze(container.id)
            except (NotRunning, CannotPause):
                frozen = False
        try:
            image_id = await self.committer.commit(
                container, repository=repository, tag=tag, comment=comment, author=author, changes=changes
            )
        finally:
            if frozen:
                await self.freezer.thaw(container.id)
        container_event(self.events, container, "commit", comment=comment, imageID=image_id)
        return image_id

    async def prune(
        self, filters: Filters | None = None, *, among: Callable[[Container], bool] | None = None
    ) -> tuple[tuple[str, ...], int]:
        chosen = filters or {}
        listing.check_filters(chosen, frozenset({"label", "label!", "until"}))
        removed, freed = list[str](), 0
        for container in tuple(self.records):
            if among is not None and not among(container):
                continue
            if container.state.status in (Status.CREATED, Status.EXITED, Status.DEAD) and listing.prunable(
                container.created_ns, container.labels, chosen
            ):
                freed += (await self.copier.size(container)).writable
                await self.remover.remove(container.id)
                removed.append(container.id)
        return tuple(removed), freed

    async def plan(self, ref: str) -> Mapping[str, Json]:
        container = self.records.get(ref)
        told = self.traces.of(container.id)
        if told is None:
            raise NoPlan(container.name)
        return told

    async def plan_for(self, spec: ContainerSpec) -> Plan:
        return self.foresee(self.creator.foresee(spec))


class NoPlan(HakobuError):
    kind = Kind.NOT_FOUND

    def __init__(self, name: str) -> None:
        super().__init__(
            f"nothing is recorded of a start of {name}", hint="start it again: the plan is kept while the daemon runs"
        )
