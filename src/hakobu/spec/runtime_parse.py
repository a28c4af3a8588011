"""Reading a stranger's `config.json` into the values of `runtime_config`.

Invariant: bounded in size and in the length of lists; every refusal is `Invalid` and names the field.
"""

import json
from collections.abc import Callable, Mapping
from typing import TypeVar, cast

from hakobu.errors import Invalid
from hakobu.spec.resources import parse_resources
from hakobu.spec.runtime_config import (
    CapabilitySets,
    ConfigMount,
    DeviceNode,
    ExecAffinity,
    Hook,
    Hooks,
    IdMap,
    IoPriority,
    Linux,
    MemoryPolicy,
    Namespace,
    Personality,
    Process,
    Rlimit,
    Root,
    RuntimeConfig,
    Scheduler,
    User,
)
from hakobu.spec.step import Json

MAX_BYTES = 16 << 20
_MAX_ITEMS = 65536
_T = TypeVar("_T")
_UINT32 = 2**32 - 1


class _Object:
    """A JSON object under parse: typed access, errors with the full name of the field."""

    def __init__(self, value: object, name: str) -> None:
        if value is None:
            value = {}
        if not isinstance(value, dict):
            raise Invalid(f"{name or 'the configuration'} must be an object", field=name)
        self._value = cast("dict[str, object]", value)
        self._name = name

    def field(self, key: str) -> str:
        return f"{self._name}.{key}" if self._name else key

    def raw(self, key: str) -> object:
        return self._value.get(key)

    def names(self) -> tuple[str, ...]:
        return tuple(self._value)

    def child(self, key: str) -> "_Object":
        return _Object(self._value.get(key), self.field(key))

    def text(self, key: str, default: str = "", *, needed: bool = False) -> str:
        value = self._value.get(key)
        if value is None:
            if needed:
                raise Invalid(f"{self.field(key)} is missing", field=self.field(key))
            return default
        if not isinstance(value, str) or "\0" in value:
            raise Invalid(f"{self.field(key)} must be a text without NUL", field=self.field(key))
        return value

    def flag(self, key: str) -> bool:
        value = self._value.get(key, False)
        if value is None:
            return False
        if not isinstance(value, bool):
            raise Invalid(f"{self.field(key)} must be true or false", field=self.field(key))
        return value

    def number(self, key: str, low: int, high: int, default: int | None = None) -> int | None:
        value = self._value.get(key)
        if value is None:
            return default
        if type(value) is not int or not low <= value <= high:
            raise Invalid(f"{self.field(key)} must be a whole number from {low} to {high}", field=self.field(key))
        return value

    def count(self, key: str, low: int = 0, high: int = _UINT32) -> int:
        value = self.number(key, low, high)
        if value is None:
            raise Invalid(f"{self.field(key)} is missing", field=self.field(key))
        return value

    def items(self, key: str, parse: "Callable[[_Object], _T]") -> tuple[_T, ...]:
        return tuple(parse(_Object(v, f"{self.field(key)}[{i}]")) for i, v in enumerate(self._list(key)))

    def texts(self, key: str) -> tuple[str, ...]:
        found: list[str] = []
        for i, value in enumerate(self._list(key)):
            if not isinstance(value, str) or "\0" in value:
                raise Invalid(f"{self.field(key)}[{i}] must be a text without NUL", field=f"{self.field(key)}[{i}]")
            found.append(value)
        return tuple(found)

    def numbers(self, key: str, low: int, high: int) -> tuple[int, ...]:
        found: list[int] = []
        for i, value in enumerate(self._list(key)):
            if type(value) is not int or not low <= value <= high:
                raise Invalid(f"{self.field(key)}[{i}] must be from {low} to {high}", field=f"{self.field(key)}[{i}]")
            found.append(value)
        return tuple(found)

    def text_map(self, key: str) -> dict[str, str]:
        inner = self.child(key)
        return {k: inner.text(k) for k in inner.names()}

    def _list(self, key: str) -> list[object]:
        value = self._value.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise Invalid(f"{self.field(key)} must be a list", field=self.field(key))
        items = cast("list[object]", value)
        if len(items) > _MAX_ITEMS:
            raise Invalid(f"{self.field(key)} has more than {_MAX_ITEMS} entries", field=self.field(key))
        return items


