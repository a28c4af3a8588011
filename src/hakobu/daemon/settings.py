"""Command line and `daemon.json` → one `Settings` value; whatever is wrong is named with its flag or key.

As dockerd: a key that is given in both places is refused, unknown keys are refused, and a file that was named
explicitly must exist.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from hakobu.daemon.flags import BY_KEY, BY_NAME, BY_SHORT, Flag
from hakobu.engine.config import DEFAULT_CDI_DIRS, EngineConfig, NetworkConfig
from hakobu.engine.gc_policy import GcPolicy
from hakobu.engine.size import parse_size
from hakobu.engine.when import parse_duration_ns
from hakobu.errors import HakobuError, Invalid, Kind
from hakobu.kernel.userns import owner_uid
from hakobu.spec import user_directory
from hakobu.spec.instance import DEFAULT_DATA_ROOT, DEFAULT_EXEC_ROOT, Instance
from hakobu.spec.log_config import LogConfig
from hakobu.spec.step import Json
from hakobu.spec.ulimit import Ulimit

DEFAULT_CONFIG_FILE = "/etc/hakobu/daemon.json"
_TRUE, _FALSE = frozenset({"1", "t", "true"}), frozenset({"0", "f", "false"})


class FlagRefused(HakobuError):
    """A flag or key that this engine knows of and does not have."""

    kind = Kind.INVALID

    def __init__(self, flag: Flag) -> None:
        super().__init__(f"--{flag.name} is not supported: {flag.refused}")
        self.flag = flag


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the daemon's process itself needs beside the engine's configuration.

    `rootless` is asked for by the flag; an ordinary user's engine is it without being asked. `tls` are the files of
    --tlscacert, --tlscert and --tlskey: with a host of TCP they are there.
    """

    engine: EngineConfig
    hosts: tuple[str, ...]
    pidfile: str
    rootless: bool = False
    rootless_network: str = ""
    group: str = ""
    tls: tuple[str, str, str] | None = None
    metrics_address: tuple[str, int] | None = None
    log_level: str = "info"
    log_format: str = "text"
    on_demand: bool = False
    idle_timeout_s: int = 900
    ready_fd: int | None = None
    oom_score_adj: int | None = None
    validate: bool = False
    version: bool = False
    help: bool = False


@dataclass(slots=True)
class _Given:
    """Values by flag name: scalars as text, lists as lists."""

    scalars: dict[str, str] = field(default_factory=dict[str, str])
    lists: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    def put(self, flag: Flag, value: str) -> None:
        if flag.kind in ("list", "map"):
            self.lists.setdefault(flag.name, []).append(value)
        else:
            self.scalars[flag.name] = value

    def names(self) -> set[str]:
        return {*self.scalars, *self.lists}


@dataclass(frozen=True, slots=True)
class _Defaults:
    """Where things are when nothing else is said: the machine's places for root, the XDG ones for a user."""

    data_root: str
    exec_root: str
    config_file: str


def _defaults(environment: Mapping[str, str], uid: int) -> _Defaults:
    if uid == 0:
        return _Defaults(DEFAULT_DATA_ROOT, DEFAULT_EXEC_ROOT, DEFAULT_CONFIG_FILE)
    return _Defaults(
        user_directory.data_directory(environment),
        user_directory.runtime_directory(environment, uid, os.path.isdir),
        f"{user_directory.config_directory(environment)}/daemon.json",
    )


def parse(argv: Sequence[str], environment: Mapping[str, str], uid: int | None = None) -> Settings:
    """The whole configuration; the file is read from where `--config-file` says.

    `uid` is the host's id of who runs this (default: this process's), also where it is root of a user namespace.
    """
    if "--help" in argv or "-h" in argv:
        return Settings(engine=EngineConfig(instance=Instance()), hosts=(), pidfile="", help=True)
    given = _from_argv(argv)
    if uid is None:  # where root is a user in namespaces of theirs, they decide
        uid = owner_uid() if "rootless" in given.names() else os.getuid()
    defaults = _defaults(environment, uid)
    _merge_file(given, defaults.config_file)
    _check(given)
    return _settings(given, environment, defaults)


