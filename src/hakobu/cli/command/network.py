"""`network ls`, `create`, `rm`, `connect`, `disconnect`."""

from __future__ import annotations

from hakobu.cli.failure import Failure, Silent
from hakobu.cli.kind import BOOL, INT, LIST, MAP, STRING, STRINGS
from hakobu.cli.listing import (
    FILTERS,
    FORMAT,
    NO_TRUNC,
    QUIET,
    chosen_format,
    filters_of,
    labels_text,
    short_id,
    show_ids,
)
from hakobu.cli.listing import show as show_rows
from hakobu.cli.option.flags import LINK
from hakobu.cli.table import MANY, Command, Flag, key_values
from hakobu.cli.template.value import Record, label_method
from hakobu.cli.text.ago import go_time
from hakobu.client.codec import object_of
from hakobu.client.error import ClientError, EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

LS = Command(
    "network ls",
    "[OPTIONS]",
    "List networks",
    aliases=("network ls", "network list"),
    flags=(FILTERS, FORMAT, NO_TRUNC, QUIET),
)
CREATE = Command(
    "network create",
    "[OPTIONS] NETWORK",
    "Create a network",
    least=1,
    most=1,
    flags=(
        Flag("attachable", "", BOOL, "Let containers be attached by hand"),
        Flag("aux-address", "", MAP, "Addresses that are somebody else's: NAME=ADDRESS"),
        Flag("config-from", "", STRING, "Network to copy the configuration from"),
        Flag("config-only", "", BOOL, "Create a configuration only"),
        Flag("driver", "d", STRING, "Driver of the network", "bridge"),
        Flag("gateway", "", STRINGS, "Gateway of a subnet"),
        Flag("ingress", "", BOOL, "Create the routing mesh of a swarm", hidden=True),
        Flag("internal", "", BOOL, "Without a way outside"),
        Flag("ip-range", "", STRINGS, "Part of a subnet to take addresses from"),
        Flag("ipam-driver", "", STRING, "Driver that assigns addresses", "default"),
        Flag("ipam-opt", "", MAP, "Option of that driver"),
        Flag("ipv4", "", BOOL, "Assign IPv4 addresses", True, since="1.48"),
        Flag("ipv6", "", BOOL, "Assign IPv6 addresses"),
        Flag("label", "", LIST, "Set a label"),
        Flag("opt", "o", MAP, "Option of the driver"),
        Flag("scope", "", STRING, "Where the network is known"),
        Flag("subnet", "", STRINGS, "Subnet in CIDR form"),
    ),
)
RM = Command(
    "network rm",
    "NETWORK [NETWORK...]",
    "Remove networks",
    least=1,
    most=MANY,
    aliases=("network rm", "network remove"),
    flags=(Flag("force", "f", BOOL, "Do not mind a network that does not exist"),),
)
CONNECT = Command(
    "network connect",
    "[OPTIONS] NETWORK CONTAINER",
    "Connect a container to a network",
    least=2,
    most=2,
    flags=(
        Flag("alias", "", STRINGS, "Further name in the network"),
        Flag("driver-opt", "", STRINGS, "Option of the network's driver"),
        Flag("gw-priority", "", INT, "Priority as the default gateway"),
        Flag("ip", "", STRING, "IPv4 address"),
        Flag("ip6", "", STRING, "IPv6 address"),
        Flag("link", "", LINK, "Link to another container"),
        Flag("link-local-ip", "", STRINGS, "Link-local address"),
    ),
)
DISCONNECT = Command(
    "network disconnect",
    "[OPTIONS] NETWORK CONTAINER",
    "Disconnect a container from a network",
    least=2,
    most=2,
    flags=(Flag("force", "f", BOOL, "Also where the container is in no state for it"),),
)
COLUMNS = (("ID", "NETWORK ID"), ("Name", "NAME"), ("Driver", "DRIVER"), ("Scope", "SCOPE"))
HEADERS: dict[str, object] = {
    **dict(COLUMNS),
    "CreatedAt": "CREATED AT",
    "IPv4": "IPV4",
    "IPv6": "IPV6",
    "Internal": "INTERNAL",
    "Labels": "LABELS",
}


def ls(session: Session, values: Values, arguments: list[str]) -> int:
    full = values.on("no-trunc")
    networks = session.engine.networks.list(filters_of(values))
    networks.sort(key=lambda network: natural(str(network["Name"])))
    form = chosen_format(session, values, "networksFormat")
    if values.on("quiet") and form == "table":
        show_ids(session, [short_id(network["Id"], full=full) for network in networks])
        return 0
    show_rows(session, form, [_row(network, full) for network in networks], COLUMNS, HEADERS)
    return 0


