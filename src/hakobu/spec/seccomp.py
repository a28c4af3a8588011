"""Seccomp profiles: Docker's (and OCI's) JSON as values, and what a profile says for one container.

`parse_profile` refuses what it does not understand by the field's name, because a rule that is passed over fails
open. `resolve` is pure: profile, capabilities, machine and kernel version give a `Filter`, which `kernel/seccomp`
compiles. A listener (SCMP_ACT_NOTIFY) is for those who can give it one: the OCI command line.
"""

import json
import re
from collections.abc import Mapping
from typing import Final, cast

from hakobu.errors import Invalid
from hakobu.spec import seccomp_default as default
from hakobu.spec.dataclass import dataclass
from hakobu.spec.step import Json

ACTIONS: Final = frozenset(
    (
        "SCMP_ACT_KILL",
        "SCMP_ACT_KILL_PROCESS",
        "SCMP_ACT_KILL_THREAD",
        "SCMP_ACT_TRAP",
        "SCMP_ACT_ERRNO",
        "SCMP_ACT_TRACE",
        "SCMP_ACT_ALLOW",
        "SCMP_ACT_LOG",
    )
)
NOTIFY: Final = "SCMP_ACT_NOTIFY"
OPERATORS: Final = frozenset(
    (
        "SCMP_CMP_NE",
        "SCMP_CMP_LT",
        "SCMP_CMP_LE",
        "SCMP_CMP_EQ",
        "SCMP_CMP_GE",
        "SCMP_CMP_GT",
        "SCMP_CMP_MASKED_EQ",
    )
)
FLAGS: Final = frozenset(("SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"))
EPERM: Final = 1
ENOSYS: Final = 38
_MAX_ERRNO: Final = 4095
_MAX_RULES: Final = 4096
_MAX_NAMES: Final = 4096
_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,63}", re.ASCII)
_VERSION: Final = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})", re.ASCII)

# Go's names of the machines, which Docker's conditions use.
_GO_NAMES: Final = {"x86_64": frozenset(("amd64",)), "aarch64": frozenset(("arm64",))}
# The libseccomp names of a machine's own and its compatible architectures.
ARCHITECTURES: Final = {
    "x86_64": ("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"),
    "aarch64": ("SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"),
}


@dataclass(frozen=True, slots=True)
class Argument:
    """A condition on one argument; `value_two` is the datum of SCMP_CMP_MASKED_EQ (`value` is its mask)."""

    index: int
    value: int
    value_two: int = 0
    op: str = "SCMP_CMP_EQ"


@dataclass(frozen=True, slots=True)
class Condition:
    """Which containers, machines and kernels a rule is (or is not) for. Empty says nothing."""

    caps: frozenset[str] = frozenset()
    arches: frozenset[str] = frozenset()
    min_kernel: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    names: tuple[str, ...]
    action: str = "SCMP_ACT_ALLOW"
    errno_ret: int | None = None
    args: tuple[Argument, ...] = ()
    includes: Condition = Condition()
    excludes: Condition = Condition()


@dataclass(frozen=True, slots=True)
class Profile:
    """`architectures` maps a machine's architecture to those filtered beside it."""

    default_action: str
    default_errno_ret: int | None
    architectures: Mapping[str, tuple[str, ...]]
    rules: tuple[Rule, ...]
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Filter:
    """What remains of a profile for one container: unconditional rules, this machine's architectures."""

    default_action: str
    default_errno_ret: int
    architectures: tuple[str, ...]
    rules: tuple[Rule, ...]
    flags: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    """Every name the whole profile mentions: what is newer than the newest of them answers ENOSYS."""

    def to_json(self) -> dict[str, Json]:
        """A canonical form: equal filters give equal text (the key of the cache)."""
        return {
            "default": [self.default_action, self.default_errno_ret],
            "architectures": list[Json](self.architectures),
            "flags": list[Json](self.flags),
            "known": list[Json](sorted(self.known)),
            "rules": [
                [list(r.names), r.action, r.errno_ret, [[a.index, a.value, a.value_two, a.op] for a in r.args]]
                for r in self.rules
            ],
        }


