"""A project's files as an OCI artifact, as docker compose makes it: a layer for each file. Pure but for `read`.

Files that others name (`extends`, `env_file`) are called by their path's digest, also where they are named; the text
is otherwise as it was written. What cannot travel (`include`, services that are only built) is refused.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from hakobu.compose.failure import BadComposeFile, Mark, raise_mistakes
from hakobu.compose.label import COMPATIBLE_VERSION
from hakobu.compose.node import MappingNode, Node, Scalar, Sequence
from hakobu.compose.yaml import parse_all
from hakobu.errors import Invalid
from hakobu.spec.descriptor import Descriptor
from hakobu.spec.digest import Digest
from hakobu.spec.manifest import Manifest

ARTIFACT = "application/vnd.docker.compose.project"
_FILE, _ENV_FILE = "application/vnd.docker.compose.file+yaml", "application/vnd.docker.compose.envfile"
_FILE_NAME, _ENV_NAME = "com.docker.compose.file", "com.docker.compose.envfile"
_EXTENDS, _VERSION = "com.docker.compose.extends", "com.docker.compose.version"
EMPTY = b"{}"
MAX_FILES, MAX_FILE_BYTES = 100, 4 << 20


class NotAnApplication(Invalid):
    """What a reference names is something else, or damaged."""

    def __init__(self, reference: str, reason: str) -> None:
        super().__init__(f"{reference} is not a Compose application: {reason}")


@dataclass(frozen=True, slots=True)
class Part:
    """One file of an artifact; `extended` ones are not given on the command line, others name them."""

    name: str
    data: bytes
    is_env: bool = False
    extended: bool = False

    def layer(self) -> Descriptor:
        notes = {_ENV_NAME if self.is_env else _FILE_NAME: self.name, _VERSION: COMPATIBLE_VERSION}
        return Descriptor(
            media_type=_ENV_FILE if self.is_env else _FILE,
            digest=Digest.of(self.data),
            size=len(self.data),
            annotations=notes | ({_EXTENDS: "true"} if self.extended else {}),
        )


def manifest_of(parts: Iterable[Part], created: str) -> Manifest:
    """`created`: the time, as RFC 3339 has it."""
    config = Descriptor(media_type="application/vnd.oci.empty.v1+json", digest=Digest.of(EMPTY), size=len(EMPTY))
    return Manifest(
        config=config,
        layers=tuple(part.layer() for part in parts),
        annotations={"org.opencontainers.image.created": created},
        artifact_type=ARTIFACT,
    )


@dataclass(slots=True)
class Packer:
    """Collects the files of a project, from those given; `read` gives a file's text, `with_env` lets env files in."""

    read: Callable[[str], str]
    with_env: bool = False
    _root: str = ""
    _parts: dict[str, Part] = field(default_factory=dict[str, Part])

    def packed(self, files: Iterable[str]) -> tuple[Part, ...]:
        """All parts, the given files first; BadComposeFile for each thing that cannot travel."""
        files = tuple(files)
        self._root = os.path.dirname(files[0])
        given = [self._file(file, os.path.basename(file), extended=False) for file in files]
        if len({part.name for part in given}) != len(given):
            raise Invalid("two of the files have the same name, which an artifact cannot tell apart")
        return (*given, *self._parts.values())

    def _file(self, file: str, name: str, *, extended: bool) -> Part:
        text, mistakes = self.read(file), list[BadComposeFile]()
        changes: dict[Mark, tuple[Scalar, str]] = {}
        for document in parse_all(text, file):
            if isinstance(document, MappingNode):
                for node, is_env in _named_files(document, mistakes):
                    if is_env and not self.with_env:
                        mistakes.append(BadComposeFile(node.mark, "env_file is published only with --with-env"))
                    elif "${" not in node.text:
                        changes[node.mark] = (node, self._named(node.text, os.path.dirname(file), is_env))
                    else:
                        mistakes.append(BadComposeFile(node.mark, "a file named by a variable cannot be published"))
        raise_mistakes(mistakes)
        return Part(name, _replaced(text, list(changes.values())).encode(), extended=extended)

    def _named(self, path: str, directory: str, is_env: bool) -> str:
        whole = os.path.normpath(os.path.join(directory, path))
        ending = ".env" if is_env else os.path.splitext(whole)[1] or ".yaml"
        name = hashlib.sha256(os.path.relpath(whole, self._root).encode()).hexdigest() + ending
        if whole not in self._parts:
            self._parts[whole] = (
                Part(name, self.read(whole).encode(), is_env=True) if is_env else self._file(whole, name, extended=True)
            )
        return self._parts[whole].name


