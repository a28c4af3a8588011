"""An image's configuration document: its platform, its diff IDs, its history, and what a container gets by default.

The bytes are what counts (their digest is the image's id), so the document is kept whole beside the fields that were
proved while parsing. Whoever makes a new image builds a new document with `new_config`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from hakobu.spec.bounded import MAX_CONFIG_BYTES, BadDocument, Fields, load_json
from hakobu.spec.digest import Digest
from hakobu.spec.manifest import MAX_LAYERS
from hakobu.spec.platform import Platform
from hakobu.spec.step import Json
from hakobu.spec.timestamp import parse_timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    created: str = ""
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False

    def to_json(self) -> dict[str, Json]:
        found: dict[str, Json] = {}
        for key in ("created", "created_by", "author", "comment"):
            if value := getattr(self, key):
                found[key] = value
        if self.empty_layer:
            found["empty_layer"] = True
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """`document` is the whole of it, `defaults` its `config` object (Docker's Env, Cmd, …), both read-only."""

    platform: Platform
    diff_ids: tuple[Digest, ...]
    history: tuple[HistoryEntry, ...]
    created_ns: int
    author: str
    defaults: Mapping[str, Json]
    document: Mapping[str, Json]

    @classmethod
    def parse(cls, data: bytes, *, what: str = "image configuration") -> "ImageConfig":
        fields = Fields.of(load_json(data, what=what, max_bytes=MAX_CONFIG_BYTES), what)
        rootfs = fields.fields("rootfs")
        if rootfs is None or rootfs.string("type") != "layers":
            raise BadDocument(f"{fields.at('rootfs')} must be of type layers", field=fields.at("rootfs"))
        diff_ids = tuple(Digest.parse(text, rootfs.at("diff_ids")) for text in rootfs.strings("diff_ids", MAX_LAYERS))
        history = tuple(_history(entry) for entry in fields.objects("history", 5 * MAX_LAYERS))
        defaults = fields.fields("config")
        checked: Mapping[str, Json] = {} if defaults is None else _check_defaults(defaults)
        return cls(
            platform=Platform.from_fields(fields),
            diff_ids=diff_ids,
            history=history,
            created_ns=parse_timestamp(fields.string("created"), fields.at("created")),
            author=fields.string("author"),
            defaults=checked,
            document=fields.values,
        )


def _history(fields: Fields) -> HistoryEntry:
    return HistoryEntry(
        created=fields.string("created"),
        created_by=fields.string("created_by"),
        author=fields.string("author"),
        comment=fields.string("comment"),
        empty_layer=fields.boolean("empty_layer"),
    )


def _check_defaults(fields: Fields) -> Mapping[str, Json]:
    """Every field a container's configuration is built from has the type it must have."""
    for key in ("User", "WorkingDir", "StopSignal", "Domainname", "Hostname"):
        fields.string(key)
    for key in ("Env", "Cmd", "Entrypoint", "OnBuild", "Shell"):
        fields.strings(key)
    for key in ("ExposedPorts", "Volumes"):
        fields.fields(key)
    fields.string_map("Labels")
    fields.boolean("ArgsEscaped")
    if (health := fields.fields("Healthcheck")) is not None:
        health.strings("Test")
        for key in ("Interval", "Timeout", "StartPeriod", "StartInterval", "Retries"):
            health.integer(key)
    return fields.values


def new_config(
    *,
    platform: Platform,
    created: str,
    diff_ids: tuple[Digest, ...],
    history: tuple[HistoryEntry, ...] = (),
    defaults: Mapping[str, Json] | None = None,
    extra: Mapping[str, Json] | None = None,
) -> bytes:
    """The bytes of a new document. `extra` adds Docker's own top-level keys (container_config, author, …)."""
    found: dict[str, Json] = {
        **(extra or {}),
        **platform.to_json(),
        "created": created,
        "config": dict(defaults or {}),
        "rootfs": {"type": "layers", "diff_ids": [str(diff_id) for diff_id in diff_ids]},
        "history": [entry.to_json() for entry in history],
    }
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
