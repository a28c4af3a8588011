"""Several Compose files as one: the merge rules of the specification, on nodes, so that places are kept.

Mappings merge key by key, lists append without repetition, scalars are replaced; `command`, `entrypoint` and
`healthcheck.test` are replaced whole. `!reset` takes a value away, `!override` puts one in its stead.
"""

from collections.abc import Callable
from dataclasses import replace

from hakobu.compose.node import MappingNode, Node, Scalar, Sequence, null, string

# Attributes that may be a list or a mapping, and how an item of the list becomes a key and a value.
_EQUALS = frozenset({"environment", "labels", "annotations", "sysctls", "storage_opt"})
_NAMES = frozenset({"depends_on", "networks"})
_REPLACED = frozenset({"command", "entrypoint", "test"})


def merge(base: Node, other: Node) -> Node:
    """The top-level documents of two files as one."""
    return without_tags(_merge(without_tags(base), other, ()))


def without_tags(node: Node) -> Node:
    """The document with `!reset` values gone and `!override` marks dropped."""
    if isinstance(node, MappingNode):
        kept = {key: without_tags(value) for key, value in node if value.tag != "!reset"}
        return replace(node, entries=kept, tag="")
    if isinstance(node, Sequence):
        return replace(node, items=tuple(without_tags(i) for i in node.items if i.tag != "!reset"), tag="")
    return node


def _merge(base: Node, other: Node, path: tuple[str, ...]) -> Node:
    if other.tag in ("!reset", "!override"):
        return other
    if isinstance(other, Scalar) and other.is_null:
        return base
    if isinstance(base, Scalar) and base.is_null:
        return other
    base, other = _as_mapping(base, path), _as_mapping(other, path)
    if isinstance(base, MappingNode) and isinstance(other, MappingNode):
        return _merge_mappings(base, other, path)
    base, other = _as_list(base, path), _as_list(other, path)
    if isinstance(base, Sequence) and isinstance(other, Sequence) and not _is_replaced(path):
        return _merge_lists(base, other, path)
    return other


def _is_replaced(path: tuple[str, ...]) -> bool:
    return _of_service(path) in _REPLACED or path[-2:] == ("healthcheck", "test")


def _of_service(path: tuple[str, ...]) -> str:
    return path[2] if len(path) == 3 and path[0] == "services" else ""


def _merge_mappings(base: MappingNode, other: MappingNode, path: tuple[str, ...]) -> Node:
    if _of_service(path) == "logging" and _text(base, "driver") != _text(other, "driver") and other.get("driver"):
        return other
    entries, marks = dict(base.entries), dict(base.marks)
    for key, value in other:
        entries[key] = _merge(entries[key], value, (*path, key)) if key in entries else value
        marks[key] = other.mark_of(key)
    return replace(base, entries=entries, marks=marks)


def _text(node: MappingNode, key: str) -> str:
    value = node.get(key)
    return value.text if isinstance(value, Scalar) else ""


def _as_mapping(node: Node, path: tuple[str, ...]) -> Node:
    """The mapping that a list of names or of NAME=value stands for, where the attribute allows both."""
    attribute = _of_service(path)
    if not isinstance(node, Sequence) or attribute not in _EQUALS | _NAMES:
        return node
    entries: dict[str, Node] = {}
    for item in node.items:
        if not isinstance(item, Scalar):
            return node
        name, equals, value = item.text.partition("=") if attribute in _EQUALS else (item.text, "", "")
        entries[name] = string(value, item.mark) if equals else null(item.mark)
    return MappingNode(entries, {key: value.mark for key, value in entries.items()}, node.mark)


def _as_list(node: Node, path: tuple[str, ...]) -> Node:
    if isinstance(node, Scalar) and _of_service(path) in ("dns", "dns_search", "tmpfs", "env_file"):
        return Sequence((node,), node.mark)
    if isinstance(node, MappingNode) and _of_service(path) == "extra_hosts":
        pairs = [(host, ip) for host, value in node for ip in _items(value)]
        return Sequence(tuple(string(f"{host}={ip.text}", ip.mark) for host, ip in pairs), node.mark)
    return node


def _items(node: Node) -> tuple[Scalar, ...]:
    items = node.items if isinstance(node, Sequence) else (node,)
    return tuple(item for item in items if isinstance(item, Scalar))


def _merge_lists(base: Sequence, other: Sequence, path: tuple[str, ...]) -> Sequence:
    """Appended; an item with the identity of an earlier one takes its place."""
    identity = _IDENTITIES.get(_of_service(path), _plain_identity)
    merged: dict[object, Node] = {}
    for item in (*base.items, *other.items):
        merged[identity(item)] = item
    return replace(base, items=tuple(merged.values()))


def _plain_identity(item: Node) -> object:
    return item.text if isinstance(item, Scalar) else id(item)


def _target(item: Node, separator: str = ":") -> object:
    """The place in the container at which a mount or a device appears."""
    if isinstance(item, MappingNode):
        return _text(item, "target") or _text(item, "source")
    if not isinstance(item, Scalar):
        return id(item)
    parts = item.text.split(separator)
    return parts[1] if len(parts) > 1 else parts[0]


def _port(item: Node) -> object:
    if isinstance(item, MappingNode):
        parts = [_text(item, key) for key in ("host_ip", "published", "target")]
        return (*parts, _text(item, "protocol") or "tcp")
    if not isinstance(item, Scalar):
        return id(item)
    address, _, protocol = item.text.partition("/")
    ip, _, host = address.rpartition(":")[0].rpartition(":")
    return (ip, host, address.rpartition(":")[2], protocol or "tcp")


def _source(item: Node) -> object:
    if isinstance(item, MappingNode):
        return _text(item, "target") or _text(item, "source")
    return _plain_identity(item)


def _host(item: Node) -> object:
    return item.text.replace("=", ":", 1) if isinstance(item, Scalar) else id(item)


_IDENTITIES: dict[str, Callable[[Node], object]] = {
    "volumes": _target,
    "devices": _target,
    "ports": _port,
    "secrets": _source,
    "configs": _source,
    "extra_hosts": _host,
}
