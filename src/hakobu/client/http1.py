"""HTTP/1.1 as a client speaks it, without any I/O: bytes in, responses out.

A `Reader` is fed what came from the engine and yields the head, then the body, of one response after
the other; `encode_request` and `encode_chunk` make what is sent. Every length is bounded, so that an
engine cannot make a client grow without end. Nothing is imported here: a command line pays for each
module it loads (`http.client` alone costs more than everything this client does).
"""

from __future__ import annotations

MAX_HEAD_BYTES = 64 * 1024
MAX_HEADERS = 200
MAX_CHUNK_LINE_BYTES = 1024
_MAX_LENGTH_DIGITS = 18

# What a header's name may consist of (RFC 9110, token); the method of a request follows the same rule.
_TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DIGITS = frozenset(b"0123456789")
_HEX = frozenset(b"0123456789abcdefABCDEF")

# How the end of a response's body is known.
_NONE, _LENGTH, _CHUNKED, _CLOSE = range(4)


class ProtocolError(Exception):
    """The other side does not speak HTTP/1.1 as we understand it."""


class Head:
    """Status line and headers of a response; names are lower-case, repeated ones joined by a comma."""

    __slots__ = ("headers", "keep_alive", "reason", "status")

    def __init__(self, status: int, reason: str, headers: dict[str, str], keep_alive: bool) -> None:
        self.status = status
        self.reason = reason
        self.headers = headers
        self.keep_alive = keep_alive

    def get(self, name: str) -> str:
        """A header's value, empty where it is absent."""
        return self.headers.get(name, "")


def encode_request(method: str, target: str, host: str, headers: dict[str, str], body_bytes: int | None = 0) -> bytes:
    """The head of a request; `body_bytes` None announces a chunked body."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines.extend(f"{name}: {value}" for name, value in headers.items())
    if body_bytes is None:
        lines.append("Transfer-Encoding: chunked")
    elif body_bytes or method in ("POST", "PUT"):
        lines.append(f"Content-Length: {body_bytes}")
    for line in lines:
        if "\r" in line or "\n" in line or "\0" in line:
            raise ProtocolError(f"a request must not hold line breaks: {line!r}")
    if " " in target:
        raise ProtocolError(f"a request target must not hold spaces: {target!r}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def encode_chunk(data: bytes) -> bytes:
    """One chunk of a chunked body; an empty one would end the body, so it gives nothing."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


END_OF_CHUNKS = b"0\r\n\r\n"