def natural(name: str) -> list[tuple[int, int, str]]:
    """Sorts `net9` before `net10`."""
    parts: list[tuple[int, int, str]] = []
    digits = ""
    for letter in name + "\0":
        if letter.isascii() and letter.isdigit():
            digits += letter
            continue
        if digits:
            parts.append((0, int(digits), digits))
            digits = ""
        if letter != "\0":
            parts.append((1, 0, letter))
    return parts


def _row(network: Json, full: bool) -> Record:
    labels: dict[str, str] = object_of(network.get("Labels"))
    members = {
        "CreatedAt": lambda: go_time(str(network.get("Created", ""))),
        "Driver": lambda: network.get("Driver", ""),
        "ID": lambda: short_id(network["Id"], full=full),
        "IPv4": lambda: _bool(network.get("EnableIPv4", False)),
        "IPv6": lambda: _bool(network.get("EnableIPv6", False)),
        "Internal": lambda: _bool(network.get("Internal", False)),
        "Label": lambda: label_method(labels),
        "Labels": lambda: labels_text(labels),
        "Name": lambda: network.get("Name", ""),
        "Scope": lambda: network.get("Scope", ""),
    }
    return _NetworkRow(members, "*network.networkContext")


class _NetworkRow(Record):
    __slots__ = ()

    def to_json(self) -> dict[str, object]:
        return {name: self.members[name]() for name in sorted(self.members) if name != "Label"}


def _bool(value: object) -> str:
    return "true" if value else "false"


def _csv(values: Values, name: str) -> list[str]:
    return [part for item in values.texts(name) for part in item.split(",") if part]


def create(session: Session, values: Values, arguments: list[str]) -> int:
    body: Json = {
        "Name": arguments[0],
        "CheckDuplicate": True,
        "Driver": values.text("driver"),
        "Internal": values.on("internal"),
        "Attachable": values.on("attachable"),
        "Ingress": values.on("ingress"),
        "ConfigOnly": values.on("config-only"),
        "Scope": values.text("scope"),
        "IPAM": {
            "Driver": values.text("ipam-driver"),
            "Options": values.pairs("ipam-opt"),
            "Config": _ipam(values),
        },
        "Options": values.pairs("opt"),
        "Labels": key_values(values.texts("label")),
    }
    if values.text("config-from"):
        body["ConfigFrom"] = {"Network": values.text("config-from")}
    for flag, field in (("ipv4", "EnableIPv4"), ("ipv6", "EnableIPv6")):
        if flag in values.given:
            body[field] = values.on(flag)
    answer = session.engine.networks.create(body)
    if answer.get("Warning"):
        session.error(f"WARNING: {answer['Warning']}")
    session.line(str(answer["Id"]))
    return 0


def _ipam(values: Values) -> list[Json]:
    """Subnets, each with the gateway, range and addresses that lie in it."""
    from hakobu.cli.option.subnet import ipam_config

    try:
        return ipam_config(
            _csv(values, "subnet"), _csv(values, "gateway"), _csv(values, "ip-range"), values.pairs("aux-address")
        )
    except ValueError as e:
        raise Failure(str(e)) from None


def rm(session: Session, values: Values, arguments: list[str]) -> int:
    failed = False
    for name in arguments:
        try:
            session.engine.networks.remove(name)
        except EngineError as e:
            if values.on("force") and e.status == 404:
                continue
            session.error(str(e))
            failed = True
            continue
        except ClientError:
            raise
        session.line(name)
    if failed:
        session.error("exit status 1")
        raise Silent(1)
    return 0


def connect(session: Session, values: Values, arguments: list[str]) -> int:
    from hakobu.cli.option.network import Attachment

    attachment = Attachment(arguments[0])
    attachment.aliases = _csv(values, "alias")
    attachment.links = values.texts("link")
    attachment.ip, attachment.ip6 = values.text("ip"), values.text("ip6")
    attachment.link_local = _csv(values, "link-local-ip")
    attachment.gw_priority = values.number("gw-priority")
    for item in _csv(values, "driver-opt"):
        name, equals, value = item.partition("=")
        if not equals:
            raise Failure("invalid key/value pair format in driver options")
        attachment.driver_opts[name.strip()] = value.strip()
    session.engine.networks.connect(arguments[0], arguments[1], attachment.to_json())
    return 0


def disconnect(session: Session, values: Values, arguments: list[str]) -> int:
    session.engine.networks.disconnect(arguments[0], arguments[1], force=values.on("force"))
    return 0
