"""Images for the bench: the shipped recipes' (built once), and large ones made of this machine's own files."""

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path

from bench.engine import ROOT
from hakobu.bootstrap.command import make_archive, resolve
from hakobu.bootstrap.recipe import load


def recipe_archive(name: str) -> Path:
    recipe = resolve(load(name), "", "")
    path = ROOT / ".state" / "images" / f"{name}-{recipe.digest()[7:19]}.tar"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        make_archive(recipe, f"{name}:latest", path, print)
    return path


def _files(limit_bytes: int) -> list[Path]:
    """Ordinary files of /usr/lib and /usr/share, always the same ones, as much as an image would hold."""
    found: list[Path] = []
    total = 0
    for base in ("/usr/lib", "/usr/share"):
        for folder, folders, names in os.walk(base):
            folders.sort()
            for name in sorted(names):
                path = Path(folder, name)
                if path.is_symlink() or not path.is_file():
                    continue
                size = path.stat().st_size
                if size > limit_bytes // 8:
                    continue
                found.append(path)
                total += size
                if total >= limit_bytes:
                    return found
    return found


def large_archive(target: Path, name: str, size_bytes: int, *, block_bytes: int = 0) -> None:
    """A `docker load` archive of one layer of about `size_bytes`; `name` makes its bytes distinct.

    Made of real files, or (with `block_bytes`) of incompressible blocks.
    """
    layer = target.with_suffix(".layer")
    with tarfile.open(layer, "w") as tar:
        _add(tar, "marker", name.encode())
        if block_bytes:
            for number in range(size_bytes // block_bytes):
                _add(tar, f"block{number}", os.urandom(1 << 20) * (block_bytes >> 20))
        else:
            _add_files(tar, _files(size_bytes))
    _pack(target, name, [layer])


def layered_archive(target: Path, name: str, size_bytes: int, layers: int) -> None:
    """The same of real files, in `layers` layers."""
    files = _files(size_bytes)
    paths: list[Path] = []
    for number in range(layers):
        path = target.with_suffix(f".layer{number}")
        with tarfile.open(path, "w") as tar:
            _add_files(tar, files[number::layers])
        paths.append(path)
    _pack(target, name, paths)


def _add_files(tar: tarfile.TarFile, files: list[Path]) -> None:
    for path in files:
        tar.add(path, arcname=str(path).lstrip("/"), recursive=False)


def _pack(target: Path, name: str, layers: list[Path]) -> None:
    """The layers, which are removed, with their configuration and manifest as `docker save` writes them."""
    digests: list[str] = []
    for layer in layers:
        with layer.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": ["true"]},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
        }
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    names = [f"{digest}/layer.tar" for digest in digests]
    manifest = [{"Config": config_name, "RepoTags": [f"{name}:latest"], "Layers": names}]
    with tarfile.open(target, "w") as tar:
        _add(tar, "manifest.json", json.dumps(manifest).encode())
        _add(tar, config_name, config)
        for layer, arcname in zip(layers, names, strict=True):
            tar.add(layer, arcname=arcname)
    for layer in layers:
        layer.unlink()


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    tar.addfile(info, io.BytesIO(data))
