"""Published ports: short form (`8080:80`, `127.0.0.1:9000-9001:90-91/udp`, `[::1]:1:2`) and long form."""

import ipaddress
import re
from dataclasses import dataclass

from hakobu.compose.failure import BadComposeFile
from hakobu.compose.model.document import compact
from hakobu.compose.model.reading import read_choice, read_each, read_fields, read_int, read_string, read_text
from hakobu.compose.node import MappingNode, Node
from hakobu.spec.step import Json

_SHORT = re.compile(
    r"(?:(?:(?P<ip>\[[0-9a-fA-F:.%]+\]|[0-9a-fA-F:.]+|[A-Za-z0-9.\-]*[A-Za-z][A-Za-z0-9.\-]*):)?(?P<host>[0-9]*(?:-[0-9]+)?):)?"
    r"(?P<target>[0-9]+(?:-[0-9]+)?)(?:/(?P<protocol>[A-Za-z]+))?"
)
_PROTOCOLS = ("tcp", "udp", "sctp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """One published port; `published` is text: empty for any, or a range to choose from."""

    target: int
    published: str = ""
    host_ip: str = ""
    protocol: str = "tcp"
    mode: str = "ingress"
    name: str = ""
    app_protocol: str = ""

    def to_json(self) -> Json:
        return compact(
            [
                ("name", self.name),
                ("mode", self.mode),
                ("host_ip", self.host_ip),
                ("target", self.target),
                ("published", self.published),
                ("protocol", self.protocol),
                ("app_protocol", self.app_protocol),
            ]
        )


def read_ports(node: Node, path: str) -> tuple[Port, ...]:
    ports = [port for some in read_each(node, path, _read_one) for port in some]
    return tuple(dict.fromkeys(ports))


def _read_one(node: Node, path: str) -> list[Port]:
    return _read_long(node, path) if isinstance(node, MappingNode) else _read_short(node, path)


def expand_short(node: Node, path: str) -> tuple[str, ...]:
    """The ports of a short form, each written by itself: `127.0.0.1:8080:80/tcp`."""
    return tuple(_write(port) for port in _read_short(node, path))


def _write(port: Port) -> str:
    ip = f"[{port.host_ip}]" if ":" in port.host_ip else port.host_ip
    host = f"{ip}:{port.published}:" if ip else f"{port.published}:" if port.published else ""
    return f"{host}{port.target}/{port.protocol}"


def _read_short(node: Node, path: str) -> list[Port]:
    text = read_text(node, path)
    match = _SHORT.fullmatch(text)
    if not match:
        raise BadComposeFile(node.mark, f"is not a port: {text!r}", path=path, hint="write HOST:CONTAINER, as 8080:80")
    protocol = (match["protocol"] or "tcp").lower()
    if protocol not in _PROTOCOLS:
        raise BadComposeFile(node.mark, f"has an unknown protocol: {text!r}", path=path)
    targets = _range(node, path, match["target"])
    host_ip = _host_ip(node, path, (match["ip"] or "").strip("[]"))
    published = _spread(node, path, match["host"] or "", len(targets))
    pairs = zip(targets, published, strict=True)
    return [Port(target=t, published=p, host_ip=host_ip, protocol=protocol) for t, p in pairs]


def _host_ip(node: Node, path: str, text: str) -> str:
    try:
        return text and str(ipaddress.ip_address(text)) and text
    except ValueError:
        raise BadComposeFile(node.mark, f"is not a port: invalid host address {text!r}", path=path) from None


def _spread(node: Node, path: str, host: str, count: int) -> list[str]:
    """The host side of each target: nothing, the range to choose from for one target, or one each."""
    if not host:
        return [""] * count
    ports = _range(node, path, host)
    if count == 1:
        return [host] if len(ports) > 1 else [str(ports[0])]
    if len(ports) != count:
        raise BadComposeFile(node.mark, f"invalid ranges specified for container and host Ports: {host!r}", path=path)
    return [str(port) for port in ports]


def _range(node: Node, path: str, text: str) -> range:
    first, _, last = text.partition("-")
    ports = range(int(first or "0"), int(last or first or "0") + 1)
    if not ports or ports[-1] > 65535:
        raise BadComposeFile(node.mark, f"is not a port: {text!r}", path=path)
    return ports


def _read_long(node: MappingNode, path: str) -> list[Port]:
    fields = read_fields(
        node,
        path,
        {
            "target": read_text,
            "published": read_text,
            "host_ip": read_string,
            "protocol": lambda n, p: read_choice(n, p, _PROTOCOLS),
            "mode": read_string,
            "name": read_string,
            "app_protocol": read_string,
        },
        ("target",),
    )
    target = node.entries["target"]
    number = read_int(target, f"{path}.target")
    if not 0 < number < 65536:
        raise BadComposeFile(target.mark, f"is not a port: {number}", path=f"{path}.target")
    if published := fields.get("published", ""):
        _range(node, path, published) if re.fullmatch(r"[0-9]+(-[0-9]+)?", published) else _refuse(node, path)
    fields["target"] = number
    return [Port(**fields)]


def _refuse(node: MappingNode, path: str) -> None:
    raise BadComposeFile(node.mark_of("published"), "is not a port or a range of ports", path=f"{path}.published")
