"""`-p` and `--expose`: addresses, ranges and protocols, to exposed ports and bindings."""

from __future__ import annotations

from hakobu.cli.kind import quoted
from hakobu.cli.option.value import is_ip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.client.codec import Json

PROTOCOLS = ("tcp", "udp", "sctp")


def parse_range(text: str) -> tuple[int, int]:
    """`80` or `80-90`, inclusive; ValueError with Go's words."""
    first, dash, last = text.partition("-")
    low = _port(first)
    high = _port(last) if dash else low
    if high < low:
        raise ValueError(f"invalid range specified for port: {text}")
    return low, high


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"strconv.ParseUint: parsing {quoted(text)}: invalid syntax")
    if int(text) > 65535:
        raise ValueError(f"strconv.ParseUint: parsing {quoted(text)}: value out of range")
    return int(text)


def parse_publish(text: str) -> list[tuple[str, Json]]:
    """Container ports (`80/tcp`) with their bindings, of one `-p` in its short or long form."""
    if "=" in text:
        return _parse_long(text)
    rest, _, protocol = text.partition("/")
    protocol = protocol.lower() or "tcp"
    address, host, container = _split(rest)
    if not container:
        raise ValueError(f"no port specified: {text}<empty>")
    if address and not is_ip(address):
        raise ValueError(f"invalid IP address: {address}")
    try:
        low, high = parse_range(container)
    except ValueError:
        raise ValueError(f"invalid containerPort: {container}") from None
    host_low, host_high = (0, 0)
    if host:
        try:
            host_low, host_high = parse_range(host)
        except ValueError:
            raise ValueError(f"invalid hostPort: {host}") from None
    if protocol not in PROTOCOLS:
        raise ValueError(f"invalid proto: {protocol}")
    count, host_count = high - low, host_high - host_low
    if host and count != host_count and count != 0:
        raise ValueError(f"invalid ranges specified for container and host Ports: {container} and {host}")
    return _bindings(address, host, host_low, host_high, low, high, protocol)


def _bindings(
    address: str, host: str, host_low: int, host_high: int, low: int, high: int, protocol: str
) -> list[tuple[str, Json]]:
    if host and low == high and host_low != host_high:
        # One container port on the first free port of a range of the host's.
        return [(f"{low}/{protocol}", {"HostIp": address, "HostPort": f"{host_low}-{host_high}"})]
    return [
        (
            f"{low + offset}/{protocol}",
            {"HostIp": address, "HostPort": str(host_low + offset) if host else ""},
        )
        for offset in range(high - low + 1)
    ]


def _split(text: str) -> tuple[str, str, str]:
    """Address, host part, container part."""
    if text.startswith("["):
        address, _, rest = text[1:].partition("]")
        host, _, container = rest.lstrip(":").rpartition(":")
        return address, host, container
    parts = text.split(":")
    if len(parts) == 1:
        return "", "", parts[0]
    if len(parts) == 2:
        return "", parts[0], parts[1]
    return ":".join(parts[:-2]), parts[-2], parts[-1]


def _parse_long(text: str) -> list[tuple[str, Json]]:
    """`target=80,published=8080,protocol=tcp,mode=host`."""
    fields: dict[str, str] = {}
    for field in text.split(","):
        key, equals, value = field.partition("=")
        if not equals or not value:
            raise ValueError(f"invalid field: {field}")
        if key.lower() not in ("protocol", "mode", "target", "published"):
            raise ValueError(f"invalid field key: {key}")
        fields[key.lower()] = value.lower()
    if "target" not in fields:
        raise ValueError(f'missing mandatory field "target" in {text}')
    protocol = fields.get("protocol", "tcp")
    if protocol not in PROTOCOLS:
        raise ValueError(f"invalid protocol value '{protocol}'")
    target = _port(fields["target"])
    return [(f"{target}/{protocol}", {"HostIp": "", "HostPort": fields.get("published", "")})]


def parse_expose(text: str) -> list[str]:
    """`80`, `80/udp`, `80-90/tcp` as the API's ports."""
    ports, _, protocol = text.partition("/")
    if ":" in ports:
        raise ValueError(f"invalid port format for --expose: {text}")
    try:
        low, high = parse_range(ports)
    except ValueError as e:
        raise ValueError(f"invalid range format for --expose: {text}, error: {e}") from None
    return [f"{port}/{protocol.lower() or 'tcp'}" for port in range(low, high + 1)]
