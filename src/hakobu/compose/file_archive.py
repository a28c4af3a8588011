"""A secret or config as a tar archive, the way a container is given a file. Pure but for the clock."""

import io
import tarfile
import time

from hakobu.compose.model.resource import FileReference


def file_archive(reference: FileReference, data: bytes) -> bytes:
    """A tar of one file, at its place below the root."""
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
