"""The table of service attributes, all 92 of the specification: how each is read and rendered, or why it is refused.

The order is that in which docker compose marshals a service: the hash of a service's configuration depends on it.
docs/compose.md is generated from this table.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from hakobu.compose.failure import BadComposeFile
from hakobu.compose.model.attachment import read_attachments
from hakobu.compose.model.dependency import read_dependencies
from hakobu.compose.model.document import compact, mapping, number, strings
from hakobu.compose.model.healthcheck import read_healthcheck
from hakobu.compose.model.port import read_ports
from hakobu.compose.model.reading import (
    Reader,
    Scope,
    format_duration,
    items_of,
    read_bool,
    read_command,
    read_duration,
    read_fields,
    read_int,
    read_labels,
    read_list,
    read_mapping,
    read_number,
    read_options,
    read_size,
    read_string,
    read_string_or_list,
    read_text,
)
from hakobu.compose.model.resource import (
    read_deploy,
    read_devices,
    read_file_references,
    read_logging,
    read_ulimits,
)
from hakobu.compose.model.service import EnvFile
from hakobu.compose.model.volume import read_volumes
from hakobu.compose.node import MappingNode, Node, Scalar, Sequence
from hakobu.spec.step import Json

Read: TypeAlias = Callable[[Node, str, Scope], object]
Render: TypeAlias = Callable[[Any], Json]
"""Renders what its own `Read` gave; the table pairs them, which no type can say."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute that works. `always`: rendered in JSON even when nothing is said (as null)."""

    name: str
    read: Read
    render: Render
    note: str = ""
    always: bool = False

    def reader(self, scope: Scope) -> Reader:
        """The reader with what relative paths mean in it."""
        return lambda node, path: self.read(node, path, scope)


def _plain(reader: Callable[[Node, str], object]) -> Read:
    return lambda node, path, _: reader(node, path)


def _same(value: Any) -> Json:
    return value


def _documents(values: Any) -> Json:
    return [value.to_json() for value in values]


def _document_map(values: Any) -> Json:
    return {name: value.to_json() for name, value in values.items()}


def _document(value: Any) -> Json:
    return None if value is None else value.to_json()


def _size_text(value: int) -> Json:
    return str(value) if value else ""


def _command(value: tuple[str, ...] | None) -> Json:
    return None if value is None else strings(value)


def _read_env_files(node: Node, path: str, scope: Scope) -> tuple[EnvFile, ...]:
    if isinstance(node, Scalar):
        return tuple(EnvFile(scope.path(text)) for text in read_string_or_list(node, path) if text)
    found: list[EnvFile] = []
    for i, item in enumerate(items_of(node, path)):
        where = f"{path}.{i}"
        if not isinstance(item, MappingNode):
            found.append(EnvFile(scope.path(read_string(item, where))))
            continue
        fields = read_fields(item, where, {"path": read_string, "format": read_string, "required": read_bool})
        if fields.get("format", "") not in ("", "raw"):
            raise BadComposeFile(item.mark_of("format"), "must be raw", path=f"{where}.format")
        file = scope.path(fields.get("path", ""))
        found.append(EnvFile(file, fields.get("required", True), fields.get("format", "")))
    return tuple(found)


def _render_env_files(files: tuple[EnvFile, ...]) -> Json:
    return [compact([("path", f.path), ("required", f.required), ("format", f.format)]) for f in files]


def _read_extra_hosts(node: Node, path: str) -> tuple[tuple[str, str], ...]:
    """Pairs of host and address, sorted; `host:ip`, `host=ip`, `host=[::1]`, or a mapping (addresses may be lists)."""
    if isinstance(node, Sequence):
        return tuple(sorted(_split_host(item, f"{path}.{i}") for i, item in enumerate(node.items)))
    pairs: list[tuple[str, str]] = []
    for host, value in read_mapping(node, path):
        pairs += [(host, ip.strip("[]")) for ip in read_string_or_list(value, f"{path}.{host}")]
    return tuple(sorted(pairs))


