"""Images as list, inspect and history show them; what the OCI configuration says, in Docker's words."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from hakobu.api.time import rfc3339_nano
from hakobu.engine.services import Image, ImageManifest
from hakobu.spec.step import Json
from hakobu.wire.version import ApiVersion, fit

_EMPTY_CONFIG: dict[str, Any] = {
    "Hostname": "",
    "Domainname": "",
    "User": "",
    "AttachStdin": False,
    "AttachStdout": False,
    "AttachStderr": False,
    "Tty": False,
    "OpenStdin": False,
    "StdinOnce": False,
    "Env": None,
    "Cmd": None,
    "Image": "",
    "Volumes": None,
    "WorkingDir": "",
    "Entrypoint": None,
    "OnBuild": None,
    "Labels": None,
}


MANIFESTS_SINCE = ApiVersion(1, 47)


def summary(
    image: Image, version: ApiVersion, *, shared_size: int = -1, containers: int = -1, manifests: bool = False
) -> dict[str, Any]:
    value: dict[str, Any] = {
        "Containers": containers if containers >= 0 else -1,
        "Created": image.created_ns // 1_000_000_000,
        "Id": image.id,
        "Labels": labels(image) or None,
        "ParentId": image.parent,
        "RepoDigests": list(image.digests) or (None if image.references else ["<none>@<none>"]),
        "RepoTags": list(image.references) or ([] if image.digests else ["<none>:<none>"]),
        "SharedSize": shared_size,
        "Size": image.size_bytes,
        "VirtualSize": image.size_bytes,
    }
    if version >= ApiVersion(1, 43):
        value["RepoTags"] = list(image.references)
        value["RepoDigests"] = list(image.digests)
    if image.target is not None:
        value["Descriptor"] = image.target.to_json()
    if manifests:
        value["Manifests"] = [_manifest(item) for item in image.manifests]
    fit("image", value, version)
    return value


def shared_sizes(images: Sequence[Image]) -> dict[str, int]:
    """Image id to the bytes of its layers that other images have too: the same layers on the same ones below."""
    users = Counter(chain for image in images for chain in _chains(image))
    return {
        image.id: sum(size for chain, size in zip(_chains(image), image.layer_sizes, strict=False) if users[chain] > 1)
        for image in images
    }


def _chains(image: Image) -> list[tuple[str, ...]]:
    """For each layer what it stands on and itself, which is what makes two layers one on disk."""
    diff_ids = tuple(str(diff_id) for diff_id in _diff_ids(image))
    return [diff_ids[: index + 1] for index in range(len(diff_ids))]


def _diff_ids(image: Image) -> list[Json]:
    root = image.config.get("rootfs")
    found = root.get("diff_ids") if isinstance(root, dict) else None
    return found if isinstance(found, list) else []


def _manifest(item: ImageManifest) -> dict[str, Any]:
    value: dict[str, Any] = {
        "ID": str(item.descriptor.digest),
        "Descriptor": item.descriptor.to_json(),
        "Available": item.available,
        "Size": {"Content": item.content_bytes, "Total": item.content_bytes + item.unpacked_bytes},
        "Kind": "attestation" if item.attested else "image",
    }
    if item.attested:
        return value | {"AttestationData": {"For": item.attested}}
    data = {
        "Platform": item.platform.to_json() if item.platform else {"architecture": "", "os": ""},
        "Containers": list(item.containers),
        "Size": {"Unpacked": item.unpacked_bytes},
    }
    return value | {"ImageData": data}


def inspect(image: Image, version: ApiVersion, *, manifests: bool = False) -> dict[str, Any]:
    document = image.config
    given = document.get("config")
    config = {**_EMPTY_CONFIG, **(given if isinstance(given, dict) else {})}
    value: dict[str, Any] = {
        "Id": image.id,
        "RepoTags": list(image.references),
        "RepoDigests": list(image.digests),
        "Parent": image.parent,
        "Comment": image.comment,
        "Created": _created(image),
        "Container": "",
        "ContainerConfig": dict(_EMPTY_CONFIG),
        "DockerVersion": _text(document, "docker_version"),
        "Author": _text(document, "author"),
        "Config": config,
        "Architecture": _text(document, "architecture"),
        "Os": _text(document, "os"),
        "Size": image.size_bytes,
        "VirtualSize": image.size_bytes,
        "GraphDriver": {"Data": None, "Name": "overlay2"},
        "RootFS": {"Type": "layers", "Layers": _diff_ids(image)},
        "Metadata": {"LastTagTime": rfc3339_nano(image.last_tagged_ns)},
    }
    if _text(document, "variant"):
        value["Variant"] = _text(document, "variant")
    if image.target is not None:
        value["Descriptor"] = image.target.to_json()
    if manifests:
        value["Manifests"] = [_manifest(item) for item in image.manifests]
    fit("image", value, version)
    return value


def _created(image: Image) -> str:
    return rfc3339_nano(image.created_ns)


def labels(image: Image) -> dict[str, Any]:
    config = image.config.get("config")
    found = config.get("Labels") if isinstance(config, dict) else None
    return dict(found) if isinstance(found, dict) else {}


def _text(document: Mapping[str, Json], name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else ""
