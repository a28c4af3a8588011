"""`port`: where a container's ports are published."""

from __future__ import annotations

from hakobu.cli.failure import Failure
from hakobu.cli.table import Command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

PORT = Command(
    "port",
    "CONTAINER [PRIVATE_PORT[/PROTO]]",
    "Show where a container's ports are published",
    least=1,
    most=2,
    aliases=("container port", "port"),
)


def port(session: Session, values: Values, arguments: list[str]) -> int:
    found = session.engine.containers.inspect(arguments[0])
    ports: dict[str, list[Json] | None] = found["NetworkSettings"]["Ports"] or {}
    if len(arguments) == 2:
        session.out(_one(ports, arguments[1], arguments[0]))
        return 0
    names = sorted(ports, key=_order)
    lines = [f"{name} -> {_address(binding)}\n" for name in names for binding in ports[name] or []]
    session.out("".join(lines))
    return 0


def _order(name: str) -> tuple[int, str]:
    number, _, protocol = name.partition("/")
    return int(number), protocol


def _one(ports: dict[str, list[Json] | None], wanted: str, container: str) -> str:
    number, slash, protocol = wanted.partition("/")
    key = f"{number}/{protocol if slash else 'tcp'}"
    if not ports.get(key):
        raise Failure(f"Error: No public port '{wanted}' published for {container}")
    return "".join(f"{_address(binding)}\n" for binding in ports[key] or [])


def _address(binding: Json) -> str:
    address = str(binding.get("HostIp") or "")
    return f"[{address}]:{binding['HostPort']}" if ":" in address else f"{address}:{binding['HostPort']}"
