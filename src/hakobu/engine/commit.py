"""Commit: a container's changes become a layer, its configuration an image.

`apply_changes` is the small language of `--change`: the instructions of a Dockerfile that only set metadata.
"""

import asyncio
import json
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, cast

from hakobu.engine.roots import ContainerRoots
from hakobu.engine.when import parse_duration_ns
from hakobu.errors import Invalid
from hakobu.runtime.defaults import INIT_LAYER
from hakobu.spec.container import Container
from hakobu.spec.digest import Digest
from hakobu.spec.image_config import HistoryEntry, new_config
from hakobu.spec.step import Json
from hakobu.spec.timestamp import format_timestamp
from hakobu.store.open import Stores
from hakobu.store.snapshots import LayerFacts


class Record(Protocol):
    async def __call__(
        self,
        document: bytes,
        diff_ids: tuple[str, ...],
        blobs: tuple[str, ...],
        sizes: tuple[int, ...],
        *,
        parent: str = "",
        comment: str = "",
    ) -> str: ...


class Tag(Protocol):
    async def __call__(self, ref: str, repository: str, tag: str) -> None: ...


class Committer:
    def __init__(self, stores: Stores, roots: ContainerRoots, record: Record, tag: Tag) -> None:
        self._stores, self._roots, self._record, self._tag = stores, roots, record, tag

    async def commit(
        self,
        container: Container,
        *,
        repository: str,
        tag: str,
        comment: str,
        author: str,
        changes: Sequence[str],
    ) -> str:
        async with self._stores.arrivals.arriving_async():
            image_id = await self._commit(container, comment, author, changes)
        if repository:
            await self._tag(image_id, repository, tag)
        return image_id

    async def _commit(self, container: Container, comment: str, author: str, changes: Sequence[str]) -> str:
        base = self._stores.images.get(container.image_id)
        config = self._stores.images.config(base.id)
        layer = await asyncio.to_thread(self._layer, container)
        defaults = apply_changes(_defaults(container), changes)
        created = format_timestamp(time.time_ns())
        entry = HistoryEntry(created=created, created_by=" ".join(container.argv), author=author, comment=comment)
        diff_ids = (*config.diff_ids, Digest.parse(layer["diff_id"]))
        document = new_config(
            platform=config.platform,
            created=created,
            diff_ids=diff_ids,
            history=(*config.history, entry),
            defaults=defaults,
            extra={"author": author, "container": container.id} if author else {"container": container.id},
        )
        return await self._record(
            document,
            tuple(str(d) for d in diff_ids),
            (*base.layers, layer["digest"]),
            (*base.layer_sizes, int(layer["size"])),
            parent=base.id,
            comment=comment,
        )

    def _layer(self, container: Container) -> dict[str, str]:
        """The upper directory as a blob, and that blob unpacked as a snapshot of its own."""
        content, snapshots, pool = self._stores.content, self._stores.snapshots, self._stores.pool
        skip = [m.target for m in container.mounts] + [e.path for e in INIT_LAYER if e.kind != "directory"]
        args = {"oci_dir": content.directory, "upper": self._roots.upper(container), "skip": skip}
        packed = pool.run("pack-layer", args)
        fd = content.open(Digest.parse(packed["digest"]))
        with open(fd, "rb", buffering=0) as file:
            where = {"oci_dir": content.directory, "snapshots_dir": snapshots.directory}
            facts = pool.run("unpack", where, (file.fileno(),))
        snapshots.add_layer(LayerFacts(facts["directory"], Digest.parse(facts["diff_id"]), facts["size"]))
        return facts


def _defaults(container: Container) -> dict[str, Json]:
    """The container's merged configuration as an image's."""
    found: dict[str, Json] = {
        "Hostname": container.hostname,
        "User": container.user,
        "Env": list(container.env),
        "Cmd": list(container.command) or None,
        "Entrypoint": list(container.entrypoint) or None,
        "WorkingDir": container.working_dir,
        "Labels": dict(container.labels),
        "ExposedPorts": {p: {} for p in container.exposed_ports},
        "Volumes": {v: {} for v in container.volumes},
        "StopSignal": container.stop_signal,
    }
    if (check := container.healthcheck) is not None:
        found["Healthcheck"] = {
            "Test": list(check.test),
            "Interval": check.interval_ns,
            "Timeout": check.timeout_ns,
            "StartPeriod": check.start_period_ns,
            "Retries": check.retries,
        }
    return {k: v for k, v in found.items() if v not in ("", None, {}, [])}


