"""From files to one document: read, interpolated, extended, with what they include, merged; every path absolute.

A `Unit` is what one set of files shares: its directory and its variables. The project is one, and each `include` is
one of its own, which is why its paths and its `.env` are its own.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from hakobu.compose.disk import Disk
from hakobu.compose.env_file import parse_env
from hakobu.compose.extends import Extender
from hakobu.compose.failure import BadComposeFile, Mark
from hakobu.compose.include import Include, combine, read_includes
from hakobu.compose.interpolation import interpolate
from hakobu.compose.merge import merge, unique, without_tags
from hakobu.compose.node import MappingNode, Node, Scalar
from hakobu.compose.path import Base, absolute
from hakobu.compose.yaml import parse_all


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """`variables` None: nothing is interpolated; not `resolve_paths`: they stay as written."""

    base: Base
    variables: Mapping[str, str]
    warn: Callable[[str], None]
    disk: Disk
    interpolate: bool = True
    resolve_paths: bool = True

    def prepared(self, document: MappingNode) -> MappingNode:
        """A document with its variables replaced."""
        return _mapping(interpolate(document, self.variables.get, self.warn)) if self.interpolate else document


def read_documents(file: str, disk: Disk) -> tuple[MappingNode, ...]:
    """The documents of a file, in their order, as written."""
    found: list[MappingNode] = []
    for node in parse_all(disk.read(file), file):
        if isinstance(node, Scalar) and node.is_null:
            continue
        if not isinstance(node, MappingNode):
            raise BadComposeFile(node.mark, "top-level object must be a mapping")
        found.append(node)
    if not found:
        raise BadComposeFile(Mark(file), "empty compose file")
    return tuple(found)


def read_unit(files: Mapping[str, tuple[MappingNode, ...]], unit: Unit, chain: tuple[str, ...] = ()) -> MappingNode:
    """One document for all files of a unit; `chain` are the files that include this one."""
    merged: Node | None = None
    for file, documents in files.items():
        if file in chain:
            trail = "\n  include ".join((*chain[chain.index(file) :], file))
            raise BadComposeFile(Mark(file), f"include cycle detected:\n  {trail}")
        for document in documents:
            whole = _whole(unit.prepared(document), file, unit, (*chain, file))
            merged = whole if merged is None else merge(merged, whole)
    assert merged is not None
    return _mapping(unique(without_tags(merged)))


def _whole(document: MappingNode, file: str, unit: Unit, chain: tuple[str, ...]) -> MappingNode:
    """A document with what it extends and includes; its own paths are made absolute in between."""
    extender = Extender(
        lambda path: [unit.prepared(d) for d in read_documents(path, unit.disk)], unit.disk.has, unit.base.home
    )
    document = extender.extended(document, file, unit.base.directory)
    if unit.resolve_paths:
        document = _mapping(absolute(document, unit.base))
    includes = read_includes(document)
    for include in includes:
        document = combine(document, _included(include, unit, chain))
    kept = {key: value for key, value in document if key != "include"}
    return document.with_entries(kept)


def _included(include: Include, unit: Unit, chain: tuple[str, ...]) -> MappingNode:
    paths = [unit.base.path(path) for path in include.paths]
    directory = unit.base.path(include.project_directory) if include.project_directory else os.path.dirname(paths[0])
    env_files = [unit.base.path(file) for file in include.env_files]
    if not env_files and unit.disk.has_file(default := os.path.join(directory, ".env")):
        env_files = [default]
    variables = {**variables_of(env_files, unit.variables, unit.disk), **unit.variables}
    inner = replace(unit, base=Base(directory, unit.base.home), variables=variables)
    documents = {path: read_documents(path, unit.disk) for path in paths}
    return read_unit(documents, inner, chain)


def variables_of(files: list[str], outer: Mapping[str, str], disk: Disk) -> dict[str, str]:
    """The variables that files set, each seeing those before it and, first, the outer ones."""
    found: dict[str, str] = {}
    for file in files:
        if file == os.devnull:
            continue
        if not disk.has(file):
            raise BadComposeFile(Mark(file), f"couldn't find env file: {file}")
        values = parse_env(disk.read(file), file, {**found, **outer}.get)
        found |= {name: value for name, value in values.items() if value is not None}
    return found


def _mapping(node: Node) -> MappingNode:
    assert isinstance(node, MappingNode)
    return node
