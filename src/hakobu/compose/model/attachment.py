"""How a service joins a network of the project."""

from dataclasses import dataclass

from hakobu.compose.model.document import compact, mapping, strings
from hakobu.compose.model.reading import read_fields, read_int, read_list, read_mapping, read_options, read_string
from hakobu.compose.node import Node, Scalar, Sequence
from hakobu.spec.step import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkAttachment:
    """How a service is on one network; `given`: something was said about it."""

    aliases: tuple[str, ...] = ()
    driver_opts: tuple[tuple[str, str], ...] = ()
    gw_priority: int = 0
    interface_name: str = ""
    ipv4_address: str = ""
    ipv6_address: str = ""
    link_local_ips: tuple[str, ...] = ()
    mac_address: str = ""
    priority: int = 0
    given: bool = False

    def to_json(self) -> Json:
        """None where the file says no more than the network's name."""
        document = compact(
            [
                ("aliases", strings(self.aliases)),
                ("driver_opts", mapping(dict(self.driver_opts))),
                ("gw_priority", self.gw_priority),
                ("interface_name", self.interface_name),
                ("ipv4_address", self.ipv4_address),
                ("ipv6_address", self.ipv6_address),
                ("link_local_ips", strings(self.link_local_ips)),
                ("mac_address", self.mac_address),
                ("priority", self.priority),
            ]
        )
        return document if document or self.given else None


def read_attachments(node: Node, path: str) -> dict[str, NetworkAttachment]:
    if isinstance(node, Sequence):
        return {name: NetworkAttachment() for name in sorted(read_list(node, path))}
    return {name: _read_one(value, f"{path}.{name}") for name, value in sorted(read_mapping(node, path))}


def _read_one(node: Node, path: str) -> NetworkAttachment:
    if isinstance(node, Scalar) and node.is_null:
        return NetworkAttachment()
    fields = read_fields(
        node,
        path,
        {
            "aliases": read_list,
            "link_local_ips": read_list,
            "driver_opts": lambda n, p: tuple(read_options(n, p).items()),
            "ipv4_address": read_string,
            "ipv6_address": read_string,
            "mac_address": read_string,
            "priority": read_int,
            "gw_priority": read_int,
            "interface_name": read_string,
        },
    )
    return NetworkAttachment(**fields, given=True)
