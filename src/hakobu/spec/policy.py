"""What a scoped socket may do: a closed vocabulary of permissions and exceptions, and one value that holds a choice.

What is not named is denied. Permissions say which requests are answered; labels say which objects they reach;
the rest names, one by one, what a container made there may have beyond its own walls. Pure.
"""

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final

from hakobu.errors import Invalid
from hakobu.spec.bounded import Fields
from hakobu.spec.step import Json

PERMISSIONS: Final[Mapping[str, str]] = {
    "containers:read": "list and inspect containers; their processes, figures and changed files; wait for them",
    "containers:logs": "read what containers printed",
    "containers:control": "start, stop, restart, kill, pause and unpause containers",
    "containers:create": "create containers, as far as the rest of the policy lets them reach",
    "containers:update": "rename, update and edit containers, and clear their logs",
    "containers:delete": "remove and prune containers",
    "containers:attach": "attach to containers",
    "containers:exec": "run programs in containers",
    "containers:files": "copy files from and to containers, and export them",
    "containers:commit": "make images of containers",
    "images:read": "list and inspect images",
    "images:pull": "pull images",
    "images:push": "push images",
    "images:load": "load and import images: an archive names what it brings",
    "images:tag": "give images names",
    "images:delete": "remove and prune images",
    "images:save": "save images into archives",
    "networks:read": "list and inspect networks",
    "networks:create": "create networks",
    "networks:connect": "connect containers to networks, and disconnect them",
    "networks:delete": "remove and prune networks",
    "volumes:read": "list and inspect volumes",
    "volumes:create": "create, clone and rename volumes",
    "volumes:delete": "remove and prune volumes",
    "events:read": "follow events of what may be read",
    "registries:read": "let the engine ask registries: logins, searches, manifests",
    "system:read": "info, disk usage, and the engine's own figures",
}

FEATURES: Final[Mapping[str, str]] = {
    "privileged": "containers and execs with all of the engine's rights: root on the host",
    "host-network": "the host's network",
    "host-pid": "the host's processes",
    "host-ipc": "the host's shared memory",
    "host-uts": "the host's name",
    "host-user": "the host's user namespace",
    "host-cgroup": "the host's cgroup tree",
    "join": "namespaces of other containers in scope",
    "volumes-from": "the mounts of other containers in scope",
    "links": "links to containers, which tell their environment",
    "publish": "ports of the host",
    "devices": "devices of the host",
    "security-options": "other seccomp and AppArmor profiles, unmasked paths, SELinux labels",
    "cgroup-parent": "a cgroup of their own choice",
    "priority": "realtime scheduling, no OOM killer, a lower OOM score than others",
    "log-drivers": "log drivers that send to elsewhere, and their options",
    "volume-options": "volumes with driver options: any directory or file system of the host",
    "network-options": "networks with drivers, addresses or options of their own choice",
}

_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,62}\Z", re.ASCII)
_LOCAL_LOGS = frozenset({"", "json-file", "local", "none"})


@dataclass(frozen=True, slots=True)
class BindGrant:
    """One path of the host, exactly: what lies below it could be a link to elsewhere."""

    path: str
    read_only: bool = False

    def __str__(self) -> str:
        return f"{self.path}:ro" if self.read_only else self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """`labels` are the scope: empty means every object. `images` are patterns of names, empty means every image.

    `networks` and `volumes` outside of the scope may be read and used, never changed or removed.
    """

    name: str
    allow: frozenset[str]
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    images: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    binds: tuple[BindGrant, ...] = ()
    capabilities: frozenset[str] = frozenset()
    features: frozenset[str] = frozenset()
    group: str = ""

    def covers(self, labels: Mapping[str, str]) -> bool:
        """Whether an object that its maker labelled so is in scope."""
        return all(labels.get(name) == value for name, value in self.labels.items())

    def names_image(self, *names: str) -> bool:
        """Whether one of an image's names is among those the policy is about."""
        return not self.images or any(fnmatchcase(name, pattern) for name in names for pattern in self.images)

    def grants_bind(self, path: str, *, read_only: bool) -> bool:
        return any(grant.path == path and (read_only or not grant.read_only) for grant in self.binds)

    def to_json(self) -> dict[str, Json]:
        return {
            "name": self.name,
            "allow": list[Json](sorted(self.allow)),
            "labels": dict[str, Json](self.labels),
            "images": list[Json](self.images),
            "networks": list[Json](self.networks),
            "volumes": list[Json](self.volumes),
            "binds": [str(grant) for grant in self.binds],
            "capabilities": list[Json](sorted(self.capabilities)),
            "features": list[Json](sorted(self.features)),
            "group": self.group,
        }


_KEYS = frozenset(Policy.__dataclass_fields__)


def parse_policy(document: Json) -> Policy:
    """A policy from its JSON (or TOML) form; everything unknown is refused, by its name.

    `containers:*` stands for what this version knows of containers, and is written out: a later version's
    permissions are in no policy that was made before it.
    """
    fields = Fields.of(document, "policy")
    for key in fields.values:
        if key not in _KEYS:
            raise Invalid(f"a policy has no {key!r}", field=key, hint=f"it has {', '.join(sorted(_KEYS))}")
    return Policy(
        name=socket_name(fields.string("name")),
        allow=frozenset(p for given in fields.strings("allow") for p in _permissions(given)),
        labels=_labels(fields.string_map("labels")),
        images=fields.strings("images"),
        networks=fields.strings("networks"),
        volumes=fields.strings("volumes"),
        binds=tuple(map(_bind, fields.strings("binds"))),
        capabilities=frozenset(name.upper().removeprefix("CAP_") for name in fields.strings("capabilities")),
        features=frozenset(map(_feature, fields.strings("features"))),
        group=fields.string("group"),
    )


def socket_name(name: str) -> str:
    """It becomes a folder's name."""
    if not _NAME.match(name):
        raise Invalid(f"invalid name of a socket: {name!r} (expected [a-z0-9][a-z0-9_.-]*)", field="name")
    return name


def _permissions(given: str) -> frozenset[str]:
    resource, _, verb = given.partition(":")
    found = frozenset(p for p in PERMISSIONS if p == given or (verb == "*" and p.startswith(f"{resource}:")))
    if not found:
        raise Invalid(f"no such permission: {given!r}", field="allow", hint=f"there are {', '.join(PERMISSIONS)}")
    return found


def _feature(given: str) -> str:
    if given not in FEATURES:
        raise Invalid(f"no such feature: {given!r}", field="features", hint=f"there are {', '.join(FEATURES)}")
    return given


def _labels(given: dict[str, str]) -> dict[str, str]:
    if "" in given:
        raise Invalid("a label of the scope has no name", field="labels")
    return given


def _bind(given: str) -> BindGrant:
    path, colon, mode = given.partition(":")
    if (colon and mode not in ("ro", "rw")) or not path.startswith("/") or posixpath.normpath(path) != path:
        raise Invalid(f"invalid bind: {given!r} (expected an absolute, plain PATH or PATH:ro)", field="binds")
    return BindGrant(path, mode == "ro")


def is_local_log(driver: str) -> bool:
    """Whether what a container prints stays in the engine's own files."""
    return driver in _LOCAL_LOGS
