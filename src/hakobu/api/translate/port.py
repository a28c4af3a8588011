"""`ExposedPorts` and `PortBindings`: `80/tcp`, host addresses, host ports and ranges of them."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeGuard

from hakobu.errors import Invalid
from hakobu.spec.container import PortBinding
from hakobu.wire import container as wire

Protocol = Literal["tcp", "udp", "sctp"]


def exposed(ports: "Mapping[str, Any] | None") -> tuple[str, ...]:
    """Every exposed port as `port/protocol`; a range becomes its members."""
    found: list[str] = []
    for text in ports or ():
        first, last, protocol = _port_spec(text)
        found += [f"{port}/{protocol}" for port in range(first, last + 1)]
    return tuple(found)


def bindings(ports: "Mapping[str, Sequence[wire.PortBinding] | None] | None") -> tuple[PortBinding, ...]:
    found: list[PortBinding] = []
    for text, wanted in (ports or {}).items():
        first, last, protocol = _port_spec(text)
        if first != last:
            raise _bad(text.partition("/")[0])
        for binding in wanted or ():
            low, high = _host_port(binding.get("HostPort") or "")
            found.append(
                PortBinding(
                    container_port=first,
                    protocol=protocol,
                    host_ip=_host_ip(binding.get("HostIp") or ""),
                    host_port=low,
                    host_port_end=high if high != low else 0,
                )
            )
    return tuple(found)


def _port_spec(text: str) -> tuple[int, int, Protocol]:
    number, _, protocol = text.partition("/")
    protocol = protocol.lower() or "tcp"
    if not _is_protocol(protocol):
        raise Invalid(f"invalid proto: {protocol}", field="PortBindings")
    first, last = _range(number)
    if first == 0:
        raise _bad(number)
    return first, last, protocol


def _is_protocol(text: str) -> TypeGuard[Protocol]:
    return text in ("tcp", "udp", "sctp")


def _host_port(text: str) -> tuple[int, int]:
    return _range(text.partition("/")[0]) if text else (0, 0)


def _range(text: str) -> tuple[int, int]:
    low, dash, high = text.partition("-")
    first = _number(low, text)
    last = _number(high, text) if dash else first
    if last < first:
        raise _bad(text)
    return first, last


def _number(digits: str, whole: str) -> int:
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 5 or int(digits) > 65535:
        raise _bad(whole)
    return int(digits)


def _host_ip(text: str) -> str:
    """A literal address; the brackets of `[::1]` fall away."""
    bare = text.removeprefix("[").removesuffix("]")
    if bare:
        try:
            ipaddress.ip_address(bare)
        except ValueError as error:
            raise Invalid(f"invalid IP address: {text}", field="PortBindings") from error
    return bare


def _bad(text: str) -> Invalid:
    return Invalid(f'invalid port specification: "{text}"', field="PortBindings")
