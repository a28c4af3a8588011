"""Devices by the Container Device Interface: what vendors' files on the host say a container needs for a device.

A file is YAML or JSON and describes the devices of one kind (`vendor.com/class`). A directory that stands later wins
for a device that is in several. What a device needs (nodes, mounts, variables, hooks) is put into the OCI
configuration; nothing of a vendor runs here. Specification: cncf-tags/container-device-interface, 0.3 to 1.0.
"""

import os
import re
import stat
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from hakobu.errors import HakobuError, Kind
from hakobu.spec.device_request import DeviceRequest
from hakobu.spec.resources import DeviceRule
from hakobu.spec.runtime_config import ConfigMount, DeviceNode, Hook, Hooks, RuntimeConfig

GPU_KIND: Final = "nvidia.com/gpu"
"""What `--gpus` means where a specification of it is there."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*=[A-Za-z0-9][A-Za-z0-9_.:-]*", re.ASCII)
_FILE_BYTES = 8 << 20


class CdiFailed(HakobuError):
    kind = Kind.INVALID

    def __init__(self, why: str) -> None:
        super().__init__(f"CDI device injection failed: {why}")


class NoDriver(HakobuError):
    kind = Kind.INVALID

    def __init__(self, request: DeviceRequest) -> None:
        wanted = " ".join(f"[{' '.join(group)}]" for group in request.capabilities)
        super().__init__(
            f'could not select device driver "{request.driver}" with capabilities: [{wanted}]',
            hint=f"put a CDI specification of {GPU_KIND} into a directory of --cdi-spec-dir",
        )


class _Node(msgspec.Struct, rename="camel"):
    path: str
    host_path: str = ""
    type: str = ""
    major: int = 0
    minor: int = 0
    file_mode: int | str | None = None
    permissions: str = "rwm"
    uid: int = 0
    gid: int = 0


class _Mount(msgspec.Struct, rename="camel"):
    host_path: str
    container_path: str
    type: str = ""
    options: list[str] = []


class _Hook(msgspec.Struct, rename="camel"):
    hook_name: str
    path: str
    args: list[str] = []
    env: list[str] = []
    timeout: int | None = None


class _Edits(msgspec.Struct, rename={"device_nodes": "deviceNodes", "additional_gids": "additionalGIDs"}):
    env: list[str] = []
    device_nodes: list[_Node] = []
    mounts: list[_Mount] = []
    hooks: list[_Hook] = []
    additional_gids: list[int] = []


class _Device(msgspec.Struct, rename="camel"):
    name: str
    container_edits: _Edits = msgspec.field(default_factory=_Edits)


class _Spec(msgspec.Struct, rename="camel"):
    cdi_version: str
    kind: str
    devices: list[_Device]
    container_edits: _Edits = msgspec.field(default_factory=_Edits)


@dataclass(frozen=True, slots=True)
class _Found:
    """A device, and what goes with any of its specification."""

    device: _Device
    spec: _Spec


class Devices:
    """What the directories say now; read for each start that asks."""

    def __init__(self, directories: Sequence[str]) -> None:
        self._found: dict[str, _Found] = {}
        self.broken: list[str] = []
        for directory in directories:
            for name in sorted(os.listdir(directory)) if os.path.isdir(directory) else ():
                if name.endswith((".json", ".yaml")):
                    self._add(f"{directory}/{name}")

    def _add(self, path: str) -> None:
        try:
            spec = _read(path)
        except (OSError, ValueError) as error:
            self.broken.append(f"{path}: {error}")
            return
        for device in spec.devices:
            self._found[f"{spec.kind}={device.name}"] = _Found(device, spec)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._found))

    def of_kind(self, kind: str) -> tuple[str, ...]:
        return tuple(name for name in self.names if name.startswith(f"{kind}="))

    def inject(self, config: RuntimeConfig, names: Iterable[str]) -> RuntimeConfig:
        """The configuration with all that these devices need; raises for one that no file describes."""
        wanted = tuple(dict.fromkeys(names))
        if unknown := [name for name in wanted if name not in self._found]:
            why = f" ({'; '.join(self.broken)})" if self.broken else ""
            raise CdiFailed(f"unresolvable CDI devices {', '.join(unknown)}{why}")
        specs: dict[int, _Spec] = {}
        for name in wanted:
            found = self._found[name]
            config = _apply(config, found.device.container_edits)
            specs[id(found.spec)] = found.spec
        for spec in specs.values():
            config = _apply(config, spec.container_edits)
        return config


def _read(path: str) -> _Spec:
    with open(path, "rb") as file:
        data = file.read(_FILE_BYTES)
    if path.endswith(".json"):
        return msgspec.json.decode(data, type=_Spec)
    return msgspec.yaml.decode(data, type=_Spec)


def chosen(requests: Iterable[DeviceRequest], devices: Devices) -> tuple[str, ...]:
    """The names that requests come to; raises where nothing here can honour one."""
    found: list[str] = []
    for request in requests:
        found += _names(request, devices)
    return tuple(found)


def _names(request: DeviceRequest, devices: Devices) -> Sequence[str]:
    if request.driver == "cdi":
        for name in request.device_ids:
            if _NAME.fullmatch(name) is None:
                raise CdiFailed(f"invalid CDI device name: {name}")
        return request.device_ids
    known = devices.of_kind(GPU_KIND)
    asks_gpu = any("gpu" in group for group in request.capabilities)
    if not known or not asks_gpu or request.driver not in ("", "nvidia"):
        raise NoDriver(request)
    if request.device_ids:
        return [i if "=" in i else f"{GPU_KIND}={i}" for i in request.device_ids]
    every = f"{GPU_KIND}=all"
    if request.count < 0:
        return [every] if every in known else known
    single = [name for name in known if name != every]
    if len(single) < request.count:
        raise CdiFailed(f"{request.count} GPUs are wanted and {len(single)} are there")
    return single[: request.count]


# What a device needs


def _apply(config: RuntimeConfig, edits: _Edits) -> RuntimeConfig:
    process, linux = config.process, config.linux
    nodes = tuple(_node(node) for node in edits.device_nodes)
    rules = tuple(_rule(node, given) for node, given in zip(nodes, edits.device_nodes, strict=True))
    groups = (*process.user.additional_gids, *(gid for gid in edits.additional_gids if gid))
    return replace(
        config,
        process=replace(
            process,
            env=_with_env(process.env, edits.env),
            user=replace(process.user, additional_gids=tuple(dict.fromkeys(groups))),
        ),
        mounts=(*config.mounts, *(_mount(mount) for mount in edits.mounts)),
        hooks=_with_hooks(config.hooks, edits.hooks),
        linux=replace(
            linux,
            devices=(*(d for d in linux.devices if d.path not in {n.path for n in nodes}), *nodes),
            resources=replace(linux.resources, devices=(*linux.resources.devices, *rules)),
        ),
    )


def _node(given: _Node) -> DeviceNode:
    """What the file leaves open the host's own node says."""
    path = given.host_path or given.path
    kind, major, minor = given.type, given.major, given.minor
    # YAML 1.2's octal numbers are text to a reader of YAML 1.1
    mode = int(given.file_mode, 0) if isinstance(given.file_mode, str) else given.file_mode
    if not kind or not (major or minor) or mode is None:
        try:
            info = os.stat(path)
        except OSError as error:
            raise CdiFailed(f"failed to stat CDI host device {path!r}: {(error.strerror or '').lower()}") from error
        if not stat.S_ISCHR(info.st_mode) and not stat.S_ISBLK(info.st_mode):
            raise CdiFailed(f"{path!r} is not a device node")
        kind = kind or ("b" if stat.S_ISBLK(info.st_mode) else "c")
        major, minor = (major, minor) if major or minor else (os.major(info.st_rdev), os.minor(info.st_rdev))
        mode = stat.S_IMODE(info.st_mode) if mode is None else mode
    mode &= 0o777
    return DeviceNode(path=given.path, type=kind, major=major, minor=minor, mode=mode, uid=given.uid, gid=given.gid)


