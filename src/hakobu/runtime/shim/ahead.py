"""Paying for memory ahead of a start, in processes that wait for one.

A fork shares its parent's pages, and the first write to each costs a fault and a copy. Python writes to an object
whenever it looks at it, so a cold process spends most of a start's time in such faults. Starter and first server are
made before they are needed: while they wait, they look once at what a start will use.
"""

import sys
from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import partial
from types import CodeType, FunctionType
from typing import Any


class Use(StrEnum):
    START = "start"
    """What the first server of a shim runs until its container has started."""
    CHILD = "child"
    """What a starter and its child run."""


_BOTH = (
    "array", "builtins", "errno", "json", "json.decoder", "json.encoder", "os", "signal", "socket", "struct", "time",
    "hakobu.kernel.libc", "hakobu.kernel.netlink", "hakobu.kernel.process", "hakobu.kernel.rtnetlink",
    "hakobu.kernel.scm", "hakobu.runtime.failure", "hakobu.runtime.handshake", "hakobu.runtime.message",
    "hakobu.runtime.arguments", "hakobu.runtime.shim.starter", "hakobu.runtime.steps_device",
    "hakobu.runtime.steps_mount", "hakobu.runtime.steps_network", "hakobu.spec.plan",
    "hakobu.spec.step",
)  # fmt: skip
_MODULES: dict[Use, tuple[str, ...]] = {
    Use.START: (
        *_BOTH, "select", "hakobu.runtime.shim.held", "hakobu.runtime.shim.log", "hakobu.runtime.shim.loop",
        "hakobu.runtime.shim.ports", "hakobu.runtime.shim.preparer", "hakobu.runtime.shim.record",
        "hakobu.runtime.shim.server", "hakobu.runtime.shim.session", "hakobu.runtime.shim.spawn",
        "hakobu.runtime.shim.streams",
    ),
    Use.CHILD: (
        *_BOTH, "binascii", "contextlib", "fcntl", "gc", "posixpath", "resource", "stat",
        "hakobu.kernel.audit", "hakobu.kernel.capability", "hakobu.kernel.cgroup", "hakobu.kernel.cgroup.convert",
        "hakobu.kernel.cgroup.device", "hakobu.kernel.cgroup.file", "hakobu.kernel.cgroup.layout",
        "hakobu.kernel.cgroup.v1", "hakobu.kernel.cgroup.v2", "hakobu.kernel.keyring", "hakobu.kernel.mount",
        "hakobu.kernel.openat2", "hakobu.kernel.procfs", "hakobu.kernel.rlimit", "hakobu.kernel.saferoot",
        "hakobu.kernel.seccomp_filter", "hakobu.runtime.child", "hakobu.runtime.passwd",
        "hakobu.runtime.shim.confinement", "hakobu.runtime.steps_process", "hakobu.spec.resources",
    ),
}  # fmt: skip
_used: dict[Use, tuple[object, ...]] = {}


def find_used() -> None:
    """Once, by the launcher, when everything is imported."""
    _used.update({use: _objects_of(names) for use, names in _MODULES.items()})


def look_at(use: Use) -> None:
    """A reference taken and given back is a write to the page of each."""
    for _ in _used.get(use, ()):
        pass


def _objects_of(names: Iterable[str]) -> tuple[object, ...]:
    """What code of these modules looks at when it runs: functions, their code and constants, classes, globals."""
    found: dict[int, object] = {}
    for name in names:
        module = sys.modules[name]
        for value in (module, *vars(module).values()):
            for part in _parts(value):
                found[id(part)] = part
    return tuple(found[address] for address in sorted(found))


def _parts(value: Any) -> Iterator[object]:
    yield value
    if isinstance(value, FunctionType):
        yield from _of_function(value)
    elif isinstance(value, type) and value.__module__.startswith("hakobu"):
        for member in vars(value).values():
            yield member
            inner: Any = getattr(member, "__func__", None) or getattr(member, "fget", None) or member
            if isinstance(inner, FunctionType):
                yield from _of_function(inner)
    elif isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, partial):  # a system call by its number
        yield value.func
        yield from getattr(value.func, "argtypes", None) or ()


def _of_function(function: FunctionType) -> Iterator[object]:
    yield function
    yield from function.__defaults__ or ()
    yield function.__kwdefaults__
    yield from _of_code(function.__code__)


def _of_code(code: CodeType) -> Iterator[object]:
    yield code
    yield code.co_consts
    for constant in code.co_consts:
        yield constant
        if isinstance(constant, CodeType):
            yield from _of_code(constant)
