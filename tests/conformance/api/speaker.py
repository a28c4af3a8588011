"""A client that is nobody's: HTTP by the standard library over a unix socket, and raw sockets for hijacking."""

import http.client
import json
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Reply = tuple[int, dict[str, str], bytes]


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self._path)


@dataclass
class Hijacked:
    """A connection behind its response head."""

    sock: socket.socket
    status: int
    headers: dict[str, str]
    early: bytes

    def read(self) -> bytes:
        """Everything up to the end."""
        data = self.early
        while part := self.sock.recv(65536):
            data += part
        return data

    def frames(self) -> list[tuple[int, bytes]]:
        return list(split_frames(self.read()))

    def close(self) -> None:
        self.sock.close()


def split_frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    while data:
        stream, size = struct.unpack(">BxxxI", data[:8])
        yield stream, data[8 : 8 + size]
        data = data[8 + size :]


class Speaker:
    def __init__(self, path: str, version: str = "1.51") -> None:
        self.path = path
        self.version = version

    def call(self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None) -> Reply:
        """One request on a connection of its own; a dict goes as JSON."""
        connection = self.open(method, target, body, headers)
        try:
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        finally:
            connection.close()

    def open(self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None):
        """The connection, its response not yet read: for streams."""
        given = dict(headers or {})
        if isinstance(body, dict):
            body = json.dumps(body).encode()
            given["Content-Type"] = "application/json"
        connection = _UnixConnection(self.path)
        connection.request(method, f"/v{self.version}{target}", body, given)
        return connection

    def json(self, method: str, target: str, body: Any = None) -> Any:
        status, _, raw = self.call(method, target, body)
        assert status < 300, (status, raw)
        return json.loads(raw) if raw else None

    def refused(self, method: str, target: str, body: Any = None) -> tuple[int, str]:
        status, _, raw = self.call(method, target, body)
        return status, json.loads(raw)["message"] if raw else ""

    def raw(self, data: bytes) -> socket.socket:
        """A connection on which these bytes were sent; the rest is the caller's."""
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(60)
        sock.connect(self.path)
        sock.sendall(data)
        return sock

    def hijack(self, target: str, body: Any = None, *, upgrade: bool = True) -> Hijacked:
        raw = json.dumps(body).encode() if body is not None else b""
        lines = [f"POST /v{self.version}{target} HTTP/1.1", "Host: docker", f"Content-Length: {len(raw)}"]
        if body is not None:
            lines.append("Content-Type: application/json")
        if upgrade:
            lines += ["Connection: Upgrade", "Upgrade: tcp"]
        sock = self.raw("\r\n".join(lines).encode() + b"\r\n\r\n" + raw)
        data = b""
        while b"\r\n\r\n" not in data:
            part = sock.recv(4096)
            assert part, data
            data += part
        head, _, early = data.partition(b"\r\n\r\n")
        first, *rest = head.decode().split("\r\n")
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in rest)}
        return Hijacked(sock, int(first.split()[1]), headers, early)

    def create(self, *cmd: str, name: str = "", host: dict[str, Any] | None = None, **config: Any) -> str:
        query = f"?name={name}" if name else ""
        body = {"Image": "bb", "Cmd": list(cmd), "HostConfig": host or {}, **config}
        return self.json("POST", f"/containers/create{query}", body)["Id"]

    def run(self, *cmd: str, **options: Any) -> str:
        container = self.create(*cmd, **options)
        assert self.call("POST", f"/containers/{container}/start")[0] == 204
        return container

    def wait(self, container: str) -> int:
        return self.json("POST", f"/containers/{container}/wait")["StatusCode"]
