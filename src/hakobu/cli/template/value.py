"""Values in a template: how Go prints them, what counts as true, how they compare.

JSON decoded for `inspect` has lost the difference between a Go struct and a Go map; `MAPS` names the
members of the API's documents that are maps, every other object is printed as a struct.
"""

from __future__ import annotations

from hakobu.cli.template.lexer import TemplateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class NilList(list[object]):
    """A list the engine gave as null: printed as an empty one, null in JSON."""


class NilMap(dict[str, object]):
    """A map the engine gave as null: printed as an empty one, null in JSON."""


_LISTS = frozenset(
    "Aliases Args Binds BlkioDeviceReadBps BlkioDeviceReadIOps BlkioDeviceWriteBps BlkioDeviceWriteIOps "
    "BlkioWeightDevice CapAdd CapDrop Cmd Devices DeviceCgroupRules DeviceRequests Dns DnsOptions DnsSearch "
    "Entrypoint Env ExecIDs ExtraHosts GroupAdd Links MaskedPaths Mounts OnBuild ReadonlyPaths RepoDigests "
    "RepoTags SecurityOpt SecondaryIPAddresses SecondaryIPv6Addresses Shell Ulimits VolumesFrom".split()
)
MAPS = frozenset(
    [
        "Annotations",
        "AuxiliaryAddresses",
        "AuxAddress",
        "Config",
        "Containers",
        "Data",
        "DriverOpts",
        "ExposedPorts",
        "GraphDriver",
        "Labels",
        "Log",
        "LogConfig",
        "Networks",
        "Options",
        "Opts",
        "PortBindings",
        "Ports",
        "RootFS",
        "Runtimes",
        "Sysctls",
        "Services",
        "Status",
        "StorageOpt",
        "Tmpfs",
        "Volumes",
    ]
) - {"Config", "GraphDriver", "LogConfig", "RootFS", "Log"}


class Record:
    """A row of a list: named members, computed when asked for. `type_name` is what errors call it."""

    __slots__ = ("members", "type_name")
    is_row = True

    def __init__(self, members: Mapping[str, Callable[[], object]], type_name: str) -> None:
        self.members = members
        self.type_name = type_name

    def to_json(self) -> dict[str, object]:
        """All plain members, sorted: what `{{json .}}` gives."""
        return {name: self.members[name]() for name in sorted(self.members)}


class NoValue:
    """What a map gives for a key it has not: false, and printed as Go prints it."""

    def __bool__(self) -> bool:
        return False


NO_VALUE = NoValue()


class Struct(dict[str, object]):
    """An object that Go has as a struct: printed without its names, its absent members are errors."""


class Method:
    """A member that takes arguments, such as `.Label "name"`."""

    __slots__ = ("call",)

    def __init__(self, call: Callable[..., object]) -> None:
        self.call = call


def label_method(labels: dict[str, str]) -> Method:
    """`.Label "name"` of a row."""

    def label(name: object) -> str:
        return labels.get(str(name), "")

    return Method(label)


def shown(value: object) -> str:
    """As Go's `%v` prints it."""
    if value is None:
        return "<nil>"
    if isinstance(value, NoValue):
        return "<no value>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, Record):
        return "{" + " ".join(shown(member) for member in value.to_json().values()) + "}"
    if isinstance(value, Struct):
        return "{" + " ".join(shown(member) for member in value.values()) + "}"
    if isinstance(value, dict):
        items: dict[str, object] = value  # pyright: ignore[reportUnknownVariableType]
        return "map[" + " ".join(f"{name}:{shown(items[name])}" for name in sorted(items)) + "]"
    if isinstance(value, (list, tuple)):
        return "[" + " ".join(shown(item) for item in value) + "]"  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return str(value)


def type_name(value: object) -> str:
    """Go's name for the type of a value."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, dict):
        return "map[string]interface {}"
    if isinstance(value, (list, tuple)):
        return "[]interface {}"
    if isinstance(value, str):
        return "string"
    if isinstance(value, (int, float)):
        return "int" if isinstance(value, int) else "float64"
    return "<nil>" if value is None else "interface {}"


def _float(value: float) -> str:
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    return repr(value)


def plain(value: object) -> object:
    """The value as it was decoded, its nulls being null again."""
    if isinstance(value, (NilList, NilMap, NoValue)):
        return None
    if isinstance(value, dict):
        items: dict[str, object] = value  # pyright: ignore[reportUnknownVariableType]
        # Go encodes a struct in the order of its members, a map in that of its keys.
        names = list(items) if isinstance(value, Struct) else sorted(items)
        return {key: plain(items[key]) for key in names}
    if isinstance(value, list):
        return [plain(item) for item in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return value


def structured(value: object, name: str = "", parent: str = "") -> object:
    """Decoded JSON with its structs marked; what stands below a map's name stays a map."""
    if value is None:
        return NilList() if name in _LISTS else NilMap() if name in MAPS else None
    if isinstance(value, dict):
        items: dict[str, object] = value  # pyright: ignore[reportUnknownVariableType]
        is_map = name in MAPS or (parent, name) == ("LogConfig", "Config")
        members = {key: structured(item, "" if is_map else key, name) for key, item in items.items()}
        return members if is_map else Struct(members)
    if isinstance(value, list):
        return [structured(item) for item in value]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return value


def is_true(value: object) -> bool:
    """Go's truth: zero, empty and nil are false, a struct is true."""
    if isinstance(value, (Struct, Record)):
        return True
    return bool(value)


def compare(left: object, right: object, name: str) -> int:
    """-1, 0 or 1; TemplateError for kinds that cannot be compared."""
    kinds = (_kind(left), _kind(right))
    if kinds[0] != kinds[1]:
        if name in ("eq", "ne") and None in (left, right):
            return 1
        raise TemplateError(f"error calling {name}: incompatible types for comparison")
    if kinds[0] == "other" or (kinds[0] == "bool" and name not in ("eq", "ne")):
        odd = left if _kind(left) in ("other", "bool") else right
        if kinds[0] == "bool":
            raise TemplateError(f"error calling {name}: invalid type for comparison")
        raise TemplateError(f"error calling {name}: non-comparable type {shown(odd)}: {type_name(odd)}")
    if left == right:
        return 0
    return -1 if left < right else 1  # pyright: ignore[reportOperatorIssue]


def _kind(value: object) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, (int, float)):
        return "number"
    if isinstance(value, str):
        return "string"
    return "nil" if value is None else "other"
