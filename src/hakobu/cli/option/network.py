"""`--network`: a name, or `name=…,alias=…,ip=…`; to the API's endpoint settings, one a network."""

from __future__ import annotations

from hakobu.cli.failure import Failure
from hakobu.cli.option.mount import split_fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

_BUILT_IN = ("default", "bridge", "host", "none")


class Attachment:
    """One network of a container, as asked for."""

    __slots__ = ("aliases", "driver_opts", "gw_priority", "ip", "ip6", "link_local", "links", "mac", "target")

    def __init__(self, target: str) -> None:
        self.target = target
        self.aliases: list[str] = []
        self.driver_opts: dict[str, str] = {}
        self.links: list[str] = []
        self.ip = ""
        self.ip6 = ""
        self.link_local: list[str] = []
        self.mac = ""
        self.gw_priority = 0

    def to_json(self) -> Json:
        """EndpointSettings, only what was set."""
        ipam: Json = {}
        if self.ip:
            ipam["IPv4Address"] = self.ip
        if self.ip6:
            ipam["IPv6Address"] = self.ip6
        if self.link_local:
            ipam["LinkLocalIPs"] = self.link_local
        out: Json = {
            "IPAMConfig": ipam,
            "Links": self.links,
            "Aliases": self.aliases,
            "MacAddress": self.mac,
            "DriverOpts": self.driver_opts,
            "GwPriority": self.gw_priority,
        }
        return {name: value for name, value in out.items() if value}


def parse_network(text: str) -> Attachment:
    """One `--network`; ValueError with docker's words."""
    if "=" not in text:
        return Attachment(text)
    attachment = Attachment("")
    for field in split_fields(text):
        key, equals, value = field.strip().partition("=")
        if not equals:
            raise ValueError(f"invalid field {field}")
        _set(attachment, key.strip().lower(), value.strip())
    if not attachment.target:
        raise ValueError("network name/id is not specified")
    return attachment


def _set(attachment: Attachment, key: str, value: str) -> None:
    if key == "name":
        attachment.target = value
    elif key == "alias":
        attachment.aliases.append(value)
    elif key == "ip":
        attachment.ip = value
    elif key == "ip6":
        attachment.ip6 = value
    elif key == "mac-address":
        from hakobu.cli.option.value import parse_mac

        attachment.mac = parse_mac(value)
    elif key == "link-local-ip":
        attachment.link_local.append(value)
    elif key == "driver-opt":
        name, equals, item = value.partition("=")
        if not equals:
            raise ValueError("invalid key value pair format in driver options")
        attachment.driver_opts[name.strip()] = item.strip()
    elif key == "gw-priority":
        try:
            attachment.gw_priority = int(value)
        except ValueError:
            raise ValueError(f"invalid gw-priority ({value}): value must be an integer") from None
    else:
        raise ValueError(f"invalid field key {key}")


def is_user_defined(mode: str) -> bool:
    return bool(mode) and mode not in _BUILT_IN and not mode.startswith("container:")


def attachments(values: Values) -> list[Attachment]:
    """All networks of the command line, the flags for the first one put into it."""
    given = values.raw("network")
    assert isinstance(given, list)
    chosen: list[Attachment] = given  # pyright: ignore[reportUnknownVariableType]
    networks = chosen or [Attachment("default")]
    first = networks[0]
    _apply_flags(first, values)
    seen: set[str] = set()
    for network in networks:
        if network.target in seen:
            raise Failure(f'network "{network.target}" is specified multiple times', 125)
        seen.add(network.target)
        if len(networks) > 1 and network.target.startswith("container:"):
            raise Failure(
                "conflicting options: cannot attach both user-defined and non-user-defined network-modes", 125
            )
    return networks


def _apply_flags(first: Attachment, values: Values) -> None:
    aliases = values.texts("network-alias")
    if aliases and first.aliases:
        raise Failure("conflicting options: cannot specify both --network-alias and per-network alias", 125)
    if aliases and not is_user_defined(first.target):
        raise Failure("network-scoped aliases are only supported for user-defined networks", 125)
    for flag, attribute in (("ip", "ip"), ("ip6", "ip6"), ("mac-address", "mac")):
        value = values.text(flag)
        if value and getattr(first, attribute):
            raise Failure(f"conflicting options: cannot specify both --{flag} and per-network {flag}", 125)
        if value:
            setattr(first, attribute, value)
    first.aliases += aliases
    first.link_local += values.texts("link-local-ip")
    # A link to the default bridge is a matter of the host configuration, not of the endpoint.
    if is_user_defined(first.target):
        first.links += values.texts("link")