def parse_runtime_config(document: bytes) -> RuntimeConfig:
    """A config.json of at most 16 MiB; `Invalid` names what is wrong in it."""
    if len(document) > MAX_BYTES:
        raise Invalid(f"the configuration has more than {MAX_BYTES} bytes")
    return _config(_Object(_decode(document), ""))


def parse_process(document: bytes) -> Process:
    """A process alone, as `exec --process` takes it."""
    if len(document) > MAX_BYTES:
        raise Invalid(f"the process has more than {MAX_BYTES} bytes")
    return _process(_Object(_decode(document), "process"))


def _decode(document: bytes) -> object:
    try:
        value: object = json.loads(document)
        # a lone surrogate is text to Python and nothing that could be given to the kernel
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Invalid(f"the configuration is not JSON: {error}") from None
    return value


def _config(o: _Object) -> RuntimeConfig:
    root = o.child("root")
    return RuntimeConfig(
        oci_version=o.text("ociVersion", needed=True),
        # a container without one can be created and not started
        process=_process(o.child("process")) if o.raw("process") is not None else Process(args=()),
        root=Root(path=root.text("path", needed=True), readonly=root.flag("readonly")),
        hostname=o.text("hostname"),
        domainname=o.text("domainname"),
        mounts=o.items("mounts", _mount),
        hooks=_hooks(o.child("hooks")),
        linux=_linux(o.child("linux")),
        annotations=o.text_map("annotations"),
    )


def _process(o: _Object) -> Process:
    capabilities, size, affinity = o.child("capabilities"), o.child("consoleSize"), o.child("execCPUAffinity")
    args = o.texts("args")
    if not args or not args[0]:
        raise Invalid("process.args must name a program", field="process.args")
    return Process(
        args=args,
        cwd=o.text("cwd", "/"),
        env=o.texts("env"),
        terminal=o.flag("terminal"),
        user=_user(o.child("user")),
        rlimits=o.items("rlimits", _rlimit),
        capabilities=CapabilitySets(
            bounding=capabilities.texts("bounding"),
            effective=capabilities.texts("effective"),
            permitted=capabilities.texts("permitted"),
            inheritable=capabilities.texts("inheritable"),
            ambient=capabilities.texts("ambient"),
        ),
        no_new_privileges=o.flag("noNewPrivileges"),
        oom_score_adj=o.number("oomScoreAdj", -1000, 1000),
        apparmor_profile=o.text("apparmorProfile"),
        selinux_label=o.text("selinuxLabel"),
        console_size=(size.number("height", 0, 65535, 0) or 0, size.number("width", 0, 65535, 0) or 0),
        scheduler=_scheduler(o.child("scheduler")) if o.raw("scheduler") else None,
        io_priority=_io_priority(o.child("ioPriority")) if o.raw("ioPriority") else None,
        exec_affinity=ExecAffinity(initial=affinity.text("initial"), final=affinity.text("final")),
    )


def _scheduler(o: _Object) -> Scheduler:
    return Scheduler(
        policy=o.text("policy", needed=True),
        nice=o.number("nice", -20, 19, 0) or 0,
        priority=o.number("priority", 0, 99, 0) or 0,
        flags=o.texts("flags"),
        runtime_ns=o.number("runtime", 0, 2**64 - 1, 0) or 0,
        deadline_ns=o.number("deadline", 0, 2**64 - 1, 0) or 0,
        period_ns=o.number("period", 0, 2**64 - 1, 0) or 0,
    )


def _io_priority(o: _Object) -> IoPriority:
    return IoPriority(io_class=o.text("class", needed=True), priority=o.number("priority", 0, 7, 0) or 0)


def _user(o: _Object) -> User:
    return User(
        uid=o.number("uid", 0, 2**31 - 1, 0) or 0,
        gid=o.number("gid", 0, 2**31 - 1, 0) or 0,
        additional_gids=o.numbers("additionalGids", 0, 2**31 - 1),
        umask=o.number("umask", 0, 0o7777),
        name=o.text("username"),
        group_names=o.texts("groupnames"),
    )


