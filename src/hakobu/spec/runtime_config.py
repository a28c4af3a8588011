"""The OCI runtime configuration (`config.json`) for Linux as values; OCI's names in snake_case.

Constructed by the engine, or parsed once from a stranger's file with bounds and errors that name the field;
`to_json` gives OCI's document back. Source: OCI runtime specification 1.3, config.md and config-linux.md.
Invariant: a value that was parsed needs no further check of its types by whoever acts on it.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar, cast

from hakobu.errors import Invalid
from hakobu.spec.resources import Resources, parse_resources
from hakobu.spec.step import Json

OCI_VERSION = "1.2.0"
MAX_BYTES = 16 << 20
_MAX_ITEMS = 65536
_T = TypeVar("_T")
_UINT32 = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """`name` is ours: a user as the image knows it (`nginx`, `1000:www`), resolved inside before pivot_root."""

    uid: int = 0
    gid: int = 0
    additional_gids: tuple[int, ...] = ()
    umask: int | None = None
    name: str = ""
    group_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rlimit:
    """`type` as RLIMIT_NOFILE."""

    type: str
    soft: int
    hard: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CapabilitySets:
    """Names as CAP_CHOWN. Inheritable and ambient stay empty unless asked for (CVE-2022-24769)."""

    bounding: tuple[str, ...] = ()
    effective: tuple[str, ...] = ()
    permitted: tuple[str, ...] = ()
    inheritable: tuple[str, ...] = ()
    ambient: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    args: tuple[str, ...]
    cwd: str = "/"
    env: tuple[str, ...] = ()
    terminal: bool = False
    user: User = User()
    rlimits: tuple[Rlimit, ...] = ()
    capabilities: CapabilitySets = CapabilitySets()
    no_new_privileges: bool = False
    oom_score_adj: int | None = None
    apparmor_profile: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigMount:
    """A mount as OCI has it: `options` are those of mount(8), propagation and `rro` included."""

    destination: str
    type: str = ""
    source: str = ""
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    path: str
    args: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    timeout_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    prestart: tuple[Hook, ...] = ()
    create_runtime: tuple[Hook, ...] = ()
    create_container: tuple[Hook, ...] = ()
    start_container: tuple[Hook, ...] = ()
    poststart: tuple[Hook, ...] = ()
    poststop: tuple[Hook, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """`type` is pid, network, mount, ipc, uts, user, cgroup or time; a `path` joins an existing one."""

    type: str
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdMap:
    container_id: int
    host_id: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceNode:
    path: str
    type: str
    major: int = 0
    minor: int = 0
    mode: int = 0o666
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Linux:
    """`seccomp` is a profile in Docker's or OCI's JSON, or None for unconfined; an empty object is the built-in one."""

    namespaces: tuple[Namespace, ...] = ()
    uid_mappings: tuple[IdMap, ...] = ()
    gid_mappings: tuple[IdMap, ...] = ()
    time_offsets: Mapping[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    devices: tuple[DeviceNode, ...] = ()
    cgroups_path: str = ""
    resources: Resources = Resources()
    seccomp: Mapping[str, Json] | None = None
    sysctl: Mapping[str, str] = field(default_factory=dict[str, str])
    masked_paths: tuple[str, ...] = ()
    readonly_paths: tuple[str, ...] = ()
    rootfs_propagation: str = ""
    mount_label: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    path: str
    readonly: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RuntimeConfig:
    process: Process
    root: Root
    hostname: str = ""
    domainname: str = ""
    mounts: tuple[ConfigMount, ...] = ()
    hooks: Hooks = Hooks()
    linux: Linux = Linux()
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])
    oci_version: str = OCI_VERSION

    def has_namespace(self, type: str) -> bool:
        return any(n.type == type for n in self.linux.namespaces)

    def to_json(self) -> dict[str, Json]:
        return _config_to_json(self)


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
    try:
        value: object = json.loads(document)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"the configuration is not JSON: {error}") from None
    return _config(_Object(value, ""))


def _config(o: _Object) -> RuntimeConfig:
    root = o.child("root")
    return RuntimeConfig(
        oci_version=o.text("ociVersion", needed=True),
        process=_process(o.child("process")),
        root=Root(path=root.text("path", needed=True), readonly=root.flag("readonly")),
        hostname=o.text("hostname"),
        domainname=o.text("domainname"),
        mounts=o.items("mounts", _mount),
        hooks=_hooks(o.child("hooks")),
        linux=_linux(o.child("linux")),
        annotations=o.text_map("annotations"),
    )


def _process(o: _Object) -> Process:
    capabilities = o.child("capabilities")
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
    )


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
        destination=destination, type=o.text("type"), source=o.text("source"), options=o.texts("options")
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
    )


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
        mode=o.number("fileMode", 0, 0o7777, 0o666) or 0,
        uid=o.number("uid", 0, _UINT32, 0) or 0,
        gid=o.number("gid", 0, _UINT32, 0) or 0,
    )


def _given(**values: Json) -> dict[str, Json]:
    """Only what says something."""
    return {k: v for k, v in values.items() if v is not None and v not in ("", [], {}, False)}


def _config_to_json(c: RuntimeConfig) -> dict[str, Json]:
    return {
        "ociVersion": c.oci_version,
        "process": _process_to_json(c.process),
        "root": {"path": c.root.path, "readonly": c.root.readonly},
        **_given(
            hostname=c.hostname,
            domainname=c.domainname,
            mounts=[_mount_to_json(m) for m in c.mounts],
            hooks=_hooks_to_json(c.hooks),
            annotations=dict(c.annotations),
        ),
        "linux": _linux_to_json(c.linux),
    }


def _process_to_json(p: Process) -> dict[str, Json]:
    user = _given(additionalGids=list(p.user.additional_gids), username=p.user.name)
    sets = p.capabilities
    optional = _given(
        terminal=p.terminal,
        env=list(p.env),
        noNewPrivileges=p.no_new_privileges,
        apparmorProfile=p.apparmor_profile,
        rlimits=[{"type": r.type, "soft": r.soft, "hard": r.hard} for r in p.rlimits],
        capabilities=_given(
            bounding=list(sets.bounding),
            effective=list(sets.effective),
            permitted=list(sets.permitted),
            inheritable=list(sets.inheritable),
            ambient=list(sets.ambient),
        ),
    )
    if p.user.umask is not None:
        user["umask"] = p.user.umask
    if p.user.group_names:
        user["groupnames"] = list(p.user.group_names)
    if p.oom_score_adj is not None:
        optional["oomScoreAdj"] = p.oom_score_adj
    return {"user": {"uid": p.user.uid, "gid": p.user.gid, **user}, "args": list(p.args), "cwd": p.cwd, **optional}


def _mount_to_json(m: ConfigMount) -> dict[str, Json]:
    return {"destination": m.destination, **_given(type=m.type, source=m.source, options=list(m.options))}


def _hooks_to_json(h: Hooks) -> dict[str, Json]:
    def told(hooks: tuple[Hook, ...]) -> list[Json]:
        return [{"path": k.path, **_given(args=list(k.args), env=list(k.env), timeout=k.timeout_s)} for k in hooks]

    return _given(
        prestart=told(h.prestart),
        createRuntime=told(h.create_runtime),
        createContainer=told(h.create_container),
        startContainer=told(h.start_container),
        poststart=told(h.poststart),
        poststop=told(h.poststop),
    )


def _linux_to_json(v: Linux) -> dict[str, Json]:
    def maps(entries: tuple[IdMap, ...]) -> list[Json]:
        return [{"containerID": e.container_id, "hostID": e.host_id, "size": e.size} for e in entries]

    told = _given(
        namespaces=[{"type": n.type, **_given(path=n.path)} for n in v.namespaces],
        uidMappings=maps(v.uid_mappings),
        gidMappings=maps(v.gid_mappings),
        timeOffsets={k: {"secs": s, "nanosecs": n} for k, (s, n) in v.time_offsets.items()},
        devices=[_device_to_json(d) for d in v.devices],
        cgroupsPath=v.cgroups_path,
        resources=v.resources.to_json(),
        sysctl=dict(v.sysctl),
        maskedPaths=list(v.masked_paths),
        readonlyPaths=list(v.readonly_paths),
        rootfsPropagation=v.rootfs_propagation,
        mountLabel=v.mount_label,
    )
    if v.seccomp is not None:
        told["seccomp"] = dict(v.seccomp)
    return told


def _device_to_json(d: DeviceNode) -> dict[str, Json]:
    return {
        "path": d.path,
        "type": d.type,
        "major": d.major,
        "minor": d.minor,
        "fileMode": d.mode,
        "uid": d.uid,
        "gid": d.gid,
    }
