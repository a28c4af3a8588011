"""Changes the limits of a container, by flags or by a document (--resources FILE, - for stdin)."""

import json
import sys
from typing import cast

from hakobu.errors import Invalid
from hakobu.runtime_cli.container import Container, find
from hakobu.runtime_cli.context import Context, Failed, NotRunning
from hakobu.runtime_cli.limits import without_zeros
from hakobu.runtime_cli.option import Option, Parsed
from hakobu.spec.resources import parse_resources
from hakobu.spec.step import Json

_FLAGS = {
    "blkio-weight": ("blockIO", "weight"),
    "cpu-period": ("cpu", "period"),
    "cpu-quota": ("cpu", "quota"),
    "cpu-burst": ("cpu", "burst"),
    "cpu-rt-period": ("cpu", "realtimePeriod"),
    "cpu-rt-runtime": ("cpu", "realtimeRuntime"),
    "cpu-share": ("cpu", "shares"),
    "cpu-idle": ("cpu", "idle"),
    "cpuset-cpus": ("cpu", "cpus"),
    "cpuset-mems": ("cpu", "mems"),
    "memory": ("memory", "limit"),
    "memory-reservation": ("memory", "reservation"),
    "memory-swap": ("memory", "swap"),
    "pids-limit": ("pids", "limit"),
}
"""Flags, and where their value stands in the specification's document."""
_IGNORED = ("kernel-memory", "kernel-memory-tcp")  # the kernel has them no more; runc ignores them as well
_REFUSED = ("l3-cache-schema", "mem-bw-schema")
OPTIONS = (
    Option(("resources", "r")),
    *(Option((name,)) for name in (*_FLAGS, *_IGNORED, *_REFUSED)),
)
_TEXTS = frozenset({"cpuset-cpus", "cpuset-mems"})
_UNITS = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_MAX_BYTES = 16 << 20


def run(context: Context, given: Parsed) -> int:
    container = find(context.root, given.operand(0, "container id"))
    for name in _REFUSED:
        if given.text(name):
            raise Failed(f"--{name} is not supported: no class of the resource director can be given")
    document = _document(given.text("resources")) if given.text("resources") else _from_flags(given)
    document.pop("devices", None)  # not a limit; the rules stay those of the start
    resources = without_zeros(parse_resources(document, "resources"))
    with container.lock():
        status = container.status()
        if status == "stopped":
            raise NotRunning(container.id, status)
        container.cgroup().apply(resources)
        _remember(container, resources.to_json())
    return 0


def _document(path: str) -> dict[str, Json]:
    try:
        if path == "-":
            content = sys.stdin.buffer.read(_MAX_BYTES)
        else:
            with open(path, "rb") as file:
                content = file.read(_MAX_BYTES)
        value: object = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"resources are not JSON: {error}", field="resources") from None
    if not isinstance(value, dict):
        raise Invalid("resources must be an object", field="resources")
    return cast("dict[str, Json]", value)


def _from_flags(given: Parsed) -> dict[str, Json]:
    document: dict[str, Json] = {}
    for flag, (group, key) in _FLAGS.items():
        if not (text := given.text(flag)):
            continue
        part = document.setdefault(group, {})
        if isinstance(part, dict):
            part[key] = text if flag in _TEXTS else _number(flag, text)
    return document


def _number(flag: str, text: str) -> int:
    """Memory may have a unit (`64m`)."""
    factor = _UNITS.get(text.rstrip("bB")[-1:].lower(), 1) if flag.startswith("memory") else 1
    digits = text.rstrip("bB")[:-1] if factor > 1 else text
    try:
        return int(digits) * factor
    except ValueError:
        raise Failed(f"invalid value for {flag}: {text}") from None


def _remember(container: Container, document: dict[str, Json]) -> None:
    """What is in force is what the state says."""
    config = dict(container.record.config)
    linux = dict(cast("dict[str, Json]", config.get("linux") or {}))
    resources = dict(cast("dict[str, Json]", linux.get("resources") or {}))
    for group, values in document.items():
        before = resources.get(group)
        if isinstance(before, dict) and isinstance(values, dict):
            resources[group] = {**before, **values}
        else:
            resources[group] = values
    container.save(config={**config, "linux": {**linux, "resources": resources}})
