"""Several Compose files as one: the merge rules of the specification, on nodes, so that places are kept.

Mappings merge key by key, lists append, scalars are replaced; `command`, `entrypoint` and `healthcheck.test` are
replaced whole. `!reset` takes a value away, `!override` puts one in its stead. What an attribute may be written as
(a list of `NAME=value` for a mapping) is a table; so is what makes two items of a list the same. Pure.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from hakobu.compose.failure import BadComposeFile
from hakobu.compose.model.dependency import STARTED
from hakobu.compose.model.port import expand_short
from hakobu.compose.node import MappingNode, Node, Scalar, Sequence, null, string

Path: TypeAlias = "tuple[str, ...]"

_SERVICE = ("services", "*")
_NAMED = frozenset({(s,) for s in ("services", "networks", "volumes", "secrets", "configs", "models")})


def _of_service(*names: str) -> frozenset[Path]:
    return frozenset((*_SERVICE, *name.split(".")) for name in names)


_PAIRS = _of_service(
    *("environment", "labels", "annotations", "sysctls", "storage_opt", "deploy.labels"),
    *("build.args", "build.labels", "build.additional_contexts", "build.ssh"),
) | {(s, "*", "labels") for s in ("networks", "volumes", "secrets", "configs")}
_NAMES = _of_service("depends_on", "networks", "models")
_ONE_OR_MORE = _of_service("dns", "dns_search", "tmpfs", "env_file", "label_file")
_REPLACED = _of_service("command", "entrypoint", "healthcheck.test")
_POOLS = ("networks", "*", "ipam", "config")


def merge(base: Node, other: Node) -> Node:
    """The top-level documents of two files as one."""
    return without_tags(_merge(without_tags(base), other, ()))


def merge_service(base: Node, own: Node) -> Node:
    """A service that extends another; the marks of `own` stay, because they also hold for earlier files."""
    return _merge(without_tags(base), own, _SERVICE)


def without_tags(node: Node) -> Node:
    """The document with `!reset` values gone and `!override` marks dropped."""
    if isinstance(node, MappingNode):
        kept = {key: without_tags(value) for key, value in node if value.tag != "!reset"}
        return replace(node, entries=kept, tag="")
    if isinstance(node, Sequence):
        return replace(node, items=tuple(without_tags(i) for i in node.items if i.tag != "!reset"), tag="")
    return replace(node, tag="") if node.tag else node


def unique(node: Node, path: Path = ()) -> Node:
    """The document with each list's items once: of two that mean the same place, the later stands at the earlier's."""
    if isinstance(node, MappingNode):
        return node.with_entries({key: unique(value, _below(path, key)) for key, value in node})
    if not isinstance(node, Sequence):
        return node
    items = _expanded_ports(node) if path == _PORTS else node.items
    identity = _IDENTITIES.get(path)
    if identity is None:
        return node
    merged: dict[object, Node] = {}
    for item in items:
        merged[identity(item)] = item
    return replace(node, items=tuple(merged.values()))


def _below(path: Path, key: str) -> Path:
    named = path in _NAMED or path == (*_SERVICE, "networks")
    return (*path, "*") if named else (*path, key)


def _merge(base: Node, other: Node, path: Path) -> Node:
    if other.tag in ("!reset", "!override"):
        return other
    if isinstance(other, Scalar) and other.is_null and path not in _REPLACED:
        return base
    if isinstance(base, Scalar) and base.is_null:
        return other
    base, other = _as_mapping(base, path), _as_mapping(other, path)
    if isinstance(base, MappingNode) and isinstance(other, MappingNode):
        return _merge_mappings(base, other, path)
    base, other = _as_list(base, path), _as_list(other, path)
    if isinstance(base, Sequence) and isinstance(other, Sequence) and path not in _REPLACED:
        return _merge_pools(base, other) if path == _POOLS else replace(base, items=(*base.items, *other.items))
    return other


def _merge_mappings(base: MappingNode, other: MappingNode, path: Path) -> Node:
    if path == (*_SERVICE, "logging") and _text(base, "driver") != _text(other, "driver") and other.get("driver"):
        return other
    entries, marks = dict(base.entries), dict(base.marks)
    for key, value in other:
        entries[key] = _merge(entries[key], value, _below(path, key)) if key in entries else value
        marks[key] = other.mark_of(key)
    return replace(base, entries=entries, marks=marks)


def _merge_pools(base: Sequence, other: Sequence) -> Sequence:
    """Address pools of a network: those of one subnet are one."""
    merged: dict[object, Node] = {}
    for item in (*base.items, *other.items):
        subnet = _text(item, "subnet") if isinstance(item, MappingNode) else id(item)
        merged[subnet] = _merge(merged[subnet], item, (*_POOLS, "*")) if subnet in merged else item
    return replace(base, items=tuple(merged.values()))


def _text(node: MappingNode, key: str) -> str:
    value = node.get(key)
    return value.text if isinstance(value, Scalar) else ""


def _as_mapping(node: Node, path: Path) -> Node:
    """The mapping that a shorter form stands for, where the attribute allows both."""
    if path == (*_SERVICE, "build") and isinstance(node, Scalar):
        return MappingNode({"context": node}, {"context": node.mark}, node.mark)
    if not isinstance(node, Sequence) or path not in _PAIRS | _NAMES:
        return node
    entries: dict[str, Node] = {}
    for item in node.items:
        if not isinstance(item, Scalar):
            return node
        name, equals, value = item.text.partition("=") if path in _PAIRS else (item.text, "", "")
        entries[name] = string(value, item.mark) if equals else null(item.mark)
        if path == (*_SERVICE, "depends_on"):
            entries[name] = MappingNode({"condition": string(STARTED, item.mark)}, {}, item.mark)
    return MappingNode(entries, {key: value.mark for key, value in entries.items()}, node.mark)


def _as_list(node: Node, path: Path) -> Node:
    if isinstance(node, Scalar) and path in _ONE_OR_MORE:
        return Sequence((node,), node.mark)
    if isinstance(node, MappingNode) and path[-1:] == ("extra_hosts",):
        pairs = [(host, ip) for host, value in node for ip in _items(value)]
        return Sequence(tuple(string(f"{host}={ip.text}", ip.mark) for host, ip in pairs), node.mark)
    return node


def _items(node: Node) -> tuple[Scalar, ...]:
    items = node.items if isinstance(node, Sequence) else (node,)
    return tuple(item for item in items if isinstance(item, Scalar))


def _plain(item: Node) -> object:
    return item.text if isinstance(item, Scalar) else id(item)


def _mount_target(item: Node) -> object:
    """The place in the container at which a mount or a device appears."""
    if isinstance(item, MappingNode):
        return _text(item, "target") or _text(item, "source")
    if not isinstance(item, Scalar):
        return id(item)
    parts = item.text.split(":")
    return parts[1] if len(parts) > 1 else parts[0]


def _expanded_ports(node: Sequence) -> tuple[Node, ...]:
    """Each port of a range by itself, so that it can be told from others; what is none is left to the reader."""
    found: list[Node] = []
    for item in node.items:
        try:
            texts = expand_short(item, "") if isinstance(item, Scalar) else ()
        except BadComposeFile:
            texts = ()
        found += [replace(item, text=t, value=t) for t in texts] if isinstance(item, Scalar) and texts else [item]
    return tuple(found)


def _port(item: Node) -> object:
    if isinstance(item, MappingNode):
        parts = [_text(item, key) for key in ("host_ip", "published", "target")]
        return (*parts, _text(item, "protocol") or "tcp")
    if not isinstance(item, Scalar):
        return id(item)
    address, _, protocol = item.text.partition("/")
    ip, _, host = address.rpartition(":")[0].rpartition(":")
    return (ip.strip("[]"), host, address.rpartition(":")[2], protocol or "tcp")


def _file_target(default: str) -> Callable[[Node], object]:
    """Where a secret or config appears: below `default` where nothing is said."""

    def target(item: Node) -> object:
        if isinstance(item, MappingNode):
            return _text(item, "target") or f"{default}/{_text(item, 'source')}"
        return f"{default}/{item.text}" if isinstance(item, Scalar) else id(item)

    return target


def _host(item: Node) -> object:
    if not isinstance(item, Scalar) or "=" in item.text:
        return _plain(item)
    return item.text.replace(":", "=", 1)


def _env_file(item: Node) -> object:
    return _text(item, "path") if isinstance(item, MappingNode) else _plain(item)


_PORTS = (*_SERVICE, "ports")
_IDENTITIES: dict[Path, Callable[[Node], object]] = {
    **dict.fromkeys(
        _of_service(
            *("cap_add", "cap_drop", "device_cgroup_rules", "dns", "dns_opt", "dns_search", "expose", "external_links"),
            *("group_add", "label_file", "links", "networks.*.aliases", "networks.*.link_local_ips", "profiles"),
            *("security_opt", "tmpfs", "volumes_from", "build.tags", "build.platforms"),
        ),
        _plain,
    ),
    **dict.fromkeys(_of_service("volumes", "devices"), _mount_target),
    **dict.fromkeys(_of_service("extra_hosts", "build.extra_hosts"), _host),
    (*_SERVICE, "secrets"): _file_target("/run/secrets"),
    (*_SERVICE, "configs"): _file_target(""),
    (*_SERVICE, "env_file"): _env_file,
    _PORTS: _port,
}