def _from_argv(argv: Sequence[str]) -> _Given:
    given, words = _Given(), list(argv)
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        flag = BY_NAME.get(name[2:]) if name.startswith("--") else BY_SHORT.get(name[1:2]) if name[:1] == "-" else None
        if flag is None:
            raise Invalid(f"unknown flag: {word}", hint="hakobu daemon --help lists them")
        if not name.startswith("--") and len(name) > 2:
            value, equals = word[2:].removeprefix("="), "="
        if flag.kind == "bool" and not equals:
            value = "true"
        elif not equals:
            if not words:
                raise Invalid(f"flag needs an argument: --{flag.name}")
            value = words.pop(0)
        given.put(flag, value)
    return given


def _merge_file(given: _Given, default: str) -> None:
    explicit = given.scalars.get("config-file")
    try:
        with open(explicit or default, encoding="utf-8") as file:
            text = file.read(1 << 20)
    except FileNotFoundError:
        if explicit:
            raise Invalid(f"unable to configure the daemon with file {explicit}: it does not exist") from None
        return
    path = explicit or default
    try:
        document = json.loads(text or "{}")
    except ValueError as error:
        raise Invalid(f"unable to configure the daemon with file {path}: {error}") from None
    if not isinstance(document, dict):
        raise Invalid(f"unable to configure the daemon with file {path}: it is not a JSON object")
    on_command_line = given.names()
    for key, value in cast("dict[str, Json]", document).items():
        flag = BY_KEY.get(key)
        if flag is None:
            raise Invalid(f"the following directives don't match any configuration option: {key} ({path})")
        if flag.name in on_command_line and flag.kind not in ("list", "map"):
            raise Invalid(f"the following directives are specified both as a flag and in the configuration file: {key}")
        for text_value in _texts(key, value):
            given.put(flag, text_value)


def _texts(key: str, value: Json) -> list[str]:
    """A JSON value as the texts a command line would have."""
    match value:
        case bool():
            return [str(value).lower()]
        case int() | float() | str():
            return [str(value)]
        case list():
            return [_pool(v) if isinstance(v, dict) else str(v) for v in value]
        case dict():
            return [f"{k}={_ulimit(v) if isinstance(v, dict) else v}" for k, v in value.items()]
        case None:
            raise Invalid(f"{key} in the configuration file must not be null", field=key)


def _pool(value: dict[str, Json]) -> str:
    return ",".join(f"{k}={v}" for k, v in value.items())


def _ulimit(value: dict[str, Json]) -> str:
    return f"{value.get('Soft', value.get('Hard', ''))}:{value.get('Hard', value.get('Soft', ''))}"


def _check(given: _Given) -> None:
    for name in given.names():
        flag = BY_NAME[name]
        if flag.refused:
            raise FlagRefused(flag)
        values = given.lists.get(name) or [given.scalars.get(name, "")]
        for value in values:
            accepted = _bool(flag, value) if flag.kind == "bool" else value
            if flag.accepts and str(accepted).lower() not in flag.accepts:
                choice = ", ".join(repr(a) for a in flag.accepts if a)
                raise Invalid(f"invalid value for --{name}: {value!r} (accepted: {choice})", field=name)


def _bool(flag: Flag, value: str) -> bool:
    if value.lower() in _TRUE:
        return True
    if value.lower() in _FALSE:
        return False
    raise Invalid(f"invalid boolean for --{flag.name}: {value!r}", field=flag.name)


