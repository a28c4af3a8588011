"""Relative paths made absolute, on nodes: which attributes hold paths is a table, what they start from the caller's.

Every file of a project is resolved before it is merged, because an included or extended file's paths are relative
to its own directory. A value that names no local file (a URL, a volume, `service:x`) stays as it is. Pure.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from hakobu.compose.node import MappingNode, Node, Scalar, Sequence

_WINDOWS = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_REMOTE = ("github.com/", "git@", "service:")


@dataclass(frozen=True, slots=True)
class Base:
    """What relative paths are relative to, and whose home `~` is."""

    directory: str
    home: str

    def path(self, text: str) -> str:
        """An absolute path for one that starts with `.`, `~` or a name."""
        if _WINDOWS.match(text):
            return text
        if text == "~" or text.startswith("~/"):
            text = self.home + text[1:]
        return os.path.normpath(os.path.join(self.directory, text))

    def mount(self, text: str) -> str:
        """A short mount with its source absolute, where that is a path and not a volume's name."""
        source, colon, rest = text.partition(":")
        return f"{self.path(source)}:{rest}" if colon and source[:1] in (".", "~") and source else text


Resolve: TypeAlias = Callable[[str, Base], str]


def _plain(text: str, base: Base) -> str:
    return base.path(text) if text else text


def _context(text: str, base: Base) -> str:
    """A build context is a directory, or something to fetch."""
    return text if "://" in text or text.startswith(_REMOTE) else base.path(text)


def _named_context(text: str, base: Base) -> str:
    name, equals, context = text.partition("=")
    return f"{name}={_context(context, base)}" if equals else text


def _named_path(text: str, base: Base) -> str:
    name, equals, path = text.partition("=")
    return f"{name}={base.path(path)}" if equals else text


def _mount(text: str, base: Base) -> str:
    return base.mount(text)


_TABLE: dict[tuple[str, ...], Resolve] = {
    ("services", "*", "build"): _context,
    ("services", "*", "build", "context"): _context,
    ("services", "*", "build", "additional_contexts"): _named_context,
    ("services", "*", "build", "additional_contexts", "*"): _context,
    ("services", "*", "build", "ssh"): _named_path,
    ("services", "*", "build", "ssh", "*"): _plain,
    ("services", "*", "env_file"): _plain,
    ("services", "*", "env_file", "path"): _plain,
    ("services", "*", "label_file"): _plain,
    ("services", "*", "volumes"): _mount,
    ("services", "*", "develop", "watch", "path"): _plain,
    ("secrets", "*", "file"): _plain,
    ("configs", "*", "file"): _plain,
}
_PREFIXES = {path[:i] for path in (*_TABLE, ("volumes", "*")) for i in range(len(path) + 1)}


def absolute(node: Node, base: Base) -> Node:
    """A document with the paths of its services, secrets, configs and bound volumes absolute."""
    return _walk(node, (), base)


def absolute_service(node: Node, base: Base) -> Node:
    """One service of a document."""
    return _walk(node, ("services", "*"), base)


def _walk(node: Node, path: tuple[str, ...], base: Base) -> Node:
    """A list's items are looked up under the list's own path."""
    if isinstance(node, Scalar):
        resolve = _TABLE.get(path)
        if resolve is None or not isinstance(node.value, str):
            return node
        text = resolve(node.value, base)
        return replace(node, text=text, value=text)
    if isinstance(node, Sequence):
        return replace(node, items=tuple(_walk(item, path, base) for item in node.items))
    if path == ("services", "*", "volumes"):
        return _bind(node, base)
    if path == ("volumes", "*"):
        return _device(node, base)
    return _walk_mapping(node, path, base)


def _walk_mapping(node: MappingNode, path: tuple[str, ...], base: Base) -> MappingNode:
    entries: dict[str, Node] = {}
    for key, value in node:
        below = (*path, key)
        if below not in _PREFIXES:
            below = (*path, "*")
        entries[key] = _walk(value, below, base) if below in _PREFIXES else value
    return node.with_entries(entries)


def _bind(node: MappingNode, base: Base) -> MappingNode:
    """The source of a long mount of type bind."""
    kind, source = node.get("type"), node.get("source")
    if (
        isinstance(kind, Scalar)
        and kind.value == "bind"
        and isinstance(source, Scalar)
        and isinstance(source.value, str)
    ):
        text = _plain(source.value, base)
        return node.with_entries({**node.entries, "source": replace(source, text=text, value=text)})
    return node


def _device(node: MappingNode, base: Base) -> MappingNode:
    """What a local volume binds."""
    options, driver = node.get("driver_opts"), node.get("driver")
    if not isinstance(options, MappingNode) or not isinstance(driver, Scalar) or driver.value != "local":
        return node
    device, kind = options.get("device"), options.get("o")
    if not isinstance(device, Scalar) or not isinstance(kind, Scalar) or kind.value != "bind":
        return node
    text = base.path(device.text)
    changed = options.with_entries({**options.entries, "device": replace(device, text=text, value=text)})
    return node.with_entries({**node.entries, "driver_opts": changed})