def _split_host(node: Node, path: str) -> tuple[str, str]:
    text = read_string(node, path)
    host, separator, ip = text.partition("=") if "=" in text else text.partition(":")
    if not separator or not host or not ip:
        raise BadComposeFile(node.mark, f"is not a host and an address: {text!r}", path=path, hint="write host=1.2.3.4")
    return host, ip.strip("[]")


def _read_expose(node: Node, path: str) -> tuple[str, ...]:
    values = read_list(node, path)
    for i, value in enumerate(values):
        port, _, protocol = value.partition("/")
        first, _, last = port.partition("-")
        if not (first.isdigit() and (not last or last.isdigit()) and protocol in ("", "tcp", "udp", "sctp")):
            raise BadComposeFile(node.mark, f"is not a port: {value!r}", path=f"{path}.{i}")
    return values


def _read_restart(node: Node, path: str) -> str:
    text = read_string(node, path) if not (isinstance(node, Scalar) and node.value is False) else "no"
    name, _, tries = text.partition(":")
    if name not in ("", "no", "always", "on-failure", "unless-stopped") or (tries and not tries.isdigit()):
        raise BadComposeFile(node.mark, f"is not a restart policy: {text!r}", path=path)
    return text


def _read_pull_policy(node: Node, path: str) -> str:
    text = read_string(node, path)
    if text not in ("always", "never", "missing", "if_not_present"):
        raise BadComposeFile(
            node.mark, f"must be always, never or missing; it is {text!r}", path=path, hint="images are not built here"
        )
    return text


def _read_tmpfs(node: Node, path: str) -> tuple[str, ...]:
    return read_string_or_list(node, path)


def _secrets(node: Node, path: str) -> object:
    return read_file_references(node, path, "/run/secrets")


def _string(name: str, note: str = "") -> Attribute:
    return Attribute(name, _plain(read_string), _same, note)


def _strings(name: str, note: str = "") -> Attribute:
    return Attribute(name, _plain(read_list), strings, note)


def _string_or_list(name: str) -> Attribute:
    return Attribute(name, _plain(read_string_or_list), strings)


def _int(name: str) -> Attribute:
    return Attribute(name, _plain(read_int), _same)


def _bool(name: str) -> Attribute:
    return Attribute(name, _plain(read_bool), _same)


def _size(name: str) -> Attribute:
    return Attribute(name, _plain(read_size), _size_text)