def _rlimit(o: _Object) -> Rlimit:
    return Rlimit(
        type=o.text("type", needed=True), soft=o.count("soft", 0, 2**64 - 1), hard=o.count("hard", 0, 2**64 - 1)
    )


def _mount(o: _Object) -> ConfigMount:
    destination = o.text("destination", needed=True)
    return ConfigMount(
        destination=destination,
        type=o.text("type"),
        source=o.text("source"),
        options=o.texts("options"),
        uid_mappings=o.items("uidMappings", _id_map),
        gid_mappings=o.items("gidMappings", _id_map),
    )


def _hooks(o: _Object) -> Hooks:
    return Hooks(
        prestart=o.items("prestart", _hook),
        create_runtime=o.items("createRuntime", _hook),
        create_container=o.items("createContainer", _hook),
        start_container=o.items("startContainer", _hook),
        poststart=o.items("poststart", _hook),
        poststop=o.items("poststop", _hook),
    )


def _hook(o: _Object) -> Hook:
    path = o.text("path", needed=True)
    if not path.startswith("/"):
        raise Invalid(f"{o.field('path')} must be absolute", field=o.field("path"))
    return Hook(path=path, args=o.texts("args"), env=o.texts("env"), timeout_s=o.number("timeout", 1, _UINT32))


def _linux(o: _Object) -> Linux:
    seccomp = o.raw("seccomp")
    return Linux(
        namespaces=o.items("namespaces", lambda n: Namespace(type=n.text("type", needed=True), path=n.text("path"))),
        uid_mappings=o.items("uidMappings", _id_map),
        gid_mappings=o.items("gidMappings", _id_map),
        time_offsets=_time_offsets(o.child("timeOffsets")),
        devices=o.items("devices", _device),
        cgroups_path=o.text("cgroupsPath"),
        resources=parse_resources(o.raw("resources")),
        seccomp=cast("Mapping[str, Json]", seccomp) if isinstance(seccomp, dict) else None,
        sysctl=o.text_map("sysctl"),
        masked_paths=o.texts("maskedPaths"),
        readonly_paths=o.texts("readonlyPaths"),
        rootfs_propagation=o.text("rootfsPropagation"),
        mount_label=o.text("mountLabel"),
        memory_policy=_memory_policy(o.child("memoryPolicy")) if o.raw("memoryPolicy") else None,
        personality=_personality(o.child("personality")) if o.raw("personality") else None,
        net_devices=_net_devices(o.child("netDevices")),
        intel_rdt=bool(o.raw("intelRdt")),
    )


def _memory_policy(o: _Object) -> MemoryPolicy:
    return MemoryPolicy(mode=o.text("mode", needed=True), nodes=o.text("nodes"), flags=o.texts("flags"))


def _personality(o: _Object) -> Personality:
    return Personality(domain=o.text("domain", needed=True), flags=o.texts("flags"))


def _net_devices(o: _Object) -> dict[str, str]:
    return {host: o.child(host).text("name") or host for host in o.names()}


def _time_offsets(o: _Object) -> dict[str, tuple[int, int]]:
    offsets: dict[str, tuple[int, int]] = {}
    for clock in o.names():
        inner = o.child(clock)
        seconds = inner.number("secs", -(2**63), 2**63 - 1, 0) or 0
        offsets[clock] = (seconds, inner.number("nanosecs", 0, 999_999_999, 0) or 0)
    return offsets


def _id_map(o: _Object) -> IdMap:
    return IdMap(container_id=o.count("containerID"), host_id=o.count("hostID"), size=o.count("size"))


def _device(o: _Object) -> DeviceNode:
    kind = o.text("type", needed=True)
    if kind not in ("c", "u", "b", "p"):
        raise Invalid(f"{o.field('type')} must be c, u, b or p: {kind!r}", field=o.field("type"))
    return DeviceNode(
        path=o.text("path", needed=True),
        type=kind,
        major=o.number("major", 0, _UINT32, 0) or 0,
        minor=o.number("minor", 0, _UINT32, 0) or 0,
        mode=(o.number("fileMode", 0, _UINT32, 0o666) or 0) & 0o7777,  # engines leave the kind of node in it
        uid=o.number("uid", 0, _UINT32, 0) or 0,
        gid=o.number("gid", 0, _UINT32, 0) or 0,
    )
