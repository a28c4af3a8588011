"""Requests over blocking sockets: `http1` for the bytes, `socket_door` for the connection.

A `Transport` negotiates the API version once, keeps idle connections for the next request, and turns
statuses of 400 and more into `EngineError`. It may be used from several threads: each request holds its
connection alone.
"""

from __future__ import annotations

from hakobu.client import codec
from hakobu.client.error import CannotConnect, ClientError, EngineError
from hakobu.client.http1 import END_OF_CHUNKS, Head, ProtocolError, Reader, encode_chunk, encode_request
from hakobu.client.socket_door import connect, half_close, send_some
from hakobu.client.url import target

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from hakobu.client.endpoint import Endpoint
    from hakobu.client.socket_door import Socket
    from hakobu.client.url import QueryValue

    Body = bytes | Iterable[bytes] | None

# The newest API version this client's requests are written for, and the oldest it accepts.
API_VERSION = "1.51"
MIN_API_VERSION = "1.24"
_RECEIVE_BYTES = 64 * 1024
USER_AGENT = "Hakobu-Client"


def version_key(version: str) -> tuple[int, ...]:
    """`1.9` is older than `1.41`: versions compare by their numbers."""
    return tuple([int(part) for part in version.split(".") if part.isdigit()])


class Connection:
    """One connection and the reader of its responses."""

    __slots__ = ("reader", "sock")

    def __init__(self, sock: Socket) -> None:
        self.sock = sock
        self.reader = Reader()

    def send(self, method: str, path: str, host: str, headers: dict[str, str], body: Body) -> None:
        if body is None or isinstance(body, bytes):
            data = body or b""
            self.sock.sendall(encode_request(method, path, host, headers, len(data)) + data)
        else:
            self.sock.sendall(encode_request(method, path, host, headers, None))
            self._send_pieces(body)
        self.reader.expect(method)

    def _send_pieces(self, body: Iterable[bytes]) -> None:
        """An engine that has heard enough answers before the end and reads no more: its answer is what counts."""
        try:
            for piece in body:
                self.sock.sendall(encode_chunk(piece))
            self.sock.sendall(END_OF_CHUNKS)
        except (BrokenPipeError, ConnectionResetError):
            return

    def head(self) -> Head:
        while (head := self.reader.head()) is None:
            self._receive()
        return head

    def body(self) -> Iterator[bytes]:
        while (piece := self.reader.body()) is not None:
            if piece:
                yield piece
            else:
                self._receive()

    def _receive(self) -> None:
        data = self.sock.recv(_RECEIVE_BYTES)
        if data:
            self.reader.feed(data)
        else:
            self.reader.feed_eof()

    def close(self) -> None:
        self.sock.close()


class Response:
    """A response whose body is still to be read: iterate it, `read` it whole, and `close` it."""

    __slots__ = ("_closed", "_connection", "_release", "head")

    def __init__(self, head: Head, connection: Connection, release: Callable[[Connection], None]) -> None:
        self.head = head
        self._connection = connection
        self._release = release
        self._closed = False

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._connection.body()
        except (OSError, ProtocolError) as e:
            self._connection.close()
            raise ClientError(f"the engine broke off in the middle of its answer: {e}") from e

    def __enter__(self) -> Response:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self) -> bytes:
        """The whole body; the connection is free for the next request afterwards."""
        data = b"".join(self)
        self.close()
        return data

    def lines(self) -> Iterator[bytes]:
        """The body line by line, as JSON streams come; the last one needs no line break."""
        rest = b""
        for piece in self:
            *lines, rest = (rest + piece).split(b"\n")
            for line in lines:
                if line.strip():
                    yield line
        if rest.strip():
            yield rest

    def objects(self) -> Iterator[Any]:
        """The values of a stream of JSON lines (events, progress, stats)."""
        for line in self.lines():
            try:
                yield codec.decode(line)
            except ValueError as e:
                raise ClientError(f"a line of the engine's stream is not JSON: {e}") from e

    def fileno(self) -> int:
        return self._connection.sock.fileno()

    def abort(self) -> None:
        """Breaks the connection off, from any thread: one that reads from it comes to the stream's end.

        One that was given back is not this response's any more.
        """
        from hakobu.client.socket_door import break_off

        if not self._closed:
            self._closed = True
            break_off(self._connection.sock)

    def close(self) -> None:
        """Gives the connection back, once; closes it where the body was not read to its end."""
        if not self._closed:
            self._closed = True
            self._release(self._connection)


class Hijacked:
    """A connection that left HTTP: raw bytes both ways, `rest` being what came with the response's head."""

    __slots__ = ("content_type", "rest", "sock")

    def __init__(self, sock: Socket, rest: bytes, content_type: str) -> None:
        self.sock = sock
        self.rest = rest
        self.content_type = content_type

    def recv(self, size: int = _RECEIVE_BYTES) -> bytes:
        """Received bytes; empty at the end of the stream, also of one that closed with our bytes unread."""
        if self.rest:
            data, self.rest = self.rest, b""
            return data
        try:
            return self.sock.recv(size)
        except ConnectionResetError:
            return b""

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def send_some(self, data: bytes | memoryview) -> int:
        """As many bytes as are taken without waiting: who also has to read must not wait in `send`."""
        return send_some(self.sock, data)

    def half_close(self) -> None:
        """Ends the container's stdin; output keeps coming."""
        half_close(self.sock)

    def fileno(self) -> int:
        return self.sock.fileno()

    def close(self) -> None:
        self.sock.close()