ATTRIBUTES: tuple[Attribute, ...] = (
    _strings("profiles", "`--profile`, COMPOSE_PROFILES"),
    Attribute("annotations", _plain(read_labels), mapping),
    Attribute("attach", _plain(read_bool), _same, "whether an attached `up` shows its output"),
    _strings("cap_add"),
    _strings("cap_drop"),
    _string("cgroup_parent"),
    _string("cgroup", "`host` or `private`"),
    _int("cpu_period"),
    _int("cpu_quota"),
    Attribute("cpus", _plain(read_number), number),
    _string("cpuset"),
    _int("cpu_shares"),
    Attribute("command", _plain(read_command), _command, "list or line; `[]` clears the image's", always=True),
    Attribute("configs", _plain(read_file_references), _documents, "from `file`, `environment` or `content`"),
    _string("container_name", "only for services of one container"),
    Attribute("depends_on", _plain(read_dependencies), _document_map, "`condition`, `restart`, `required`"),
    Attribute(
        "deploy",
        _plain(read_deploy),
        _document,
        "`replicas`, `resources`, `restart_policy`, `labels`",
    ),
    _strings("device_cgroup_rules"),
    Attribute("devices", _plain(read_devices), _documents),
    _string_or_list("dns"),
    _strings("dns_opt"),
    _string_or_list("dns_search"),
    _string("domainname"),
    Attribute("entrypoint", _plain(read_command), _command, "list or line; `[]` clears the image's", always=True),
    Attribute("environment", lambda n, p, s: _read_environment(n, p), mapping, "mapping or list"),
    Attribute("env_file", _read_env_files, _render_env_files, "path, list, or `path`, `required`, `format: raw`"),
    Attribute("expose", _plain(_read_expose), strings),
    Attribute("extra_hosts", _plain(_read_extra_hosts), lambda v: [f"{h}={ip}" for h, ip in v], "`host-gateway` too"),
    _strings("group_add"),
    _string("hostname"),
    Attribute("healthcheck", _plain(read_healthcheck), _document, "all keys"),
    _string("image"),
    _bool("init"),
    _string("ipc", "`host`, `shareable`, `private`, `none`, `service:NAME`, `container:NAME`"),
    Attribute("labels", _plain(read_labels), mapping, "mapping or list"),
    Attribute("logging", _plain(read_logging), _document),
    _size("mem_limit"),
    _size("mem_reservation"),
    _size("memswap_limit"),
    Attribute("mem_swappiness", _plain(read_int), _size_text),
    _string("mac_address"),
    _string("network_mode", "`host`, `none`, `bridge`, `service:NAME`, `container:NAME`"),
    Attribute(
        "networks",
        _plain(read_attachments),
        _document_map,
        "all keys but `interface_name`",
    ),
    _bool("oom_kill_disable"),
    _int("oom_score_adj"),
    _string("pid", "`host`, `service:NAME`, `container:NAME`"),
    _int("pids_limit"),
    _string("platform"),
    Attribute("ports", _plain(read_ports), _documents, "short form with ranges and host addresses, and long form"),
    _bool("privileged"),
    Attribute("pull_policy", _plain(_read_pull_policy), _same, "`always`, `never`, `missing`"),
    _bool("read_only"),
    Attribute("restart", _plain(_read_restart), _same),
    _string("runtime"),
    _int("scale"),
    Attribute("secrets", _plain(_secrets), _documents, "from `file` or `environment`"),
    _strings("security_opt"),
    _size("shm_size"),
    _bool("stdin_open"),
    Attribute("stop_grace_period", _plain(read_duration), lambda v: None if v is None else format_duration(v)),
    _string("stop_signal"),
    Attribute("storage_opt", _plain(read_options), mapping),
    Attribute("sysctls", _plain(read_labels), mapping, "mapping or list"),
    Attribute("tmpfs", _plain(_read_tmpfs), strings),
    _bool("tty"),
    Attribute("ulimits", _plain(read_ulimits), _document_map),
    _string("user"),
    _string("userns_mode"),
    _string("uts"),
    Attribute("volumes", read_volumes, _documents, "short and long form; types `bind`, `volume`, `tmpfs`"),
    _strings("volumes_from", "`SERVICE[:ro]`, `container:NAME[:ro]`"),
    _string("working_dir"),
)

_WINDOWS = "it is for Windows containers"
_BUILD = "images are not built here; build the image first and name it with `image`"
_HOOK = "commands are not run around the life of a container"

REFUSED: dict[str, str] = {
    "blkio_config": "limits of block devices are set on the container with `hakobu update`",
    "build": _BUILD,
    "cpu_count": _WINDOWS,
    "cpu_percent": _WINDOWS,
    "cpu_rt_period": "real-time scheduling is not set",
    "cpu_rt_runtime": "real-time scheduling is not set",
    "credential_spec": _WINDOWS,
    "develop": "files are not watched; mount them with `volumes`",
    "extends": "use YAML anchors, or a second file with `-f`",
    "external_links": "join the other container's network with `networks`",
    "gpus": "devices are named with `devices`",
    "isolation": _WINDOWS,
    "label_file": "write the labels under `labels`",
    "links": "services find each other by name on a shared network; other names are `aliases` of `networks`",
    "models": "language models are not provided",
    "post_start": _HOOK,
    "pre_start": _HOOK,
    "pre_stop": _HOOK,
    "provider": "services are containers here",
    "pull_refresh_after": "`pull_policy: always` pulls each time",
    "use_api_socket": "mount the engine's socket with `volumes`, knowing that it gives away the engine",
}


def _read_environment(node: Node, path: str) -> dict[str, str | None]:
    from hakobu.compose.model.reading import read_variables

    for key, value in node if isinstance(node, MappingNode) else ():
        read_text(value, f"{path}.{key}")
    return read_variables(node, path)
