"""Containers and execs of a scope: each call resolves its container in scope first, then asks the engine by full id."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from hakobu.api.scope import reach
from hakobu.api.scope.creation import confined, confined_additions
from hakobu.api.scope.failure import NameTaken, NotGranted
from hakobu.api.scope.scope import Scope, both
from hakobu.engine.failures import NameInUse, NoSuchContainer
from hakobu.engine.images import named
from hakobu.engine.services import (
    Archive,
    Change,
    ContainerSize,
    CreatedContainer,
    Edit,
    Exec,
    ExecSpec,
    Filters,
    ListedContainer,
    LogQuery,
    PathStat,
    Stats,
    Waiting,
)
from hakobu.spec.container import Container, ContainerSpec, Limits, RestartPolicy
from hakobu.spec.plan import Attachment, Plan
from hakobu.spec.step import Json
from hakobu.spec.upload import Upload


class ScopedContainers:
    """Implements `services.Containers`."""

    def __init__(self, scope: Scope) -> None:
        self._scope, self._whole = scope, scope.whole.containers

    def _id(self, ref: str) -> str:
        return self._scope.container(ref).id

    async def create(self, spec: ContainerSpec, name: str = "", platform: str = "") -> CreatedContainer:
        made = confined(spec, self._scope, platform)
        try:
            created = await self._whole.create(made, name, platform)
        except NameInUse:
            raise NameTaken("container", name) from None
        try:
            self._prove(created.id)
        except NotGranted:
            await self._whole.remove(created.id, volumes=True)
            raise
        return created

    def _prove(self, container_id: str) -> None:
        """Looks again at the volumes it got: between the first look and this one another may have made them."""
        for mount in self._whole.get(container_id).mounts:
            if mount.volume and not self._may_mount(mount.volume):
                raise NotGranted(self._scope.policy.name, f"the volume {mount.volume}", "a volume in scope")

    def _may_mount(self, name: str) -> bool:
        volume = self._scope.whole.volumes.get(name)
        return volume.anonymous or self._scope.has_volume(volume)

    async def start(self, ref: str) -> None:
        await self._whole.start(self._id(ref))

    async def stop(self, ref: str, timeout_s: int | None = None, signal: str = "") -> None:
        await self._whole.stop(self._id(ref), timeout_s, signal)

    async def restart(self, ref: str, timeout_s: int | None = None, signal: str = "") -> None:
        await self._whole.restart(self._id(ref), timeout_s, signal)

    async def kill(self, ref: str, signal: str = "SIGKILL") -> None:
        await self._whole.kill(self._id(ref), signal)

    async def pause(self, ref: str) -> None:
        await self._whole.pause(self._id(ref))

    async def unpause(self, ref: str) -> None:
        await self._whole.unpause(self._id(ref))

    async def rename(self, ref: str, name: str) -> None:
        try:
            await self._whole.rename(self._id(ref), name)
        except NameInUse:
            raise NameTaken("container", name) from None

    async def set_aside(self, ref: str, aside: bool) -> None:
        await self._whole.set_aside(self._id(ref), aside)

    async def remove(self, ref: str, *, force: bool = False, volumes: bool = False, link: bool = False) -> None:
        if link:
            raise NotGranted(self._scope.policy.name, "Links", "the engine's own socket")
        await self._whole.remove(self._id(ref), force=force, volumes=volumes)

    async def wait(self, ref: str, condition: Literal["not-running", "next-exit", "removed"]) -> Waiting:
        return await self._whole.wait(self._id(ref), condition)

    def get(self, ref: str) -> Container:
        return self._scope.container(ref)

    async def list(
        self, *, all: bool = False, limit: int = -1, size: bool = False, filters: Filters | None = None
    ) -> Sequence[ListedContainer]:
        chosen = self._resolved(filters or {})
        everything = all or limit > 0
        listed = await self._whole.list(all=everything, size=False, filters=chosen)
        own = [item for item in listed if self._scope.has_container(item.container)]
        shown = own[:limit] if limit > 0 else own
        return [replace(item, linked_as=(), size=await self._size(item) if size else None) for item in shown]

    async def _size(self, item: ListedContainer) -> ContainerSize | None:
        try:
            return await self._whole.size(item.container.id)
        except NoSuchContainer:
            return None

    def _resolved(self, filters: Filters) -> Filters:
        """What a filter names must be in scope as well, or its answer would tell whether it exists, and since when."""
        by_container = {key: tuple(map(self._id, filters[key])) for key in ("before", "since") if key in filters}
        return {**filters, **by_container}

    async def size(self, ref: str) -> ContainerSize:
        return await self._whole.size(self._id(ref))

    def layer_paths(self, ref: str) -> Mapping[str, str]:
        return self._whole.layer_paths(self._id(ref))

    async def top(self, ref: str, ps_args: str = "") -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
        return await self._whole.top(self._id(ref), ps_args)

    def logs(self, ref: str, query: LogQuery) -> AsyncIterator[bytes]:
        return self._whole.logs(self._id(ref), query)

    def stats(self, ref: str, *, stream: bool, one_shot: bool) -> AsyncIterator[tuple[Stats | None, Stats]]:
        return self._whole.stats(self._id(ref), stream=stream, one_shot=one_shot)

    async def attach(self, ref: str, attachment: Attachment) -> None:
        await self._whole.attach(self._id(ref), attachment)

    async def resize(self, ref: str, rows: int, columns: int) -> None:
        await self._whole.resize(self._id(ref), rows, columns)

    async def update(self, ref: str, limits: Limits, restart: RestartPolicy | None) -> tuple[str, ...]:
        self._scope.grant(reach.missing(self._scope.policy, reach.of_limits(limits)))
        return await self._whole.update(self._id(ref), limits, restart)

    async def edit(self, ref: str, edit: Edit) -> tuple[str, ...]:
        container = self._scope.container(ref)
        self._scope.keeps_labels(edit.labels_removed, edit.labels)
        mounts = confined_additions(edit, self._scope)
        told = await self._whole.edit(container.id, replace(edit, mounts=mounts))
        try:
            self._prove(container.id)
        except NotGranted:
            await self._whole.edit(container.id, Edit(mounts_removed=tuple(mount.target for mount in mounts)))
            raise
        return told

    async def clear_logs(self, ref: str) -> int:
        return await self._whole.clear_logs(self._id(ref))

    async def changes(self, ref: str) -> Sequence[Change]:
        return await self._whole.changes(self._id(ref))

    async def export(self, ref: str) -> Archive:
        return await self._whole.export(self._id(ref))

    async def stat_path(self, ref: str, path: str) -> PathStat:
        return await self._whole.stat_path(self._id(ref), path)

    async def copy_out(self, ref: str, path: str) -> Archive:
        return await self._whole.copy_out(self._id(ref), path)

    async def copy_in(
        self, ref: str, path: str, upload: Upload, *, no_overwrite_dir_non_dir: bool = False, copy_owner: bool = False
    ) -> None:
        options = {"no_overwrite_dir_non_dir": no_overwrite_dir_non_dir, "copy_owner": copy_owner}
        await self._whole.copy_in(self._id(ref), path, upload, **options)

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
        if repository:
            self._scope.image_name(named(repository, tag).familiar)
        return await self._whole.commit(
            self._id(ref),
            repository=repository,
            tag=tag,
            comment=comment,
            author=author,
            pause=pause,
            changes=changes,
            config=config,
        )

    async def prune(
        self, filters: Filters | None = None, *, among: Callable[[Container], bool] | None = None
    ) -> tuple[tuple[str, ...], int]:
        return await self._whole.prune(filters, among=both(self._scope.has_container, among))

    async def plan(self, ref: str) -> Mapping[str, Json]:
        return await self._whole.plan(self._id(ref))

    async def plan_for(self, spec: ContainerSpec) -> Plan:
        return await self._whole.plan_for(confined(spec, self._scope, ""))


class ScopedExecs:
    """Implements `services.Execs`."""

    def __init__(self, scope: Scope) -> None:
        self._scope, self._whole = scope, scope.whole.execs

    async def create(self, ref: str, spec: ExecSpec) -> str:
        container = self._scope.container(ref)
        self._check(spec)
        return await self._whole.create(container.id, spec)

    def _check(self, spec: ExecSpec) -> None:
        if spec.privileged and "privileged" not in self._scope.policy.features:
            raise NotGranted(self._scope.policy.name, "Privileged", "privileged")

    async def start(self, exec_id: str, attachment: Attachment | None, *, tty: bool, rows: int, columns: int) -> None:
        await self._whole.start(self._scope.exec(exec_id).id, attachment, tty=tty, rows=rows, columns=columns)

    async def resize(self, exec_id: str, rows: int, columns: int) -> None:
        await self._whole.resize(self._scope.exec(exec_id).id, rows, columns)

    def get(self, exec_id: str) -> Exec:
        return self._scope.exec(exec_id)

    async def plan_for(self, ref: str, spec: ExecSpec) -> Plan:
        container = self._scope.container(ref)
        self._check(spec)
        return await self._whole.plan_for(container.id, spec)
