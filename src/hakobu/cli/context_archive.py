"""A context as one file: `meta.json` and `tls/docker/*.pem` in a tar, as docker writes and reads it; zip is read too.

An archive comes from elsewhere: only these names are taken out of it, and none of them becomes a path.
"""

from __future__ import annotations

import io
import tarfile

from hakobu.cli.failure import Failure
from hakobu.client.codec import decode, encode, object_of
from hakobu.client.context import TLS_FILES, Context, parse_context

_LIMIT_BYTES = 10 * 1024 * 1024


def pack(context: Context) -> bytes:
    """The tar archive of a context."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        _add(tar, "meta.json", encode(context.to_json()), 0o644)
        _add(tar, "tls", None, 0o700)
        if context.tls:
            _add(tar, "tls/docker", None, 0o700)
        for name, data in context.tls.items():
            _add(tar, f"tls/docker/{name}", data, 0o600)
    return out.getvalue()


def _add(tar: tarfile.TarFile, name: str, data: bytes | None, mode: int) -> None:
    info = tarfile.TarInfo(name)
    info.mode = mode
    if data is None:
        info.type = tarfile.DIRTYPE
    info.size = len(data or b"")
    tar.addfile(info, io.BytesIO(data or b""))


def unpack(data: bytes, name: str) -> Context:
    """The context of an archive, under the name it is to have here; Failure where it is none."""
    if len(data) > _LIMIT_BYTES:
        raise Failure(f"the context's archive is larger than {_LIMIT_BYTES} bytes")
    files = _members_of_zip(data) if data[:4] == b"PK\x03\x04" else _members_of_tar(data)
    if "meta.json" not in files:
        raise Failure("invalid context: no metadata found")
    try:
        document = object_of(decode(files["meta.json"]))
    except ValueError as e:
        raise Failure(f"invalid context: meta.json: {e}") from None
    tls = {file: files[f"tls/docker/{file}"] for file in TLS_FILES.values() if f"tls/docker/{file}" in files}
    context = parse_context(document, tls)
    context.name = name
    return context


def _wanted(name: str) -> bool:
    return name == "meta.json" or name in {f"tls/docker/{file}" for file in TLS_FILES.values()}


def _members_of_tar(data: bytes) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar:
                content = tar.extractfile(member) if _wanted(member.name) and member.isfile() else None
                if content is not None:
                    found[member.name] = content.read()
    except tarfile.TarError as e:
        raise Failure(f"invalid context: neither a tar nor a zip archive: {e}") from None
    return found


def _members_of_zip(data: bytes) -> dict[str, bytes]:
    import zipfile

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [item for item in archive.infolist() if _wanted(item.filename)]
            if sum(item.file_size for item in members) > _LIMIT_BYTES:
                raise Failure(f"the context's archive is larger than {_LIMIT_BYTES} bytes")
            return {item.filename: archive.read(item) for item in members}
    except zipfile.BadZipFile as e:
        raise Failure(f"invalid context: {e}") from None