def _rule(node: DeviceNode, given: _Node) -> DeviceRule:
    kind = "b" if node.type == "b" else "c"
    return DeviceRule(allow=True, type=kind, major=node.major, minor=node.minor, access=given.permissions or "rwm")


def _mount(given: _Mount) -> ConfigMount:
    options = tuple(given.options) or ("rbind", "ro", "nosuid", "nodev")
    kind = given.type or ("bind" if {"bind", "rbind"} & set(options) else "none")
    if kind in ("none", "bind") and not {"bind", "rbind"} & set(options):
        kind, options = "bind", ("rbind", *options)
    return ConfigMount(destination=given.container_path, type=kind, source=given.host_path, options=options)


def _with_env(env: Sequence[str], added: Sequence[str]) -> tuple[str, ...]:
    names = {setting.partition("=")[0] for setting in added}
    return (*(setting for setting in env if setting.partition("=")[0] not in names), *added)


_HOOKS: Final = {
    "prestart": "prestart",
    "createRuntime": "create_runtime",
    "createContainer": "create_container",
    "startContainer": "start_container",
    "poststart": "poststart",
    "poststop": "poststop",
}


def _with_hooks(hooks: Hooks, added: Iterable[_Hook]) -> Hooks:
    for given in added:
        if (name := _HOOKS.get(given.hook_name)) is None:
            raise CdiFailed(f"invalid hook name {given.hook_name!r}")
        hook = Hook(path=given.path, args=tuple(given.args), env=tuple(given.env), timeout_s=given.timeout)
        hooks = replace(hooks, **{name: (*getattr(hooks, name), hook)})
    return hooks