class Transport:
    """The way to one engine. `dial` may be replaced, to start a daemon where none listens."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        version: str = "",
        dial: Callable[[Endpoint], Socket] = connect,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._dial = dial
        self._idle: list[Connection] = []
        self._version = version
        self._headers = {"User-Agent": USER_AGENT, **(headers or {})}
        self.ping_headers: dict[str, str] = {}

    @property
    def version(self) -> str:
        """The API version in use: the lower one of both sides', asked for once."""
        if not self._version:
            self._version = self.negotiate()
        return self._version

    def negotiate(self) -> str:
        """Asks `HEAD /_ping` for the engine's version and gives the one both sides speak."""
        with self.open("HEAD", "/_ping", versioned=False, check=False) as response:
            self.ping_headers = response.head.headers
            theirs = response.head.get("api-version") or MIN_API_VERSION
        if version_key(theirs) < version_key(MIN_API_VERSION):
            raise ClientError(f"the engine at {self.endpoint.url} only speaks API {theirs}")
        return min(theirs, API_VERSION, key=version_key)

    def at_least(self, version: str) -> bool:
        """Whether requests are written for this API version or a newer one."""
        return version_key(self.version) >= version_key(version)

    def open(
        self,
        method: str,
        path: str,
        query: Mapping[str, QueryValue] | None = None,
        body: Body = None,
        *,
        headers: dict[str, str] | None = None,
        content_type: str = "application/json",
        versioned: bool = True,
        check: bool = True,
    ) -> Response:
        """Sends a request and gives its response, of which only the head has been read."""
        address = target(f"/v{self.version}{path}" if versioned else path, query)
        sent = {**self._headers, **(headers or {})}
        if body is not None:
            sent["Content-Type"] = content_type
        head, connection = self._roundtrip(method, address, sent, body)
        response = Response(head, connection, self._release)
        if check and head.status >= 400:
            raise engine_error(head, response.read())
        return response

    def _roundtrip(self, method: str, address: str, headers: dict[str, str], body: Body) -> tuple[Head, Connection]:
        host = self.endpoint.host_header
        reused = self._take_idle()
        connection = reused or Connection(self._dial(self.endpoint))
        try:
            connection.send(method, address, host, headers, body)
            return connection.head(), connection
        except (OSError, ProtocolError) as e:
            connection.close()
            # An idle connection may have been closed meanwhile; what can be sent twice is sent anew.
            if reused and method in ("GET", "HEAD"):
                return self._roundtrip(method, address, headers, body)
            if isinstance(e, OSError):
                raise CannotConnect(self.endpoint.url, self.endpoint.chosen_by, e) from e
            raise ClientError(f"the engine at {self.endpoint.url} broke off: {e}") from e
        except BaseException:
            connection.close()
            raise

    def _take_idle(self) -> Connection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    def _release(self, connection: Connection) -> None:
        if connection.sock.fileno() >= 0 and connection.reader.idle:
            self._idle.append(connection)
        else:
            connection.close()

    def call(
        self,
        method: str,
        path: str,
        query: Mapping[str, QueryValue] | None = None,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
        versioned: bool = True,
    ) -> Any:
        """Sends a JSON body (None: none) and gives the decoded answer (None where it is empty)."""
        data = None if body is None else codec.encode(body)
        with self.open(method, path, query, data, headers=headers, versioned=versioned) as response:
            answer = response.read()
        try:
            return codec.decode(answer) if answer.strip() else None
        except ValueError as e:
            raise ClientError(f"the engine's answer to {method} {path} is not JSON: {e}") from e

    def hijack(self, path: str, query: Mapping[str, QueryValue] | None = None, body: object = None) -> Hijacked:
        """POSTs and takes the connection over (101, or a bare 200 of older engines)."""
        address = target(f"/v{self.version}{path}", query)
        headers = {**self._headers, "Connection": "Upgrade", "Upgrade": "tcp"}
        data = codec.encode(body) if body is not None else None
        if data is not None:
            headers["Content-Type"] = "application/json"
        connection = Connection(self._dial(self.endpoint))
        try:
            connection.send("POST", address, self.endpoint.host_header, headers, data)
            head = connection.head()
            if head.status not in (101, 200):
                raise engine_error(head, b"".join(connection.body()))
        except ProtocolError as e:
            connection.close()
            raise ClientError(f"the engine at {self.endpoint.url} broke off: {e}") from e
        except BaseException:
            connection.close()
            raise
        return Hijacked(connection.sock, connection.reader.take_rest(), head.get("content-type"))

    def close(self) -> None:
        """Closes the idle connections."""
        while (connection := self._take_idle()) is not None:
            connection.close()


def engine_error(head: Head, body: bytes) -> EngineError:
    """The engine's own words, out of a JSON error or of plain text."""
    message, hint = body.decode("utf-8", "replace").strip(), ""
    if head.get("content-type").startswith("application/json"):
        try:
            said = codec.decode(body)
            message, hint = str(said["message"]), str(said.get("hint") or "")
        except (ValueError, KeyError, TypeError):
            pass
    return EngineError(head.status, message or head.reason, hint)
