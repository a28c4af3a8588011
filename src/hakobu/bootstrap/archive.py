"""The image archive: an OCI image layout that is a `docker load` archive as well, in one tar.

Blobs lie once, under `blobs/sha256/`; `index.json` and `oci-layout` name them in OCI's way, `manifest.json` in
Docker's, so every engine and tool of both families reads the file.
"""

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, cast

from hakobu.bootstrap.recipe import Recipe

RECIPE_LABEL = "hakobu.bootstrap.recipe"
NAME_LABEL = "hakobu.bootstrap.name"
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "riscv64": "riscv64", "ppc64le": "ppc64le"}
_CHUNK_BYTES = 1 << 20


def labels(recipe: Recipe) -> dict[str, str]:
    """What the image says of itself: made here, from which packages and recipe, and by whom it is not."""
    own = {
        "org.opencontainers.image.title": recipe.name,
        "org.opencontainers.image.description": f"{recipe.description} (made from Debian packages by hakobu, "
        "not the image of that name in a registry)",
        "org.opencontainers.image.base.name": f"debian:{recipe.suite}",
        "org.opencontainers.image.vendor": "built locally by hakobu image bootstrap",
        NAME_LABEL: recipe.name,
        RECIPE_LABEL: recipe.digest(),
    }
    return own | cast("dict[str, str]", recipe.config.get("Labels", {}))


def image_config(recipe: Recipe, diff_id: str, epoch: int) -> dict[str, object]:
    """The OCI image configuration of a one-layer image."""
    created = datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    config = dict(recipe.config)
    environment = cast("list[str]", config.get("Env", []))
    if not any(entry.startswith("PATH=") for entry in environment):
        environment = [_PATH, *environment]
    config |= {"Env": environment, "Labels": labels(recipe)}
    for key in ("ExposedPorts", "Volumes"):
        if key in config:
            config[key] = {name: {} for name in cast("list[str]", config[key])}
    source = f"{recipe.suite} {recipe.variant} {' '.join(recipe.packages)}".strip()
    return {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": created,
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
        "history": [{"created": created, "created_by": f"hakobu image bootstrap {recipe.name}: {source}"}],
    }


def digest_of(stream: IO[bytes]) -> tuple[str, int]:
    """`sha256:…` and size of what is left in `stream`."""
    hasher, size = hashlib.sha256(), 0
    while chunk := stream.read(_CHUNK_BYTES):
        hasher.update(chunk)
        size += len(chunk)
    return f"sha256:{hasher.hexdigest()}", size


def write_archive(layer: Path, out: IO[bytes], recipe: Recipe, references: list[str], epoch: int) -> str:
    """Writes the archive of the image whose layer is the file `layer`; gives the image's ID."""
    with layer.open("rb") as stream:
        layer_digest, layer_size = digest_of(stream)
    config = _encode(image_config(recipe, layer_digest, epoch))
    config_digest = _sha256(config)
    manifest = _encode(
        {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _descriptor("application/vnd.oci.image.config.v1+json", config_digest, len(config)),
            "layers": [_descriptor("application/vnd.oci.image.layer.v1.tar", layer_digest, layer_size)],
        }
    )
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        _put(tar, "oci-layout", _encode({"imageLayoutVersion": "1.0.0"}), epoch)
        _put(tar, "index.json", _encode(_index(manifest, references)), epoch)
        _put(tar, "manifest.json", _encode(_docker_manifest(config_digest, layer_digest, references)), epoch)
        _put(tar, _blob(config_digest), config, epoch)
        _put(tar, _blob(_sha256(manifest)), manifest, epoch)
        with layer.open("rb") as stream:
            tar.addfile(_member(_blob(layer_digest), layer_size, epoch), stream)
    return config_digest


def _index(manifest: bytes, references: list[str]) -> dict[str, object]:
    entries: list[dict[str, object]] = []
    for reference in references:
        descriptor = _descriptor("application/vnd.oci.image.manifest.v1+json", _sha256(manifest), len(manifest))
        descriptor["annotations"] = {
            "io.containerd.image.name": f"docker.io/library/{reference}",
            "org.opencontainers.image.ref.name": reference.rpartition(":")[2],
        }
        entries.append(descriptor)
    return {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": entries}


def _docker_manifest(config_digest: str, layer_digest: str, references: list[str]) -> list[dict[str, object]]:
    return [{"Config": _blob(config_digest), "RepoTags": references, "Layers": [_blob(layer_digest)]}]


def _encode(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _descriptor(media_type: str, digest: str, size: int) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest, "size": size}


def _blob(digest: str) -> str:
    return "blobs/sha256/" + digest.removeprefix("sha256:")


def _member(name: str, size: int, epoch: int) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size, epoch, 0o644
    return info


def _put(tar: tarfile.TarFile, name: str, data: bytes, epoch: int) -> None:
    tar.addfile(_member(name, len(data), epoch), io.BytesIO(data))


def recorded_recipe(labels_of_image: Mapping[str, object]) -> str:
    """The recipe's digest that an image was made from, or an empty string."""
    return str(labels_of_image.get(RECIPE_LABEL) or "")
