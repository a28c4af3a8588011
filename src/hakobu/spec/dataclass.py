"""Dataclasses that cost nothing before they are used.

The standard library writes and compiles six functions a class and reads its signature: half a millisecond each, 40 of
the 80 that the imports of `hakobu-runtime run` took. Here a class gets its slots, and code that all share; nothing is
compiled, so an instance may be made where that is forbidden (`kernel/audit.py`), and takes a microsecond more.
`dataclasses.fields`, `replace` and `asdict`, and msgspec, take such a class for one of the library's; what they read
of it is made when they first do.
Must not: import `dataclasses` or `typing` before somebody asks for what only they have.
"""

from operator import attrgetter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar, dataclass_transform

    T = TypeVar("T")
else:

    def dataclass_transform(**_: object) -> object:
        return lambda decorator: decorator  # pyright: ignore


class _Factory:
    """Stands for a default that each instance has made for itself."""

    __slots__ = ("make",)

    def __init__(self, make: "Callable[[], Any]") -> None:
        self.make = make


_NEVER_COPIED = ("__dict__", "__weakref__")


def field(*, default_factory: "Callable[[], T]") -> "T":
    """A default that is made anew for each instance."""
    return _Factory(default_factory)  # pyright: ignore[reportReturnType]


@dataclass_transform(field_specifiers=(field,))
def dataclass(*, frozen: bool = False, slots: bool, kw_only: bool = False) -> "Callable[[type[T]], type[T]]":
    """As the library's with the same arguments. A class with slots, which inherits no field."""
    if not slots:
        raise TypeError("a dataclass of this kind has slots")
    return lambda cls: _make(cls, frozen, kw_only)


def replace(value: "T", /, **changes: "Any") -> "T":
    """A copy of an instance with these fields changed."""
    kept = {name: getattr(value, name) for name in _names(type(value))}
    return type(value)(**{**kept, **changes})


def _names(cls: "Any") -> tuple[str, ...]:
    return cls.__slots__


def _make(cls: "type[Any]", frozen: bool, kw_only: bool) -> "type[Any]":
    names = tuple(cls.__annotations__)
    defaults = {name: cls.__dict__[name] for name in names if name in cls.__dict__}
    body = {key: value for key, value in cls.__dict__.items() if key not in defaults and key not in _NEVER_COPIED}
    values = _values(names)
    shared: dict[str, object] = {
        "__slots__": names,
        "__match_args__": () if kw_only else names,
        "__dataclass_fields__": _Fields(defaults, kw_only),
        "__init__": _constructor(names, defaults, kw_only),
        "__repr__": _repr,
        "__eq__": _equality(values),
        "__hash__": _hash(values) if frozen else None,
    }
    if frozen:
        shared |= {"__setattr__": _refuse, "__delattr__": _refuse}
    make: Any = type(cls)
    made: type[Any] = make(cls.__name__, cls.__bases__, {**shared, **body})
    made.__qualname__ = cls.__qualname__
    return made


def _values(names: tuple[str, ...]) -> "Callable[[Any], object]":
    return attrgetter(*names) if names else lambda _: ()


def _equality(values: "Callable[[Any], object]") -> "Callable[[Any, Any], bool]":
    def __eq__(self: "Any", other: "Any") -> bool:
        return values(self) == values(other) if self.__class__ is other.__class__ else NotImplemented

    return __eq__


def _hash(values: "Callable[[Any], object]") -> "Callable[[Any], int]":
    return lambda self: hash(values(self))


class _Fields:
    """What `dataclasses` knows a class of its own by, made by itself on a class with the same fields."""

    __slots__ = ("defaults", "kw_only")

    def __init__(self, defaults: "dict[str, Any]", kw_only: bool) -> None:
        self.defaults, self.kw_only = defaults, kw_only

    def __get__(self, instance: object, owner: "type[Any]") -> "dict[str, Any]":
        import dataclasses

        body: dict[str, object] = {"__annotations__": owner.__annotations__, "__module__": owner.__module__}
        for name, default in self.defaults.items():
            given = isinstance(default, _Factory)
            body[name] = dataclasses.field(default_factory=default.make) if given else default
        twin: Any = dataclasses.dataclass(kw_only=self.kw_only, repr=False, eq=False)(type(owner.__name__, (), body))
        found = twin.__dataclass_fields__
        type.__setattr__(owner, "__dataclass_fields__", found)
        return found


def _constructor(names: tuple[str, ...], defaults: "dict[str, Any]", kw_only: bool) -> "Callable[..., None]":
    """By the slots' descriptors, bound late because the class comes after its constructor."""
    plain = {name: default for name, default in defaults.items() if not isinstance(default, _Factory)}
    factories = tuple((name, default.make) for name, default in defaults.items() if isinstance(default, _Factory))
    setters: list[tuple[str, Callable[[object, object], None]]] = []

    def __init__(self: "Any", *args: "Any", **given: "Any") -> None:
        if not setters:
            setters.extend((name, type(self).__dict__[name].__set__) for name in names)
        if args:
            _number(names, args, given, kw_only)
        values = {**plain, **given}
        for name, make in factories:
            if name not in given:
                values[name] = make()
        if len(values) != len(names):
            raise TypeError(_complaint(type(self).__name__, names, values))
        try:
            for name, set_field in setters:
                set_field(self, values[name])
        except KeyError:
            raise TypeError(_complaint(type(self).__name__, names, values)) from None

    return __init__


def _number(names: tuple[str, ...], args: "tuple[Any, ...]", given: "dict[str, Any]", kw_only: bool) -> None:
    """Gives values that came by position their names."""
    if kw_only or len(args) > len(names):
        raise TypeError(
            f"__init__() takes {0 if kw_only else len(names)} values by position, but {len(args)} were given"
        )
    for name, value in zip(names, args, strict=False):
        if name in given:
            raise TypeError(f"__init__() got multiple values for argument {name!r}")
        given[name] = value


def _complaint(name: str, names: tuple[str, ...], values: "dict[str, Any]") -> str:
    missing = [n for n in names if n not in values]
    unknown = [n for n in values if n not in names]
    what = f"got an unexpected keyword argument {unknown[0]!r}" if unknown else f"missing {', '.join(missing)}"
    return f"{name}.__init__() {what}"


def _repr(self: object) -> str:
    return f"{type(self).__qualname__}({', '.join(f'{n}={getattr(self, n)!r}' for n in _names(type(self)))})"


def _refuse(self: object, name: str, value: object = None) -> None:
    from dataclasses import FrozenInstanceError

    raise FrozenInstanceError(f"cannot assign to field {name!r}")
