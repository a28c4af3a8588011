"""Versions of the Docker Engine API: how they compare, which are served, and what differs between them.

Differences are data (`ADDED`, `REMOVED`): a handler fills the newest shape, and `fit` takes away what the
client's version did not have or no longer has. Handlers never branch on a version for a field's presence.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple


class ApiVersion(NamedTuple):
    """`major.minor`; compares as numbers do, so 1.9 is older than 1.24."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}"


ANNOUNCED: Final = ApiVersion(1, 51)
MINIMUM: Final = ApiVersion(1, 24)

UNCHANGED_SINCE: Final = ApiVersion(1, 12)
"""Images have been listed, looked at, named and moved as archives in the same way since then, and tools that do
nothing else never asked for more: skopeo's `docker-daemon:` says 1.22. What did change since is as in `MINIMUM`."""

ADDED: Final[Mapping[str, Mapping[str, ApiVersion]]] = {
    "container": {"ImageManifestDescriptor": ApiVersion(1, 48)},
    "host_config": {"Annotations": ApiVersion(1, 43), "CgroupnsMode": ApiVersion(1, 41)},
    "endpoint": {"DNSNames": ApiVersion(1, 44), "GwPriority": ApiVersion(1, 48)},
    "network": {"EnableIPv4": ApiVersion(1, 48)},
    "image": {"Descriptor": ApiVersion(1, 48), "Manifests": ApiVersion(1, 47)},
    "info": {
        "FirewallBackend": ApiVersion(1, 49),
        "DiscoveredDevices": ApiVersion(1, 50),
        "CDISpecDirs": ApiVersion(1, 46),
        "Containerd": ApiVersion(1, 46),
    },
    "exec": {"ConsoleSize": ApiVersion(1, 42)},
}
"""Shape, then field: the first version that has it."""

REMOVED: Final[Mapping[str, Mapping[str, ApiVersion]]] = {
    "image": {
        "VirtualSize": ApiVersion(1, 44),
        "Container": ApiVersion(1, 45),
        "ContainerConfig": ApiVersion(1, 45),
    },
    "config": {"MacAddress": ApiVersion(1, 44)},
    "host_config": {"KernelMemory": ApiVersion(1, 42), "KernelMemoryTCP": ApiVersion(1, 42)},
    "info": {
        "KernelMemory": ApiVersion(1, 42),
        "KernelMemoryTCP": ApiVersion(1, 42),
        "BridgeNfIptables": ApiVersion(1, 49),
        "BridgeNfIp6tables": ApiVersion(1, 49),
        "ClusterStore": ApiVersion(1, 41),
        "ClusterAdvertise": ApiVersion(1, 41),
        "SystemStatus": ApiVersion(1, 40),
    },
    "commit_id": {"Expected": ApiVersion(1, 49)},
    "disk_usage": {"BuilderSize": ApiVersion(1, 42)},
    "event": {"status": ApiVersion(1, 52), "id": ApiVersion(1, 52), "from": ApiVersion(1, 52)},
}
"""Shape, then field: the first version that no longer has it."""

READ_ONLY_MOUNTS_RECURSE: Final = ApiVersion(1, 44)
"""From here a read-only bind mount is read-only all the way down; before, submounts stayed writable."""

MULTIPLEXED_CONTENT_TYPE: Final = ApiVersion(1, 42)
"""From here framed streams say so in their content type."""

BINARY_WEBSOCKET: Final = ApiVersion(1, 28)
"""From here an attached websocket carries binary messages; before, text."""

ALIASES_AS_GIVEN: Final = ApiVersion(1, 45)
"""From here an endpoint's aliases are those that were asked for; before, with the container's id and host name."""


def parse_version(text: str) -> ApiVersion | None:
    """`1.41` as a version, or None when the text is not of that form."""
    major, dot, minor = text.partition(".")
    if not dot or not (major.isascii() and major.isdigit() and minor.isascii() and minor.isdigit()):
        return None
    if len(major) > 3 or len(minor) > 3:
        return None
    return ApiVersion(int(major), int(minor))


def fit(shape: str, value: dict[str, object], version: ApiVersion) -> None:
    """Takes from `value` the fields that clients of this version must not see."""
    for field, since in ADDED.get(shape, {}).items():
        if version < since:
            value.pop(field, None)
    for field, until in REMOVED.get(shape, {}).items():
        if version >= until:
            value.pop(field, None)
