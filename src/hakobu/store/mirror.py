"""Mirrors: each document of the database also as a file, written after its commit, read only by recovery.

`containers/<id>/object.json` beside a container's other files; the rest under `mirror/<table>/<hex of the id>.json`.
Best effort on purpose: a full disk must not undo what the database has already promised.
"""

import contextlib
import json
import os
import sqlite3

from hakobu.errors import HakobuError
from hakobu.spec.bounded import Fields, load_json
from hakobu.spec.digest import is_hex_id
from hakobu.store.schema import DOCUMENT_TABLES


class Mirror:
    """Used on the database's thread alone."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._pending: dict[tuple[str, str], str | None] = {}

    def note(self, changed: dict[tuple[str, str], str | None]) -> None:
        self._pending.update(changed)

    def flush(self) -> None:
        for (table, id), text in self._pending.items():
            with contextlib.suppress(OSError):
                self._write(table, id, text)
        self._pending.clear()

    def _path(self, table: str, id: str) -> str:
        if table == "containers" and is_hex_id(id):
            return f"{self._root}/containers/{id}/object.json"
        return f"{self._root}/mirror/{table}/{id.encode().hex()[:200]}.json"

    def _write(self, table: str, id: str, text: str | None) -> None:
        path = self._path(table, id)
        if text is None:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            if table == "containers":
                os.rmdir(os.path.dirname(path))
            return
        os.makedirs(os.path.dirname(path), mode=0o710, exist_ok=True)
        body = json.dumps({"table": table, "id": id, "document": text}).encode()
        temporary = f"{path}.tmp"
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.write(fd, body)
        finally:
            os.close(fd)
        os.rename(temporary, path)

    def restore(self, raw: sqlite3.Connection) -> tuple[str, ...]:
        """Puts back every mirrored document that the database does not hold; tells of the unreadable ones."""
        told: list[str] = []
        for path in self._files():
            try:
                table, id, document = _read(path)
                name = _name_of(table, id, document)
                raw.execute(
                    f"INSERT OR IGNORE INTO {table} (id, name, document) VALUES (?, ?, ?)", (id, name, document)
                )
            except (OSError, HakobuError, sqlite3.Error) as error:
                told.append(f"{path} could not be read back: {error}")
        return tuple(told)

    def _files(self) -> list[str]:
        found: list[str] = []
        for top, name in (("containers", "object.json"), *((f"mirror/{t}", "") for t in DOCUMENT_TABLES)):
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                for entry in sorted(os.listdir(f"{self._root}/{top}")):
                    path = f"{self._root}/{top}/{entry}" + (f"/{name}" if name else "")
                    if path.endswith(".json") and os.path.isfile(path):
                        found.append(path)
        return found


def _read(path: str) -> tuple[str, str, str]:
    with open(path, "rb") as file:
        fields = Fields.of(load_json(file.read((16 << 20) + 1), what="mirror"), "mirror")
    table = fields.string("table")
    if table not in DOCUMENT_TABLES:
        raise HakobuError(f"no table of documents: {table[:50]}")
    return table, fields.string("id"), fields.string("document")


def _name_of(table: str, id: str, document: str) -> str:
    """Documents of containers and volumes carry their name at the top; a network's is in its spec."""
    fields = Fields.of(load_json(document.encode(), what="document"), "document")
    spec = fields.fields("spec") if table == "networks" else None
    return fields.string("name") or (spec.string("name") if spec else "") or id