def _named_files(document: MappingNode, mistakes: list[BadComposeFile]) -> Iterator[tuple[Scalar, bool]]:
    """The places that name a file of the project, with whether it is an env file."""
    if "include" in document.entries:
        text = "include cannot be published: give the files with -f, or publish the included project by itself"
        mistakes.append(BadComposeFile(document.mark_of("include"), text))
    services = document.get("services")
    for name, service in services if isinstance(services, MappingNode) else ():
        if not isinstance(service, MappingNode):
            continue
        if service.get("build") is not None and service.get("image") is None:
            text = f"services.{name} is only built: an application that is published needs an image"
            mistakes.append(BadComposeFile(service.mark_of("build"), text))
        extends = service.get("extends")
        file = extends.get("file") if isinstance(extends, MappingNode) else None
        yield from ((node, False) for node in (file,) if isinstance(node, Scalar))
        yield from ((node, True) for node in _env_files(service.get("env_file")))


def _env_files(node: "Node | None") -> Iterator[Scalar]:
    for item in node.items if isinstance(node, Sequence) else (node,):
        found = item.get("path") if isinstance(item, MappingNode) else item
        if isinstance(found, Scalar) and not found.is_null:
            yield found


def _replaced(text: str, changes: list[tuple[Scalar, str]]) -> str:
    """The text with scalars replaced at their places, quoted; the last first, so that places hold."""
    lines = text.splitlines(keepends=True)
    for scalar, new in sorted(changes, key=lambda change: (change[0].mark.line, change[0].mark.column), reverse=True):
        at, start = scalar.mark.line - 1, scalar.mark.column - 1
        rest = lines[at][start:]
        written = next((w for w in (scalar.text, f"'{scalar.text}'", f'"{scalar.text}"') if rest.startswith(w)), "")
        if not written:
            raise BadComposeFile(scalar.mark, "a file's name must be written plainly to be published")
        lines[at] = f'{lines[at][:start]}"{new}"{rest[len(written) :]}'
    return "".join(lines)


def parts_of(reference: str, manifest: Manifest) -> tuple[tuple[Descriptor, str, bool], ...]:
    """Each file's layer, name and whether it is one of those to be given; NotAnApplication for anything else."""
    if manifest.artifact_type != ARTIFACT:
        raise NotAnApplication(reference, f"its type is {manifest.artifact_type or manifest.config.media_type!r}")
    found: list[tuple[Descriptor, str, bool]] = []
    for layer in manifest.layers:
        name = layer.annotations.get(_ENV_NAME if layer.media_type == _ENV_FILE else _FILE_NAME, "")
        if layer.media_type not in (_FILE, _ENV_FILE):
            continue
        if not name or name != os.path.basename(name) or name in (".", ".."):
            raise NotAnApplication(reference, f"a file of it is called {name!r}")
        if layer.size > MAX_FILE_BYTES or len(found) == MAX_FILES:
            raise NotAnApplication(reference, "it is too large")
        found.append((layer, name, layer.media_type == _FILE and layer.annotations.get(_EXTENDS) != "true"))
    if not any(given for _, _, given in found):
        raise NotAnApplication(reference, "it has no Compose file")
    return tuple(found)
