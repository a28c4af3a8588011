"""Lists of manifests that are being put together, where docker keeps them: `manifests/LIST/MANIFEST` in its folder.

Both programs read and write the same files, so a list begun with the one is gone on with by the other. Names are
whole references; an entry is docker's `ImageManifest` in JSON, in the order in which docker writes it.
"""

from __future__ import annotations

import os

from hakobu.cli.failure import Failure
from hakobu.client.codec import decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.client.codec import Json


class NoSuchManifest(Failure):
    def __init__(self, ref: str) -> None:
        super().__init__(f"No such manifest: {ref}")


class ManifestStore:
    """`folder` is docker's own, `~/.docker` as a rule."""

    def __init__(self, folder: str) -> None:
        self._top = f"{folder}/manifests"

    def _list(self, ref: str) -> str:
        return f"{self._top}/{_file_name(ref)}"

    def has(self, list_ref: str) -> bool:
        return os.path.isdir(self._list(list_ref))

    def entries(self, list_ref: str) -> list[Json]:
        """In the order of their files' names, which is the order of the list that is pushed."""
        try:
            names = sorted(os.listdir(self._list(list_ref)))
        except FileNotFoundError:
            raise NoSuchManifest(list_ref) from None
        return [_read(f"{self._list(list_ref)}/{name}") for name in names if not name.startswith(".")]

    def entry(self, list_ref: str, ref: str) -> Json | None:
        path = f"{self._list(list_ref)}/{_file_name(ref)}"
        return _read(path) if os.path.exists(path) else None

    def save(self, list_ref: str, entry: Json) -> None:
        """Whole or not at all."""
        folder = self._list(list_ref)
        os.makedirs(folder, exist_ok=True)
        path = f"{folder}/{_file_name(str(entry['Ref']))}"
        temporary = f"{folder}/.{os.getpid()}"
        with open(temporary, "wb") as file:
            file.write(encode(entry))
        os.replace(temporary, path)

    def remove(self, list_ref: str) -> None:
        if not self.has(list_ref):
            raise NoSuchManifest(list_ref)
        folder = self._list(list_ref)
        for name in os.listdir(folder):
            os.unlink(f"{folder}/{name}")
        os.rmdir(folder)


def _file_name(ref: str) -> str:
    """docker's: no colon and no slash. A reference has no component `..`, so none leaves the folder."""
    return ref.replace(":", "-").replace("/", "_")


def _read(path: str) -> Json:
    with open(path, "rb") as file:
        entry: Json = decode(file.read())
    return entry