class Reader:
    """The responses of one connection, in order.

    `feed` what arrived, `feed_eof` at its end; then `head` until it gives one and `body` until it gives
    None. Both give an answer only when the bytes are there: `head` None and `body` b"" mean "feed me".
    """

    __slots__ = ("_buffer", "_eof", "_framing", "_in_data", "_left", "_method", "_started", "upgraded")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._eof = False
        self._method = ""
        self._framing = _NONE
        self._left = 0  # bytes of the body, or of the chunk, that are still to come
        self._in_data = False  # chunked: between a chunk's line and the line break behind its data
        self._started = False
        self.upgraded = False

    def expect(self, method: str) -> None:
        """Says what the next response answers: a HEAD has no body whatever its headers say."""
        self._method = method
        self._started = False

    def feed(self, data: bytes | memoryview) -> None:
        self._buffer += data

    def feed_eof(self) -> None:
        self._eof = True

    def take_rest(self) -> bytes:
        """What came behind the head of an upgraded response; it belongs to the new protocol."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def head(self) -> Head | None:
        """The head of the final response (interim ones, 1xx but 101, are passed over)."""
        while True:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return self._head_missing()
            if end > MAX_HEAD_BYTES:
                raise ProtocolError("the head of the response is too large")
            raw = bytes(self._buffer[:end])
            del self._buffer[: end + 4]
            head = _parse_head(raw)
            if 100 <= head.status < 200 and head.status != 101:
                continue
            self._begin(head)
            return head

    def _head_missing(self) -> None:
        if len(self._buffer) > MAX_HEAD_BYTES:
            raise ProtocolError("the head of the response is too large")
        if self._eof:
            raise ProtocolError("the connection was closed before the response")

    def _begin(self, head: Head) -> None:
        self._started = True
        self._in_data = False
        self._left = 0
        self._framing = _framing(self._method, head)
        self.upgraded = head.status == 101
        if self._framing == _LENGTH:
            self._left = _content_length(head.get("content-length"))
        if self._framing == _CLOSE:
            head.keep_alive = False

    def body(self, limit: int = 1 << 20) -> bytes | None:
        """The next piece of the body: b"" when more must be fed, None when it is complete."""
        if self._framing == _LENGTH:
            return self._body_by_length(limit)
        if self._framing == _CHUNKED:
            return self._body_by_chunks(limit)
        if self._framing == _CLOSE:
            piece = self._take(limit)
            return None if not piece and self._eof else piece
        return None

    def _take(self, size: int) -> bytes:
        if size >= len(self._buffer):
            return self.take_rest()
        piece = bytes(self._buffer[:size])
        del self._buffer[:size]
        return piece

    def _body_by_length(self, limit: int) -> bytes | None:
        if not self._left:
            return None
        piece = self._take(min(limit, self._left))
        self._left -= len(piece)
        if not piece and self._eof:
            raise ProtocolError(f"the connection was closed {self._left} bytes before the end of the body")
        return piece

    def _body_by_chunks(self, limit: int) -> bytes | None:
        while True:
            if self._left:
                return self._chunk_data(limit)
            if self._in_data:
                if not self._line_break():
                    return self._more()
                self._in_data = False
            size = self._chunk_size()
            if size is None:
                return self._more()
            if size == 0:
                return None if self._trailers() else self._more()
            self._left = size
            self._in_data = True

    def _more(self) -> bytes:
        if self._eof:
            raise ProtocolError("the connection was closed inside a chunked body")
        return b""

    def _chunk_data(self, limit: int) -> bytes:
        piece = self._take(min(limit, self._left))
        self._left -= len(piece)
        return piece or self._more()

    def _line_break(self) -> bool:
        if len(self._buffer) < 2:
            return False
        if not self._buffer.startswith(b"\r\n"):
            raise ProtocolError("a chunk is longer than its length says")
        del self._buffer[:2]
        return True

    def _chunk_size(self) -> int | None:
        """The length of the next chunk, None when its line is not there yet. The last one stays in place:
        its trailers may still be to come, and then the line is read again."""
        end = self._buffer.find(b"\r\n", 0, MAX_CHUNK_LINE_BYTES)
        if end < 0:
            if len(self._buffer) >= MAX_CHUNK_LINE_BYTES:
                raise ProtocolError("the line of a chunk's length is too long")
            return None
        digits = bytes(self._buffer[:end]).split(b";", 1)[0].rstrip(b" \t")
        if not digits or len(digits) > 15 or not _HEX.issuperset(digits):
            raise ProtocolError(f"not the length of a chunk: {digits[:40]!r}")
        size = int(digits, 16)
        if size:
            del self._buffer[: end + 2]
        return size

    def _trailers(self) -> bool:
        """Passes over what follows the last chunk; False when its end has not come."""
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise ProtocolError("the trailers of the response are too large")
            return False
        del self._buffer[: end + 4]
        self._framing = _NONE
        return True

    @property
    def idle(self) -> bool:
        """Whether the last response was read whole, so that the connection may carry the next request."""
        return self._started and not self._buffer and not self._eof and self._complete()

    def _complete(self) -> bool:
        return self._framing == _NONE or (self._framing == _LENGTH and not self._left)


def _framing(method: str, head: Head) -> int:
    """RFC 9112, 6.3: which rule tells the length of this response's body."""
    if method == "HEAD" or head.status in (101, 204, 304):
        return _NONE
    coding = head.get("transfer-encoding").lower()
    if coding:
        if coding != "chunked":
            raise ProtocolError(f"a transfer coding that was not asked for: {coding}")
        return _CHUNKED
    return _LENGTH if "content-length" in head.headers else _CLOSE


def _content_length(text: str) -> int:
    """Its value; a list of equal values counts as one (RFC 9110, 8.6)."""
    values = {part.strip() for part in text.split(",")}
    value = values.pop()
    digits = value.encode("latin-1")
    if values or not digits or len(digits) > _MAX_LENGTH_DIGITS or not _DIGITS.issuperset(digits):
        raise ProtocolError(f"not a content length: {text[:40]!r}")
    return int(digits)


def _parse_head(raw: bytes) -> Head:
    lines = raw.split(b"\r\n")
    if len(lines) > MAX_HEADERS + 1:
        raise ProtocolError("the response has too many headers")
    version, status, reason = _parse_status(lines[0])
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, value = _parse_header(line)
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    tokens = {part.strip() for part in headers.get("connection", "").lower().split(",")}
    keep_alive = "close" not in tokens if version == b"HTTP/1.1" else "keep-alive" in tokens
    return Head(status, reason, headers, keep_alive)


def _parse_status(line: bytes) -> tuple[bytes, int, str]:
    version, _, rest = line.partition(b" ")
    code, _, reason = rest.partition(b" ")
    if version not in (b"HTTP/1.1", b"HTTP/1.0"):
        raise ProtocolError(f"not an HTTP response: {line[:60]!r}")
    if len(code) != 3 or not _DIGITS.issuperset(code) or code[0] == 0x30:
        raise ProtocolError(f"not an HTTP status: {line[:60]!r}")
    if b"\r" in reason or b"\n" in reason or b"\0" in reason:
        raise ProtocolError("a control character in the status line")
    return version, int(code), reason.decode("latin-1")


def _parse_header(line: bytes) -> tuple[str, str]:
    name, colon, value = line.partition(b":")
    if not colon or not name or not _TOKEN.issuperset(name):
        raise ProtocolError(f"not a header: {line[:60]!r}")
    if b"\r" in value or b"\n" in value or b"\0" in value:
        raise ProtocolError(f"a control character in the header {name.decode('latin-1')}")
    return name.decode("latin-1").lower(), value.strip(b" \t").decode("latin-1")
