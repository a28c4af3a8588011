"""What a service's `develop.watch` asks for, and which files of a tree have changed between two looks."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, cast

from hakobu.compose.ignore import PASSING, Patterns, compile_patterns
from hakobu.compose.model.service import Service

Stamp: TypeAlias = "tuple[int, int, int, int]"
"""What tells two states of a file apart: time in nanoseconds, size, inode, mode."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """`path` is absolute; `hook` the command of `sync+exec`, as an exec takes it."""

    service: str
    path: str
    action: str
    target: str = ""
    ignore: Patterns = field(default_factory=Patterns)
    include: Patterns = field(default_factory=Patterns)
    initial_sync: bool = False
    hook: Mapping[str, object] = field(default_factory=dict[str, object])

    def counts(self, path: str) -> bool:
        """Whether a file below the path is one of those that are meant."""
        relative = os.path.relpath(path, self.path)
        if relative == ".":
            return True
        return not self.ignore.match(relative) and (not self.include.rules or self.include.match(relative))

    def place(self, path: str) -> str:
        """Where a file appears in the container."""
        relative = os.path.relpath(path, self.path)
        return self.target if relative == "." else os.path.join(self.target, relative)


def triggers(service: Service, docker_ignore: str = "") -> tuple[Trigger, ...]:
    """Those of a service; `docker_ignore` is the text of the build context's file of that name."""
    listed = cast("list[dict[str, object]]", (service.develop or {}).get("watch") or [])
    return tuple(_trigger(service.name, entry, docker_ignore) for entry in listed)


def _trigger(service: str, entry: Mapping[str, object], docker_ignore: str) -> Trigger:
    ignored = cast("list[str]", entry.get("ignore") or [])
    included = cast("list[str]", entry.get("include") or [])
    return Trigger(
        service=service,
        path=str(entry["path"]),
        action=str(entry["action"]),
        target=str(entry.get("target") or ""),
        ignore=compile_patterns([*PASSING, *docker_ignore.splitlines(), *ignored]),
        include=compile_patterns(included),
        initial_sync=bool(entry.get("initial_sync")),
        hook=cast("Mapping[str, object]", entry.get("exec") or {}),
    )


def look(trigger: Trigger) -> dict[str, Stamp]:
    """Every file and directory that counts, with its stamp; what vanishes meanwhile is not there."""
    found: dict[str, Stamp] = {}
    for path in _paths(trigger):
        try:
            stat = os.lstat(path)
        except OSError:
            continue
        size = 0 if os.path.isdir(path) else stat.st_size
        time_ns = 0 if os.path.isdir(path) else stat.st_mtime_ns
        found[path] = (time_ns, size, stat.st_ino, stat.st_mode)
    return found


def _paths(trigger: Trigger) -> Iterator[str]:
    if not os.path.isdir(trigger.path):
        yield trigger.path
        return
    for folder, directories, files in os.walk(trigger.path):
        kept = [name for name in directories if not trigger.ignore.match(_below(trigger, folder, name))]
        directories[:] = kept
        for name in (*kept, *files):
            path = os.path.join(folder, name)
            if trigger.counts(path) or (not trigger.include.rules and name in kept):
                yield path


def _below(trigger: Trigger, folder: str, name: str) -> str:
    return os.path.relpath(os.path.join(folder, name), trigger.path)


def directories(trigger: Trigger) -> list[str]:
    """The directories to be told of: those of the tree, or that of a single file."""
    if not os.path.isdir(trigger.path):
        return [os.path.dirname(trigger.path)]
    found: list[str] = []
    for folder, below, _ in os.walk(trigger.path):
        below[:] = [name for name in below if not trigger.ignore.match(_below(trigger, folder, name))]
        found.append(folder)
    return found


@dataclass(frozen=True, slots=True)
class Difference:
    """Paths that came or changed, parents first, and paths that are gone, the highest alone."""

    changed: tuple[str, ...]
    gone: tuple[str, ...]


def difference(before: Mapping[str, Stamp], now: Mapping[str, Stamp]) -> Difference:
    changed = sorted(path for path, stamp in now.items() if before.get(path) != stamp)
    lost = sorted(path for path in before if path not in now)
    highest = [path for path in lost if not any(path.startswith(f"{other}/") for other in lost)]
    return Difference(tuple(changed), tuple(highest))
