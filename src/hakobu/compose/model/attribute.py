"""The table of service attributes, all 92 of the specification and `pre_start`: how each is read and rendered.

The order is that in which docker compose marshals a service: the hash of a service's configuration depends on it.
docs/compose.md is generated from this table.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from hakobu.compose.failure import BadComposeFile
from hakobu.compose.model.attachment import read_attachments
from hakobu.compose.model.dependency import read_dependencies
from hakobu.compose.model.document import compact, mapping, number, strings
from hakobu.compose.model.healthcheck import read_healthcheck
from hakobu.compose.model.hook import read_develop, read_hooks, read_pre_start
from hakobu.compose.model.image_build import read_build
from hakobu.compose.model.machine import read_blkio, read_credential_spec, read_gpus, read_model_uses, read_provider
from hakobu.compose.model.port import read_ports
from hakobu.compose.model.reading import (
    Reader,
    format_duration,
    read_bool,
    read_choice,
    read_command,
    read_duration,
    read_each,
    read_fields,
    read_hosts,
    read_int,
    read_labels,
    read_list,
    read_number,
    read_options,
    read_size,
    read_string,
    read_string_or_list,
    read_text,
    read_variables,
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
from hakobu.compose.node import MappingNode, Node, Scalar
from hakobu.spec.step import Json

Read: TypeAlias = Reader
Render: TypeAlias = Callable[[Any], Json]
"""Renders what its own `Read` gave; the table pairs them, which no type can say."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute that works. `always`: rendered in JSON even when nothing is said (as null).

    `hollow`: rendered when it is given, even with nothing in it.
    """

    name: str
    read: Read
    render: Render
    note: str = ""
    always: bool = False
    hollow: bool = False


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


_PERIODS_S = {"w": 7 * 86400, "d": 86400, "h": 3600, "m": 60, "s": 1}


def pull_interval_s(policy: str) -> float | None:
    """How old an image may be under `daily`, `weekly` and `every_1d12h`; None for policies that do not ask."""
    if policy in ("daily", "weekly"):
        return _PERIODS_S[policy[0]]
    parts = re.findall(r"([0-9]+)([wdhms])", policy.removeprefix("every_")) if policy.startswith("every_") else []
    return sum(int(count) * _PERIODS_S[unit] for count, unit in parts) if parts else None


def _read_env_files(node: Node, path: str) -> tuple[EnvFile, ...]:
    if isinstance(node, Scalar):
        return tuple(EnvFile(text) for text in read_string_or_list(node, path) if text)
    return tuple(read_each(node, path, _read_env_file))


def _read_env_file(node: Node, path: str) -> EnvFile:
    if isinstance(node, Scalar):
        return EnvFile(read_string(node, path))
    fields = read_fields(node, path, {"path": read_string, "format": read_format, "required": read_bool}, ("path",))
    return EnvFile(fields["path"], fields.get("required", True), fields.get("format", ""))


def read_format(node: Node, path: str) -> str:
    return read_choice(node, path, ("", "raw"))


def _render_env_files(files: tuple[EnvFile, ...]) -> Json:
    return [compact([("path", f.path), ("required", f.required), ("format", f.format)]) for f in files]


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


_PULL_POLICY = re.compile(r"always|never|build|missing|if_not_present|refresh|daily|weekly|every_(?:[0-9]+[wdhms])+")


def _read_pull_policy(node: Node, path: str) -> str:
    text = read_string(node, path)
    if text and not _PULL_POLICY.fullmatch(text):
        choices = "always, never, missing, build, daily, weekly, or every_ and a time"
        raise BadComposeFile(node.mark, f"must be one of {choices}; it is {text!r}", path=path)
    return "missing" if text == "if_not_present" else text


def _read_environment(node: Node, path: str) -> dict[str, str | None]:
    for key, value in node if isinstance(node, MappingNode) else ():
        read_text(value, f"{path}.{key}")
    return read_variables(node, path)


def _secrets(node: Node, path: str) -> object:
    return read_file_references(node, path, "/run/secrets")


def _string(name: str, note: str = "") -> Attribute:
    return Attribute(name, read_string, _same, note)


def _strings(name: str, note: str = "") -> Attribute:
    return Attribute(name, read_list, strings, note)


def _string_or_list(name: str) -> Attribute:
    return Attribute(name, read_string_or_list, strings)


def _int(name: str, note: str = "") -> Attribute:
    return Attribute(name, read_int, _same, note)


def _bool(name: str) -> Attribute:
    return Attribute(name, read_bool, _same)


def _size(name: str) -> Attribute:
    return Attribute(name, read_size, _size_text)


ELSEWHERE = {
    "extends": "from this file or another one, in chains; taken up before a service is read",
    "pull_refresh_after": "read and not used, as docker compose does it; `pull_policy: every_…` says the same",
}
"""Attributes that leave no trace in the canonical form."""

_WINDOWS = "for Windows containers; passed on to the engine"

ATTRIBUTES: tuple[Attribute, ...] = (
    _strings("profiles", "`--profile`, COMPOSE_PROFILES"),
    Attribute("annotations", read_labels, mapping),
    Attribute("attach", read_bool, _same, "whether an attached `up` shows its output"),
    Attribute(
        "build", read_build, _same, "shown by `config`; `up` uses the image where it exists, and refuses otherwise"
    ),
    Attribute("develop", read_develop, _same, "`watch`: every action but `rebuild`", hollow=True),
    Attribute("blkio_config", read_blkio, _same, hollow=True),
    _strings("cap_add"),
    _strings("cap_drop"),
    _string("cgroup_parent"),
    _string("cgroup", "`host` or `private`"),
    _int("cpu_count", _WINDOWS),
    Attribute("cpu_percent", read_number, number, _WINDOWS),
    _int("cpu_period"),
    _int("cpu_quota"),
    _int("cpu_rt_period"),
    _int("cpu_rt_runtime"),
    Attribute("cpus", read_number, number),
    _string("cpuset"),
    _int("cpu_shares"),
    Attribute("command", read_command, _command, "list or line; `[]` clears the image's", always=True),
    Attribute(
        "configs",
        read_file_references,
        _documents,
        "from `file`, `environment` or `content`",
    ),
    _string("container_name", "only for services of one container"),
    Attribute("credential_spec", read_credential_spec, _same, _WINDOWS, hollow=True),
    Attribute("depends_on", read_dependencies, _document_map, "`condition`, `restart`, `required`"),
    Attribute(
        "deploy",
        read_deploy,
        _document,
        "`replicas`, `resources`, `restart_policy`, `update_config`; the rest is for clusters",
    ),
    _strings("device_cgroup_rules"),
    Attribute("devices", read_devices, _documents),
    _string_or_list("dns"),
    _strings("dns_opt"),
    _string_or_list("dns_search"),
    _string("domainname"),
    Attribute("entrypoint", read_command, _command, "list or line; `[]` clears the image's", always=True),
    Attribute(
        "provider",
        read_provider,
        _same,
        "made by a program: `docker-TYPE`, or TYPE on the PATH",
        hollow=True,
    ),
    Attribute("environment", _read_environment, mapping, "mapping or list"),
    Attribute("env_file", _read_env_files, _render_env_files, "path, list, or `path`, `required`, `format: raw`"),
    Attribute("expose", _read_expose, strings),
    _strings("external_links", "containers of other projects, under a further name"),
    Attribute("extra_hosts", read_hosts, lambda v: [f"{h}={ip}" for h, ip in v], "`host-gateway` too"),
    _strings("group_add"),
    Attribute("gpus", read_gpus, _same, "`all`, or a list of requests"),
    _string("hostname"),
    Attribute("healthcheck", read_healthcheck, _document, "all keys", hollow=True),
    _string("image"),
    _bool("init"),
    _string("ipc", "`host`, `shareable`, `private`, `none`, `service:NAME`, `container:NAME`"),
    _string("isolation", _WINDOWS),
    Attribute("labels", read_labels, mapping, "mapping or list"),
    Attribute("label_file", read_string_or_list, strings, "files of `NAME=value`; `labels` go before them"),
    _strings("links", "`SERVICE[:NAME]`: a dependency, and a further name on shared networks"),
    Attribute("logging", read_logging, _document, hollow=True),
    _size("mem_limit"),
    _size("mem_reservation"),
    _size("memswap_limit"),
    Attribute("mem_swappiness", read_int, _size_text),
    _string("mac_address"),
    Attribute("models", read_model_uses, _same, "shown by `config`; `up` refuses it"),
    _string("network_mode", "`host`, `none`, `bridge`, `service:NAME`, `container:NAME`"),
    Attribute(
        "networks",
        read_attachments,
        _document_map,
        "all keys",
    ),
    _bool("oom_kill_disable"),
    _int("oom_score_adj"),
    _string("pid", "`host`, `service:NAME`, `container:NAME`"),
    _int("pids_limit"),
    _string("platform"),
    Attribute("ports", read_ports, _documents, "short form with ranges and host addresses, and long form"),
    _bool("privileged"),
    Attribute(
        "pull_policy", _read_pull_policy, _same, "`always`, `never`, `missing`, `build`, `daily`, `weekly`, `every_…`"
    ),
    _bool("read_only"),
    Attribute("restart", _read_restart, _same),
    _string("runtime"),
    Attribute("scale", read_int, _same, hollow=True),
    Attribute("secrets", _secrets, _documents, "from `file` or `environment`"),
    _strings("security_opt"),
    _size("shm_size"),
    _bool("stdin_open"),
    Attribute("stop_grace_period", read_duration, lambda v: None if v is None else format_duration(v)),
    _string("stop_signal"),
    Attribute("storage_opt", read_options, mapping),
    Attribute("sysctls", read_labels, mapping, "mapping or list"),
    _string_or_list("tmpfs"),
    _bool("tty"),
    Attribute("ulimits", read_ulimits, _document_map),
    Attribute("use_api_socket", read_bool, _same, "mounts the engine's socket: whoever holds it holds the engine"),
    _string("user"),
    _string("userns_mode"),
    _string("uts"),
    Attribute("volumes", read_volumes, _documents, "short and long form; types `bind`, `volume`, `tmpfs`, `image`"),
    _strings("volumes_from", "`SERVICE[:ro]`, `container:NAME[:ro]`"),
    _string("working_dir"),
    Attribute("pre_start", read_pre_start, _documents, "commands in containers of their own before the first start"),
    Attribute("post_start", read_hooks, _documents, "commands in the container once it has started"),
    Attribute("pre_stop", read_hooks, _documents, "commands in the container before it is stopped or restarted"),
)
