"""What an image is made of, as values, and the TOML they are read from.

Parsing is strict: an unknown key, a relative path or a mode that is no number is refused by its field's name, so
that a slip in a recipe is found before anything is downloaded.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from importlib.resources import files as package_files
from pathlib import Path
from typing import TypeVar, cast

from hakobu.bootstrap.failure import BadRecipe, NoSuchRecipe

# mmdebstrap's variants that make sense in an image; `extract` unpacks the packages without running anything.
VARIANTS = ("extract", "custom", "essential", "apt", "minbase")

# A package's documentation, caches and what only the build itself left behind; licences stay.
DEFAULT_REMOVALS = (
    "/dev/*",
    "/etc/group-",
    "/etc/gshadow-",
    "/etc/passwd-",
    "/etc/shadow-",
    "/run/*",
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/lintian/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
    "/var/cache/apt/*",
    "/var/cache/debconf/*",
    "/var/cache/ldconfig/*",
    "/var/lib/apt/lists/*",
    "/var/log/*",
)
ALWAYS_KEPT = ("/usr/share/doc/*/copyright",)

_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]*(:[a-z0-9]+)?")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_SUITE = re.compile(r"[a-z][a-z0-9./-]*")
_CONFIG_KEYS: Mapping[str, type] = {
    "Cmd": list,
    "Entrypoint": list,
    "Env": list,
    "ExposedPorts": list,
    "Labels": dict,
    "StopSignal": str,
    "User": str,
    "Volumes": list,
    "WorkingDir": str,
}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class User:
    """An account of the image, with a group of the same name and number."""

    name: str
    uid: int
    gid: int
    home: str = "/nonexistent"
    shell: str = "/usr/sbin/nologin"
    comment: str = ""


@dataclass(frozen=True, slots=True)
class File:
    path: str
    content: str
    mode: int = 0o644
    owner: str = "root"


@dataclass(frozen=True, slots=True)
class Directory:
    path: str
    mode: int = 0o755
    owner: str = "root"


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link `path` → `target`."""

    path: str
    target: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything an image is made from; `suite` and `mirror` may be empty: the command chooses them then."""

    name: str
    description: str
    variant: str
    packages: tuple[str, ...]
    suite: str = ""
    mirror: str = ""
    components: tuple[str, ...] = ("main",)
    users: tuple[User, ...] = ()
    directories: tuple[Directory, ...] = ()
    files: tuple[File, ...] = ()
    links: tuple[Link, ...] = ()
    removals: tuple[str, ...] = ()
    config: Mapping[str, object] = field(default_factory=dict[str, object])

    def digest(self) -> str:
        """Changes whenever an image made from this recipe would (a mirror's newer packages aside)."""
        data = asdict(self) | {"default_removals": DEFAULT_REMOVALS}
        return "sha256:" + hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


class _Table:
    """One TOML table that is being read: every key must be asked for, and what is left at the end is refused."""

    def __init__(self, data: Mapping[str, object], origin: str, place: str = "") -> None:
        self._left = dict(data)
        self._origin = origin
        self._place = place

    def bad(self, key: str, problem: str) -> BadRecipe:
        return BadRecipe(self._origin, f"{self._place}{key}", problem)

    def take(self, key: str, kind: type[T], default: T | None = None) -> T:
        value = self._left.pop(key, default)
        if value is None:
            raise self.bad(key, "is missing")
        # bool is an int for isinstance, and never what a number was asked for
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.bad(key, f"must be of the kind {kind.__name__}, not {value!r}")
        return value

    def strings(self, key: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
        values = cast("list[object]", self.take(key, list, list(default)))
        for value in values:
            if not isinstance(value, str):
                raise self.bad(key, f"must hold strings only, not {value!r}")
        return tuple(str(value) for value in values)

    def path(self, key: str) -> str:
        path = self.take(key, str)
        if not path.startswith("/") or path == "/" or "\0" in path or ".." in path.split("/"):
            raise self.bad(key, f"must be an absolute path, not {path!r}")
        return "/" + "/".join(part for part in path.split("/") if part)

    def mode(self, default: int) -> int:
        text = self.take("mode", str, f"{default:04o}")
        if not re.fullmatch(r"[0-7]{3,4}", text):
            raise self.bad("mode", f'must be octal digits as "0755", not {text!r}')
        return int(text, 8)

    def matching(self, key: str, pattern: re.Pattern[str], default: str | None = None) -> str:
        value = self.take(key, str, default)
        if value and not pattern.fullmatch(value):
            raise self.bad(key, f"is not valid: {value!r}")
        return value

    def table(self, key: str) -> "_Table":
        data = cast("dict[str, object]", self.take(key, dict, {}))
        return _Table(data, self._origin, f"{self._place}{key}.")

    def each(self, key: str, read: "Callable[[_Table], T]") -> tuple[T, ...]:
        found: list[T] = []
        for index, entry in enumerate(cast("list[object]", self.take(key, list, []))):
            if not isinstance(entry, dict):
                raise self.bad(key, "must be tables")
            table = _Table(cast("dict[str, object]", entry), self._origin, f"{self._place}{key}[{index}].")
            found.append(read(table))
            table.end()
        return tuple(found)

    def end(self) -> None:
        if self._left:
            raise self.bad(next(iter(self._left)), "is not a key of a recipe")


def _user(table: _Table) -> User:
    uid = table.take("uid", int)
    return User(
        name=table.matching("name", _USER),
        uid=uid,
        gid=table.take("gid", int, uid),
        home=table.take("home", str, "/nonexistent"),
        shell=table.take("shell", str, "/usr/sbin/nologin"),
        comment=table.take("comment", str, ""),
    )


def _file(table: _Table) -> File:
    return File(table.path("path"), table.take("content", str), table.mode(0o644), table.take("owner", str, "root"))


def _directory(table: _Table) -> Directory:
    return Directory(table.path("path"), table.mode(0o755), table.take("owner", str, "root"))


def _links(table: _Table) -> tuple[Link, ...]:
    """One link (`path`), or many to the same target (`paths`)."""
    target = table.take("target", str)
    paths = table.strings("paths") or (table.path("path"),)
    return tuple(Link(path, target) for path in paths)


def _config(table: _Table, data: Mapping[str, object]) -> dict[str, object]:
    config: dict[str, object] = {}
    for key in data:
        if key not in _CONFIG_KEYS:
            raise table.bad(key, f"is not one of {', '.join(_CONFIG_KEYS)}")
        config[key] = list(table.strings(key)) if _CONFIG_KEYS[key] is list else table.take(key, _CONFIG_KEYS[key])
    return config


def parse(text: str, origin: str) -> Recipe:
    """A recipe from TOML; `origin` is what errors name. BadRecipe where it cannot be followed."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadRecipe(origin, "TOML", str(error)) from error
    top = _Table(data, origin)
    debian = top.table("debian")
    recipe = Recipe(
        name=top.take("name", str),
        description=top.take("description", str),
        variant=debian.take("variant", str),
        packages=debian.strings("packages"),
        suite=debian.matching("suite", _SUITE, ""),
        mirror=debian.take("mirror", str, ""),
        components=debian.strings("components", ("main",)),
        users=top.each("users", _user),
        directories=top.each("directories", _directory),
        files=top.each("files", _file),
        links=tuple(link for group in top.each("links", _links) for link in group),
        removals=top.strings("removals"),
        config=_config(top.table("config"), cast("dict[str, object]", data.get("config", {}))),
    )
    top.end()
    debian.end()
    if recipe.variant not in VARIANTS:
        raise BadRecipe(origin, "debian.variant", f"must be one of {', '.join(VARIANTS)}")
    for package in recipe.packages:
        if not _PACKAGE.fullmatch(package):
            raise BadRecipe(origin, "debian.packages", f"is not a package's name: {package!r}")
    return recipe


def known_recipes() -> list[str]:
    """The names of the recipes that come with the package."""
    folder = package_files("hakobu.bootstrap") / "recipes"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load(name: str, path: str = "") -> Recipe:
    """The recipe in the file `path`, or the shipped one called `name`."""
    if path:
        return parse(Path(path).read_text(encoding="utf-8"), path)
    if name not in known_recipes():
        raise NoSuchRecipe(name, known_recipes())
    source = package_files("hakobu.bootstrap") / "recipes" / f"{name}.toml"
    return parse(source.read_text(encoding="utf-8"), f"{name}.toml")