def _default_rules() -> tuple[Rule, ...]:
    admin = frozenset(("CAP_SYS_ADMIN",))
    sockets = (Argument(0, 38, op="SCMP_CMP_LT"), Argument(0, 39), Argument(0, 40, op="SCMP_CMP_GT"))
    no_namespaces = (Argument(0, default.NAMESPACE_FLAGS, 0, "SCMP_CMP_MASKED_EQ"),)
    return (
        Rule(tuple(sorted(default.ALWAYS))),
        Rule(tuple(sorted(default.SINCE_4_8)), includes=Condition(min_kernel=(4, 8))),
        *(Rule(("socket",), args=(argument,)) for argument in sockets),
        *(Rule(("personality",), args=(Argument(0, value),)) for value in default.PERSONALITIES),
        *(
            Rule(tuple(sorted(names)), includes=Condition(arches=_GO_NAMES[machine]))
            for machine, names in default.BY_MACHINE.items()
        ),
        *(
            Rule(tuple(sorted(names)), includes=Condition(caps=frozenset((capability,))))
            for capability, names in default.BY_CAPABILITY.items()
        ),
        Rule(("clone",), args=no_namespaces, excludes=Condition(caps=admin)),
        # ENOSYS and not EPERM: the C library then falls back to clone, whose flags a filter can see.
        Rule(("clone3",), "SCMP_ACT_ERRNO", ENOSYS, excludes=Condition(caps=admin)),
    )


def default_profile() -> Profile:
    """Docker's default profile."""
    maps = {names[0]: names[1:] for names in ARCHITECTURES.values()}
    return Profile("SCMP_ACT_ERRNO", EPERM, maps, _default_rules())


