"""The secrets and configs whose content is put into a container, each as a tar archive."""

import io
import time
from pathlib import Path

from hakobu.compose.failure import ActionFailed
from hakobu.compose.model.project import FileObject, Project
from hakobu.compose.model.resource import FileReference
from hakobu.compose.model.service import Service
from hakobu.compose.mount_body import has_owner, placed_files


def archives_of(project: Project, service: Service) -> list[bytes]:
    """Those that are no files of the host, or not of this owner; `ActionFailed` names one that cannot be had."""
    return [
        file_archive(reference, _content(project, source))
        for reference, source in placed_files(project, service)
        if not source.file or has_owner(reference)
    ]


def _content(project: Project, source: FileObject) -> bytes:
    if source.file:
        try:
            return Path(source.file).read_bytes()
        except OSError as e:
            raise ActionFailed(f"{source.file}: {e.strerror}, needed by {source.key!r}") from e
    if source.content or not source.environment:
        return source.content.encode()
    value = project.environment.get(source.environment)
    if value is None:
        raise ActionFailed(f"environment variable {source.environment!r} required by {source.key!r} is not set")
    return value.encode()


def file_archive(reference: FileReference, data: bytes) -> bytes:
    """A tar of one file, at its place below the root."""
    import tarfile

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo((reference.target or reference.source).lstrip("/"))
        entry.size, entry.mode, entry.mtime = (
            len(data),
            0o444 if reference.mode is None else reference.mode,
            time.time(),
        )
        entry.uid, entry.gid = (int(text) if text.isdigit() else 0 for text in (reference.uid, reference.gid))
        tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()
