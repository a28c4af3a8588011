"""Paying for memory ahead of a start, in processes that wait for one.

A fork shares its parent's pages, and the first write to each costs a fault and a copy. Python writes to an object
whenever it looks at it, so a cold process spends most of a start's time in such faults. Starter and preparer are made
before they are needed: while they wait, they look once at what a start will use.
"""

import sys
from collections.abc import Iterable, Iterator
from functools import partial
from types import CodeType, FunctionType
from typing import Any


def objects_of(names: Iterable[str]) -> tuple[object, ...]:
    """What code of these modules looks at when it runs: functions, their code and constants, classes, globals."""
    found: dict[int, object] = {}
    for name in names:
        module = sys.modules[name]
        for value in (module, *vars(module).values()):
            for part in _parts(value):
                found[id(part)] = part
    return tuple(found[address] for address in sorted(found))


def look_at(objects: Iterable[object]) -> None:
    """A reference taken and given back is a write to the page of each."""
    for _ in objects:
        pass


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