class _Reader:
    """Typed access to what was given, with defaults."""

    def __init__(self, given: _Given) -> None:
        self._given = given

    def text(self, name: str, default: str = "") -> str:
        return self._given.scalars.get(name, default)

    def flag(self, name: str, default: bool = False) -> bool:
        value = self._given.scalars.get(name)
        return default if value is None else _bool(BY_NAME[name], value)

    def number(self, name: str, default: int) -> int:
        value = self._given.scalars.get(name)
        if value is None:
            return default
        try:
            return int(value, 10)
        except ValueError:
            raise Invalid(f"invalid number for --{name}: {value!r}", field=name) from None

    def list(self, name: str) -> tuple[str, ...]:
        return tuple(self._given.lists.get(name, ()))

    def map(self, name: str) -> dict[str, str]:
        return dict(_pair(name, v) for v in self.list(name))

    def duration_ns(self, name: str, default: int) -> int:
        value = self._given.scalars.get(name)
        try:
            return default if value is None else parse_duration_ns(value)
        except Invalid:
            raise Invalid(f"invalid duration for --{name}: {value!r}", field=name) from None

    def size(self, name: str, default: int) -> int:
        value = self._given.scalars.get(name)
        try:
            return default if value is None else parse_size(value)
        except ValueError:
            raise Invalid(f"invalid size for --{name}: {value!r}", field=name) from None