def apply_changes(config: Mapping[str, Json], changes: Sequence[str]) -> dict[str, Json]:
    """A configuration with `--change` instructions applied; `Invalid` names one that is not understood."""
    result = dict(config)
    for change in changes:
        for line in change.splitlines():
            if line.strip():
                _apply(result, line.strip())
    return result


def _apply(config: dict[str, Json], line: str) -> None:
    instruction, _, rest = line.partition(" ")
    handler = _HANDLERS.get(instruction.upper())
    if handler is None:
        raise Invalid(f"{instruction.upper()} is not a valid change command", field="changes")
    handler(config, rest.strip())


def _words(rest: str) -> list[Json]:
    """The exec form as it is, the shell form wrapped in /bin/sh."""
    if rest.startswith("["):
        try:
            parsed = json.loads(rest)
        except ValueError:
            parsed = None
        if isinstance(parsed, list):
            return [str(w) for w in cast("list[object]", parsed)]
    return ["/bin/sh", "-c", rest]


def _pairs(rest: str) -> list[tuple[str, str]]:
    words = shlex.split(rest)
    if words and "=" not in words[0]:
        return [(words[0], rest.partition(" ")[2].strip())]
    return [(w.partition("=")[0], w.partition("=")[2]) for w in words]


def _env(config: dict[str, Json], rest: str) -> None:
    given = config.get("Env")
    env = {str(e).partition("=")[0]: str(e) for e in given} if isinstance(given, list) else {}
    env |= {name: f"{name}={value}" for name, value in _pairs(rest)}
    config["Env"] = list(env.values())


def _into(key: str) -> "Callable[[dict[str, Json], str], None]":
    def handler(config: dict[str, Json], rest: str) -> None:
        given = config.get(key)
        held = dict(given) if isinstance(given, dict) else {}
        if key == "Labels":
            held |= dict(_pairs(rest))
        else:
            words = _words(rest) if rest.startswith("[") else rest.split()
            held |= {_port(str(w)) if key == "ExposedPorts" else str(w): {} for w in words}
        config[key] = held

    return handler


def _port(text: str) -> str:
    return text if "/" in text else f"{text}/tcp"


def _text(key: str) -> "Callable[[dict[str, Json], str], None]":
    def handler(config: dict[str, Json], rest: str) -> None:
        config[key] = rest.strip("\"'")

    return handler


def _command(key: str) -> "Callable[[dict[str, Json], str], None]":
    def handler(config: dict[str, Json], rest: str) -> None:
        config[key] = _words(rest)
        if key == "Entrypoint":
            config.pop("Cmd", None)

    return handler


def _onbuild(config: dict[str, Json], rest: str) -> None:
    given = config.get("OnBuild")
    config["OnBuild"] = [*(given if isinstance(given, list) else []), rest]


def _healthcheck(config: dict[str, Json], rest: str) -> None:
    """`NONE` or `[--option=…] CMD …`."""
    if rest.upper() == "NONE":
        config["Healthcheck"] = {"Test": ["NONE"]}
        return
    check: dict[str, Json] = {}
    keys = {"--interval": "Interval", "--timeout": "Timeout", "--start-period": "StartPeriod"}
    while rest.startswith("--"):
        option, _, rest = rest.partition(" ")
        name, _, value = option.partition("=")
        if name == "--retries":
            check["Retries"] = int(value)
        elif name in keys:
            check[keys[name]] = parse_duration_ns(value)
        else:
            raise Invalid(f"unknown flag of HEALTHCHECK: {name}", field="changes")
    word, _, command = rest.strip().partition(" ")
    if word.upper() != "CMD":
        raise Invalid("HEALTHCHECK needs CMD or NONE", field="changes")
    words = _words(command.strip())
    check["Test"] = ["CMD", *words] if command.strip().startswith("[") else ["CMD-SHELL", command.strip()]
    config["Healthcheck"] = check


_HANDLERS: "dict[str, Callable[[dict[str, Json], str], None]]" = {
    "CMD": _command("Cmd"),
    "ENTRYPOINT": _command("Entrypoint"),
    "ENV": _env,
    "EXPOSE": _into("ExposedPorts"),
    "HEALTHCHECK": _healthcheck,
    "LABEL": _into("Labels"),
    "ONBUILD": _onbuild,
    "STOPSIGNAL": _text("StopSignal"),
    "USER": _text("User"),
    "VOLUME": _into("Volumes"),
    "WORKDIR": _text("WorkingDir"),
}
