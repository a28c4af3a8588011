"""`edit`: other variables, labels, ports and mounts for a container that does not run; its files stay.

The record is what the next start is planned from, so a changed record is all there is to it. What the image
brings (labels, volumes) comes from the image, and cannot be taken away here.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from hakobu.engine.announce import container_event
from hakobu.engine.creating import FindImage, image_config
from hakobu.engine.failures import WrongStatus
from hakobu.engine.merge import merge, merge_env
from hakobu.engine.ports import Roots
from hakobu.engine.records import Records
from hakobu.engine.services import Edit, Events
from hakobu.engine.validate import check_spec
from hakobu.errors import HakobuError, Kind
from hakobu.spec.container import Container, ContainerSpec, Mount, PortBinding, ResolvedMount, Status


class NothingToRemove(HakobuError):
    """A name that is to go and is not there, or is the image's: a misspelled one must not pass in silence."""

    kind = Kind.INVALID

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"no {what} {name} to remove: the container was given none (what comes from its image stays)")


@dataclass(frozen=True, slots=True)
class Editor:
    records: Records
    roots: Roots
    events: Events
    image: FindImage

    async def edit(self, ref: str, edit: Edit) -> tuple[str, ...]:
        """Takes effect with the next start. Returns warnings."""
        container = self.records.get(ref)
        async with self.records.lock(container.id):
            container = self.records.get(container.id)
            if container.state.status not in (Status.CREATED, Status.EXITED):
                raise WrongStatus(
                    f"cannot edit container {container.name}: it is {container.state.status.value}: stop it first"
                )
            config = image_config(self.image(container.image_id))
            spec = edited(container.spec, edit, _names_of(config.get("Env")))
            warnings = check_spec(spec, self.records)
            merged = merge(spec, config)
            mounts = await self._mounts(container, spec, edit)
            container = await self.records.change(
                container.id,
                spec=spec,
                env=merged.env,
                labels=merged.labels,
                exposed_ports=merged.exposed_ports,
                mounts=mounts,
            )
        container_event(self.events, container, "update")
        return warnings

    async def _mounts(self, container: Container, spec: ContainerSpec, edit: Edit) -> tuple[ResolvedMount, ...]:
        """Those that stay as they are, with their volumes, and the new ones."""
        if not edit.mounts and not edit.mounts_removed:
            return container.mounts
        alone = replace(container, spec=replace(spec, mounts=edit.mounts, volumes_from=()), volumes=())
        new = await self.roots.volumes(alone) if edit.mounts else ()
        gone = {*map(os.path.normpath, edit.mounts_removed), *(mount.target for mount in new)}
        return (*(mount for mount in container.mounts if mount.target not in gone), *new)


def edited(spec: ContainerSpec, edit: Edit, image_env: Sequence[str]) -> ContainerSpec:
    """The specification with the edit in it. Pure."""
    return replace(
        spec,
        env=_env(spec.env, edit, image_env),
        labels={**_without(spec.labels, edit.labels_removed), **edit.labels},
        exposed_ports=tuple(dict.fromkeys((*_kept_exposed(spec, edit), *edit.exposed_ports))),
        ports=_ports(spec, edit),
        mounts=_mounts_of(spec.mounts, edit),
    )


def _env(env: tuple[str, ...], edit: Edit, image_env: Sequence[str]) -> tuple[str, ...]:
    own = _names_of(env)
    for name in edit.env_removed:
        if name not in own and name not in image_env:
            raise NothingToRemove("variable", name)
    kept = tuple(setting for setting in env if setting.partition("=")[0] not in edit.env_removed)
    # A name alone takes the image's variable away.
    hidden = tuple(name for name in edit.env_removed if name in image_env)
    return merge_env((*kept, *hidden), edit.env)


def _without(labels: Mapping[str, str], removed: Sequence[str]) -> dict[str, str]:
    for name in removed:
        if name not in labels:
            raise NothingToRemove("label", name)
    return {name: value for name, value in labels.items() if name not in removed}


def _port_name(port: int, protocol: str) -> str:
    return f"{port}/{protocol}"


def _ports(spec: ContainerSpec, edit: Edit) -> tuple[PortBinding, ...]:
    """Publishing a port anew replaces how it was published."""
    have = {_port_name(binding.container_port, binding.protocol) for binding in spec.ports}
    for name in edit.ports_removed:
        if name not in have:
            raise NothingToRemove("published port", name)
    gone = {*edit.ports_removed, *(_port_name(binding.container_port, binding.protocol) for binding in edit.ports)}
    kept = (b for b in spec.ports if _port_name(b.container_port, b.protocol) not in gone)
    return (*kept, *edit.ports)


def _kept_exposed(spec: ContainerSpec, edit: Edit) -> tuple[str, ...]:
    return tuple(port for port in spec.exposed_ports if port not in edit.ports_removed)


def _mounts_of(mounts: tuple[Mount, ...], edit: Edit) -> tuple[Mount, ...]:
    have = {os.path.normpath(mount.target) for mount in mounts}
    for target in edit.mounts_removed:
        if os.path.normpath(target) not in have:
            raise NothingToRemove("mount", target)
    gone = {os.path.normpath(target) for target in (*edit.mounts_removed, *(mount.target for mount in edit.mounts))}
    return (*(mount for mount in mounts if os.path.normpath(mount.target) not in gone), *edit.mounts)


def _names_of(settings: object) -> tuple[str, ...]:
    if not isinstance(settings, (list, tuple)):
        return ()
    items = cast("Sequence[object]", settings)
    return tuple(str(item).partition("=")[0] for item in items)
