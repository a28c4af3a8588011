"""A container's variables: `env`, `envFrom`, what they refer to, and `$(NAME)` in values and arguments. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from hakobu.compose.failure import BadComposeFile
from hakobu.compose.model.reading import Reader, read_bool, read_each, read_string, read_text
from hakobu.compose.node import Node
from hakobu.formats.kube.field import fields, refused
from hakobu.formats.kube.object import FileSet, Meta
from hakobu.formats.note import refuse

_REFERENCE = re.compile(r"\$\$|\$\(([-._a-zA-Z0-9]+)\)")
_META = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What references may lead to."""

    pod: Meta
    files: Mapping[tuple[str, bool], FileSet]


def expand(text: str, values: Mapping[str, str]) -> str:
    """`$(NAME)` replaced where the name is known; `$$` stands for a dollar sign."""

    def replaced(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else values.get(match[1], match[0])

    return _REFERENCE.sub(replaced, text)


def read_env(node: Node, path: str, around: Surroundings, before: Mapping[str, str]) -> dict[str, str]:
    """`env`; each value sees the variables before it."""
    values = dict(before)

    def read(node: Node, path: str) -> None:
        readers: dict[str, Reader] = {
            "name": read_string,
            "value": read_text,
            "valueFrom": lambda n, p: _value_from(n, p, around),
        }
        said = fields(node, path, readers, "name")
        if "value" in said or said.get("valueFrom") is not None or "valueFrom" not in said:
            values[said["name"]] = (
                expand(said.get("value", ""), values) if "value" in said else said.get("valueFrom") or ""
            )

    read_each(node, path, read)
    return values


def _value_from(node: Node, path: str, around: Surroundings) -> str | None:
    readers: dict[str, Reader] = {
        "configMapKeyRef": lambda n, p: _key(n, p, False, around),
        "secretKeyRef": lambda n, p: _key(n, p, True, around),
        "fieldRef": lambda n, p: _field(n, p, around.pod),
        "resourceFieldRef": refused("write the number"),
        "fileKeyRef": refused("write the value"),
    }
    said = fields(node, path, readers)
    if len(said) != 1:
        raise BadComposeFile(node.mark, "needs one of configMapKeyRef, secretKeyRef, fieldRef", path=path)
    return next(iter(said.values()))


def _found(node: Node, path: str, name: str, secret: bool, around: Surroundings, optional: bool) -> FileSet | None:
    found = around.files.get((name, secret))
    if found is None and not optional:
        raise BadComposeFile(
            node.mark, f"names no {'Secret' if secret else 'ConfigMap'} of the file: {name!r}", path=path
        )
    return found


def _key(node: Node, path: str, secret: bool, around: Surroundings) -> str | None:
    said = fields(node, path, {"name": read_string, "key": read_string, "optional": read_bool}, "name", "key")
    optional = bool(said.get("optional"))
    found = _found(node, path, said["name"], secret, around, optional)
    if found and said["key"] in found.data:
        return found.data[said["key"]]
    if optional:
        return None
    raise BadComposeFile(node.mark, f"{said['name']} has no key {said['key']!r}", path=path)


def _field(node: Node, path: str, pod: Meta) -> str:
    said = fields(node, path, {"fieldPath": read_string, "apiVersion": read_string}, "fieldPath")
    name = said["fieldPath"]
    known = {"metadata.name": pod.name, "metadata.namespace": "default", "spec.serviceAccountName": "default"}
    if name in known:
        return known[name]
    if match := _META.fullmatch(name):
        return (pod.labels if match[1] == "labels" else pod.annotations).get(match[2], "")
    raise refuse(node, f"{path}.fieldPath", f"{name} is known only when the pod runs, or in a cluster")


def read_env_from(node: Node, path: str, around: Surroundings) -> dict[str, str]:
    """`envFrom`: all keys of the named objects."""
    values: dict[str, str] = {}

    def reference(secret: bool) -> Reader:
        def read(node: Node, path: str) -> Mapping[str, str]:
            said = fields(node, path, {"name": read_string, "optional": read_bool}, "name")
            found = _found(node, path, said["name"], secret, around, bool(said.get("optional")))
            return found.data if found else {}

        return read

    def read(node: Node, path: str) -> None:
        readers: dict[str, Reader] = {
            "prefix": read_string,
            "configMapRef": reference(False),
            "secretRef": reference(True),
        }
        said = fields(node, path, readers)
        prefix = said.pop("prefix", "")
        for data in said.values():
            values.update({f"{prefix}{key}": value for key, value in data.items()})

    read_each(node, path, read)
    return values
