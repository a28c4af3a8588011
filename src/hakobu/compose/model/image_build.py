"""`build`: how an image is made of a directory. Kept in canonical form; who builds is asked for it by the plan."""

from hakobu.compose.model.reading import (
    Reader,
    read_bool,
    read_host_list,
    read_labels,
    read_list,
    read_shape,
    read_size_text,
    read_string,
    read_text,
    read_texts,
    read_variables,
)
from hakobu.compose.model.resource import read_file_references, read_ulimits
from hakobu.compose.node import Node, Scalar, Sequence
from hakobu.spec.step import Json


def _keys(node: Node, path: str) -> Json:
    """`ssh`: names, with a path where one is given."""
    if isinstance(node, Sequence):
        return [text.replace("=", ": ", 1) for text in read_list(node, path)]
    return [f"{name}: {value}" if value else name for name, value in read_variables(node, path).items()]


def _secrets(node: Node, path: str) -> Json:
    return [reference.to_json() for reference in read_file_references(node, path)]


def _ulimits(node: Node, path: str) -> Json:
    return {name: limit.to_json() for name, limit in read_ulimits(node, path).items()}


_SHAPE: dict[str, Reader] = {
    "context": read_string,
    "dockerfile": read_string,
    "dockerfile_inline": read_string,
    "entitlements": read_texts,
    "args": read_variables,
    "provenance": read_text,
    "sbom": read_text,
    "ssh": _keys,
    "labels": read_labels,
    "cache_from": read_texts,
    "cache_to": read_texts,
    "no_cache": read_bool,
    "additional_contexts": read_labels,
    "pull": read_bool,
    "extra_hosts": read_host_list,
    "isolation": read_string,
    "network": read_string,
    "target": read_string,
    "secrets": _secrets,
    "shm_size": read_size_text,
    "tags": read_texts,
    "ulimits": _ulimits,
    "platforms": read_texts,
    "privileged": read_bool,
}


def read_build(node: Node, path: str) -> dict[str, Json]:
    """A directory alone, or the whole; empty where nothing is said."""
    if isinstance(node, Scalar) and not node.is_null:
        return {"context": read_string(node, path)}
    return read_shape(node, path, _SHAPE)


def with_defaults(build: dict[str, Json], directory: str) -> dict[str, Json]:
    """The project's directory and `Dockerfile` where nothing else is said."""
    if not build:
        return build
    whole = {"context": directory, **build}
    if not whole.get("dockerfile") and not whole.get("dockerfile_inline"):
        whole["dockerfile"] = "Dockerfile"
    return {key: whole[key] for key in _SHAPE if key in whole}


def secrets_of(build: dict[str, Json]) -> tuple[str, ...]:
    """The project's secrets that a build uses."""
    secrets = build.get("secrets")
    listed = secrets if isinstance(secrets, list) else []
    return tuple(str(secret["source"]) for secret in listed if isinstance(secret, dict))
