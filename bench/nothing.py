"""An engine that does nothing: answers the docker CLI's run and exec at once, with success.

What `docker run` costs against it is what the client, the socket and the machine cost; no engine can be faster.
"""

import asyncio
import json
import re
import sys

_ID = "0" * 64
_VERSION = {"ApiVersion": "1.51", "MinAPIVersion": "1.24", "Version": "0", "Os": "linux", "Arch": "amd64"}
_ROUTES: tuple[tuple[str, str, int, object], ...] = (
    ("GET", r"/version", 200, _VERSION),
    ("GET", r"/containers/json", 200, []),
    ("POST", r"/containers/create", 201, {"Id": _ID, "Warnings": []}),
    ("GET", r"/containers/[^/]+/json", 200, {"Id": _ID, "Config": {"Tty": False}, "State": {"Running": True}}),
    ("POST", r"/containers/[^/]+/exec", 201, {"Id": _ID}),
    ("GET", r"/exec/[^/]+/json", 200, {"ID": _ID, "ExitCode": 0, "Running": False}),
)
_HEADERS = "Api-Version: 1.51\r\nDocker-Experimental: false\r\nOstype: linux\r\nBuilder-Version: 1\r\n"


class Nothing:
    def __init__(self) -> None:
        self.started = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._body(reader, head)
                method, target, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
                path = re.sub(r"^/v[\d.]+", "", target.split("?")[0])
                if not await self._answer(method, path, writer):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _body(self, reader: asyncio.StreamReader, head: bytes) -> None:
        if found := re.search(rb"content-length: *(\d+)", head, re.I):
            await reader.readexactly(int(found[1]))
        elif b"chunked" in head.lower():
            while int((await reader.readline()).strip() or b"0", 16):
                await reader.readline()

    async def _answer(self, method: str, path: str, writer: asyncio.StreamWriter) -> bool:
        """False ends the connection."""
        if path.endswith("/attach") or re.fullmatch(r"/exec/[^/]+/start", path):
            writer.write(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
            if path.endswith("/attach"):
                await writer.drain()
                await self.started.wait()
            return False
        if path.endswith("/wait"):
            writer.write(f"HTTP/1.1 200 OK\r\n{_HEADERS}Transfer-Encoding: chunked\r\n\r\n".encode())
            await writer.drain()
            await self.started.wait()
            self.started = asyncio.Event()
            body = b'{"StatusCode":0}\n'
            writer.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
            return True
        if path.endswith("/start"):
            self.started.set()
            self._send(writer, 204, None)
            return True
        for verb, pattern, status, value in _ROUTES:
            if verb == method and re.fullmatch(pattern, path):
                self._send(writer, status, value)
                return True
        self._send(writer, 200, "" if method == "HEAD" else "OK")
        return True

    def _send(self, writer: asyncio.StreamWriter, status: int, value: object) -> None:
        body = b"" if value is None else value.encode() if isinstance(value, str) else json.dumps(value).encode()
        kind = "text/plain" if isinstance(value, str) else "application/json"
        length = "" if value is None else f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        writer.write(f"HTTP/1.1 {status} OK\r\n{_HEADERS}{length}\r\n".encode() + body)


async def main(path: str) -> None:
    server = await asyncio.start_unix_server(Nothing().serve, path)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
