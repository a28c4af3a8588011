"""Commands in a running container: create, start (hijacked or detached), resize, inspect."""

from __future__ import annotations

from hakobu.client.container import path_of
from hakobu.client.url import quote_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.client.codec import Json
    from hakobu.client.transport import Hijacked, Transport


class Execs:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def create(self, container: str, config: Json) -> str:
        """Prepares a command (`Cmd`, `Env`, `User`, `Tty`, …); gives the exec's id."""
        return str(self._transport.call("POST", path_of(container, "/exec"), None, config)["Id"])

    def start(self, exec_id: str, *, tty: bool = False, console_size: tuple[int, int] | None = None) -> Hijacked:
        """Runs it, its stdio on the connection; `console_size` is rows and columns."""
        body: Json = {"Detach": False, "Tty": tty}
        if console_size:
            body["ConsoleSize"] = list(console_size)
        return self._transport.hijack(f"/exec/{quote_path(exec_id)}/start", None, body)

    def start_detached(self, exec_id: str, *, tty: bool = False) -> None:
        """Runs it in the background."""
        body = {"Detach": True, "Tty": tty}
        self._transport.call("POST", f"/exec/{quote_path(exec_id)}/start", None, body)

    def resize(self, exec_id: str, *, rows: int, columns: int) -> None:
        query = {"h": str(rows), "w": str(columns)}
        self._transport.call("POST", f"/exec/{quote_path(exec_id)}/resize", query)

    def inspect(self, exec_id: str) -> Json:
        return self._transport.call("GET", f"/exec/{quote_path(exec_id)}/json")