def _pair(name: str, text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise Invalid(f"invalid value for --{name}: {text!r} (expected key=value)", field=name)
    return key, value


def _settings(given: _Given, environment: Mapping[str, str], defaults: _Defaults) -> Settings:
    read = _Reader(given)
    data_root, exec_root = read.text("data-root", defaults.data_root), read.text("exec-root", defaults.exec_root)
    for name, path in (("data-root", data_root), ("exec-root", exec_root)):
        if not path.startswith("/"):
            raise Invalid(f"--{name} must be an absolute path: {path!r}", field=name)
    instance = Instance(data_root.rstrip("/") or "/", exec_root.rstrip("/") or "/")
    debug = read.flag("debug")
    return Settings(
        engine=_engine(read, instance, debug, environment),
        hosts=(hosts := read.list("host") or (f"unix://{instance.socket}",)),
        tls=_tls(read, hosts),
        pidfile=read.text("pidfile", f"{exec_root}/hakobu.pid"),
        rootless=read.flag("rootless"),
        rootless_network=read.text("rootless-network"),
        group=read.text("group"),
        metrics_address=_address("metrics-addr", read.text("metrics-addr")),
        log_level="debug" if debug else read.text("log-level", "info"),
        log_format=read.text("log-format", "text"),
        on_demand=read.flag("on-demand"),
        idle_timeout_s=read.number("idle-timeout", 900),
        ready_fd=read.number("ready-fd", 0) if read.text("ready-fd") else None,
        oom_score_adj=read.number("oom-score-adjust", 0) if read.text("oom-score-adjust") else None,
        validate=read.flag("validate"),
        version=read.flag("version"),
    )


def _tls(read: _Reader, hosts: tuple[str, ...]) -> tuple[str, str, str] | None:
    """TCP is for those alone who prove themselves: whoever reaches the API is root on this machine."""
    tcp = next((host for host in hosts if host.startswith("tcp://")), "")
    if tcp and not read.flag("tlsverify"):
        raise Invalid(
            f"--host {tcp} without --tlsverify would make everybody root who can connect",
            field="host",
            hint="add --tlsverify --tlscacert --tlscert --tlskey, or reach the engine by ssh://",
        )
    if tcp and read.flag("rootless"):
        raise Invalid(f"--host {tcp}: a user's engine listens in a network of its own", field="host", hint="use ssh://")
    if not read.flag("tlsverify"):
        return None
    files = (read.text("tlscacert"), read.text("tlscert"), read.text("tlskey"))
    for name, path in zip(("tlscacert", "tlscert", "tlskey"), files, strict=True):
        if not path:
            raise Invalid(f"--tlsverify needs --{name}", field=name)
    return files


def _engine(read: _Reader, instance: Instance, debug: bool, environment: Mapping[str, str]) -> EngineConfig:
    return EngineConfig(
        instance=instance,
        network=_network(read, instance),
        log=LogConfig(driver=read.text("log-driver", "json-file"), options=read.map("log-opt")),
        labels=read.list("label"),
        shm_bytes=read.size("default-shm-size", 64 << 20),
        ulimits=tuple(_parse_ulimit(k, v) for k, v in read.map("default-ulimit").items()),
        cgroup_parent=read.text("cgroup-parent"),
        cgroupns_mode=read.text("default-cgroupns-mode"),
        ipc_mode=read.text("default-ipc-mode", "private"),
        cdi_dirs=read.list("cdi-spec-dir") or DEFAULT_CDI_DIRS,
        init=read.flag("init"),
        init_path=read.text("init-path"),
        no_new_privileges=read.flag("no-new-privileges"),
        seccomp_profile=_profile(read.text("seccomp-profile")),
        live_restore=read.flag("live-restore", default=True),
        shutdown_timeout_s=read.number("shutdown-timeout", 15),
        mirrors=read.list("registry-mirror"),
        insecure_registries=read.list("insecure-registry"),
        registries=read.text("registries"),
        image_gc=GcPolicy(
            read.duration_ns("image-gc-age", 0),
            read.size("image-gc-size", 0),
            read.duration_ns("image-gc-interval", 3600 * 10**9),
        ),
        max_downloads=read.number("max-concurrent-downloads", 3),
        max_uploads=read.number("max-concurrent-uploads", 5),
        max_download_attempts=read.number("max-download-attempts", 5),
        debug=debug,
        failpoints=read.text("debug-failpoints"),
        environment={k: v for k, v in environment.items() if k.lower() in ("http_proxy", "https_proxy", "no_proxy")},
    )


def _network(read: _Reader, instance: Instance) -> NetworkConfig:
    rootless = read.flag("rootless")
    return NetworkConfig(
        bip=read.text("bip"),
        fixed_cidr=read.text("fixed-cidr"),
        default_gateway=read.text("default-gateway"),
        mtu=read.number("mtu", 0),
        icc=read.flag("icc", default=True),
        default_host_ip=read.text("ip"),
        ip_forward=read.flag("ip-forward", default=True),
        masquerade=read.flag("ip-masq", default=True),
        firewall=read.flag("iptables", default=True),
        ipv6=read.flag("ipv6"),
        fixed_cidr_v6=read.text("fixed-cidr-v6"),
        address_pools=tuple(_parse_pool(p) for p in read.list("default-address-pool")),
        dns=read.list("dns"),
        dns_options=read.list("dns-opt"),
        dns_search=read.list("dns-search"),
        publish_mode="proxy" if rootless else read.text("publish-mode", "kernel"),
        port_keeper=instance.keeper_dir if rootless else "",
        default_bridge=read.text("bridge") != "none",
    )


def _parse_pool(text: str) -> tuple[str, int]:
    parts = dict(_pair("default-address-pool", p) for p in text.split(","))
    try:
        return parts["base"], int(parts["size"])
    except (KeyError, ValueError):
        raise Invalid(f"invalid --default-address-pool: {text!r} (expected base=CIDR,size=N)") from None


def _parse_ulimit(name: str, value: str) -> Ulimit:
    soft, _, hard = value.partition(":")
    try:
        return Ulimit(name=name, soft=int(soft), hard=int(hard or soft))
    except ValueError:
        raise Invalid(f"invalid ulimit argument: {name}={value}", field="default-ulimit") from None


def _address(name: str, text: str) -> tuple[str, int] | None:
    """`HOST:PORT`, `[v6]:PORT` or `:PORT`; None for nothing."""
    if not text:
        return None
    host, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise Invalid(f"invalid value for --{name}: {text!r} (expected HOST:PORT)", field=name)
    return host.removeprefix("[").removesuffix("]"), int(port)


def _profile(path: str) -> str:
    if path in ("", "builtin"):
        return ""
    if path == "unconfined":
        return path
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(1 << 20)
    except OSError as error:
        raise Invalid(f"opening seccomp profile ({path}) failed: {error.strerror}", field="seccomp-profile") from None