class _Reader:
    """Reads one JSON object; every complaint names the field from the profile's root."""

    def __init__(self, value: object, name: str) -> None:
        if not isinstance(value, dict):
            raise Invalid(f"seccomp profile: {name or 'the profile'} must be an object", field=name)
        self.source = cast("dict[str, object]", value)
        self.name = name

    def field(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key

    def bad(self, key: str, what: str) -> Invalid:
        return Invalid(f"seccomp profile: {self.field(key)} {what}", field=self.field(key))

    def only(self, *known: str) -> None:
        for key in self.source:
            if key not in known:
                raise self.bad(key, "is not known")

    def integer(self, key: str, high: int) -> int | None:
        value = self.source.get(key)
        if value is None:
            return None
        if type(value) is not int or not 0 <= value <= high:
            raise self.bad(key, f"must be a whole number from 0 to {high}")
        return value

    def choice(self, key: str, allowed: frozenset[str]) -> str:
        value = self.source.get(key)
        if not isinstance(value, str) or value not in allowed:
            raise self.bad(key, f"is not supported: {value!r}")
        return value

    def items(self, key: str, limit: int) -> list[object]:
        value = self.source.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.bad(key, "must be a list")
        found = cast("list[object]", value)
        if len(found) > limit:
            raise self.bad(key, f"has more than {limit} entries")
        return found

    def texts(self, key: str, limit: int = 256) -> tuple[str, ...]:
        found = self.items(key, limit)
        if not all(isinstance(item, str) for item in found):
            raise self.bad(key, "must be a list of text")
        return tuple(cast("list[str]", found))

    def objects(self, key: str, limit: int) -> list["_Reader"]:
        return [_Reader(item, f"{self.field(key)}[{i}]") for i, item in enumerate(self.items(key, limit))]

    def child(self, key: str) -> "_Reader":
        return _Reader(self.source.get(key) or {}, self.field(key))


def _argument(reader: _Reader) -> Argument:
    reader.only("index", "value", "valueTwo", "op")
    index, value = reader.integer("index", 5), reader.integer("value", 2**64 - 1)
    if index is None or value is None:
        raise reader.bad("index" if index is None else "value", "is missing")
    return Argument(index, value, reader.integer("valueTwo", 2**64 - 1) or 0, reader.choice("op", OPERATORS))


def _condition(reader: _Reader) -> Condition:
    reader.only("caps", "arches", "minKernel")
    version = reader.source.get("minKernel") or ""
    if not isinstance(version, str) or (version and not _VERSION.fullmatch(version)):
        raise reader.bad("minKernel", f"is not a version such as 4.8: {version!r}")
    major_minor = _kernel_version(version) if version else None
    return Condition(frozenset(reader.texts("caps")), frozenset(reader.texts("arches")), major_minor)


def _rule(reader: _Reader, actions: frozenset[str]) -> Rule:
    reader.only("name", "names", "action", "errnoRet", "args", "comment", "includes", "excludes")
    names = reader.texts("names", _MAX_NAMES)
    if name := reader.source.get("name"):
        if names or not isinstance(name, str):
            raise reader.bad("name", "cannot stand beside names")
        names = (name,)
    for i, item in enumerate(names):
        if not _NAME.fullmatch(item):
            raise reader.bad(f"names[{i}]", f"is not the name of a system call: {item!r}")
    if not names:
        raise reader.bad("names", "is empty")
    return Rule(
        names,
        reader.choice("action", actions),
        reader.integer("errnoRet", _MAX_ERRNO),
        tuple(_argument(argument) for argument in reader.objects("args", 64)),
        _condition(reader.child("includes")),
        _condition(reader.child("excludes")),
    )


def _architectures(reader: _Reader) -> dict[str, tuple[str, ...]]:
    """Docker's archMap, or OCI's flat list, which stands for the machine that is in it."""
    flat = reader.texts("architectures")
    maps = reader.objects("archMap", 64)
    if flat and maps:
        raise reader.bad("architectures", "cannot stand beside archMap")
    if flat:
        return {names[0]: tuple(a for a in flat if a != names[0]) for names in ARCHITECTURES.values()}
    found: dict[str, tuple[str, ...]] = {}
    for item in maps:
        item.only("architecture", "subArchitectures")
        name = item.source.get("architecture")
        if not isinstance(name, str):
            raise item.bad("architecture", "is missing")
        found[name] = item.texts("subArchitectures")
    return found


def parse_profile(value: object, *, listener: bool = False) -> Profile:
    """A profile decoded from JSON, in Docker's or OCI's shape. An empty object is the default profile.

    `listener` says that somebody hears of SCMP_ACT_NOTIFY.
    """
    actions = ACTIONS | {NOTIFY} if listener else ACTIONS
    reader = _Reader(value, "")
    if not reader.source:
        return default_profile()
    reader.only(
        "defaultAction", "defaultErrnoRet", "architectures", "archMap", "flags", "syscalls", "comment",
        "listenerPath", "listenerMetadata",
    )  # fmt: skip
    for key in ("listenerPath", "listenerMetadata"):
        if reader.source.get(key):
            raise reader.bad(key, "is not supported")
    flags = reader.texts("flags")
    for i, flag in enumerate(flags):
        if flag not in FLAGS:
            raise reader.bad(f"flags[{i}]", f"is not supported: {flag!r}")
    return Profile(
        reader.choice("defaultAction", actions),
        reader.integer("defaultErrnoRet", _MAX_ERRNO),
        _architectures(reader),
        tuple(_rule(rule, actions) for rule in reader.objects("syscalls", _MAX_RULES)),
        flags,
    )


def parse_profile_text(text: str) -> Profile:
    """A profile as `--security-opt seccomp=` carries it: JSON text of at most 1 MiB."""
    if len(text) > 1 << 20:
        raise Invalid("seccomp profile: more than 1 MiB", field="seccomp")
    try:
        return parse_profile(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise Invalid(f"seccomp profile: not JSON: {error}", field="seccomp") from error


def _kernel_version(release: str) -> tuple[int, int]:
    match = _VERSION.match(release)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _holds(condition: Condition, capabilities: frozenset[str], arches: frozenset[str], kernel: tuple[int, int]) -> bool:
    if not condition.caps <= capabilities or (condition.arches and not condition.arches & arches):
        return False
    return condition.min_kernel is None or kernel >= condition.min_kernel


def _is_excluded(
    condition: Condition, capabilities: frozenset[str], arches: frozenset[str], kernel: tuple[int, int]
) -> bool:
    """Any of the named things excludes a rule; all of them are needed to include one."""
    if condition.caps & capabilities or condition.arches & arches:
        return True
    return condition.min_kernel is not None and kernel >= condition.min_kernel


def resolve(profile: Profile, capabilities: frozenset[str], machine: str, kernel_release: str) -> Filter:
    """The profile for a container with these (full, bounding) capabilities on this machine and kernel."""
    if machine not in ARCHITECTURES:
        raise Invalid(f"seccomp profile: no architecture for {machine}", field="archMap")
    arches, kernel = _GO_NAMES[machine], _kernel_version(kernel_release)
    own = ARCHITECTURES[machine][0]
    subs = tuple(a for a in profile.architectures.get(own, ()) if a in ARCHITECTURES[machine])
    rules = tuple(
        Rule(rule.names, rule.action, rule.errno_ret, rule.args)
        for rule in profile.rules
        if _holds(rule.includes, capabilities, arches, kernel)
        and not _is_excluded(rule.excludes, capabilities, arches, kernel)
    )
    known = frozenset(name for rule in profile.rules for name in rule.names)
    errno = profile.default_errno_ret
    return Filter(profile.default_action, EPERM if errno is None else errno, (own, *subs), rules, profile.flags, known)
