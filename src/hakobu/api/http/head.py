"""Request heads: bytes up to the empty line, parsed by llhttp, with what it leaves open decided here.

Only heads go through the parser. Bodies are framed by `body.py`, so that the connection always knows exactly
where a request ends: what follows belongs to the next request or to a hijacked stream.
"""

from dataclasses import dataclass
from http import HTTPStatus

import httptools

MAX_HEAD_BYTES = 1 << 20
MAX_TARGET_BYTES = 64 << 10
MAX_HEADERS = 1000


class BadRequest(Exception):
    """A request that cannot be answered by a handler; the connection ends after the reply."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclass(slots=True)
class Head:
    """One request's head. Header names are lower-case; values of repeated headers are joined by commas."""

    method: str
    target: str
    headers: dict[str, str]
    keep_alive: bool
    http_1_0: bool = False
    upgrade: str = ""
    chunked: bool = False
    length: int = 0
    expects_continue: bool = False


class _Sink:
    """Collects llhttp's callbacks for one head."""

    __slots__ = ("complete", "headers", "url")

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self.complete = True


def parse_head(raw: bytes) -> Head:
    """`raw` is one head with its closing empty line; raises `BadRequest`."""
    sink = _Sink()
    parser = httptools.HttpRequestParser(sink)
    try:
        parser.feed_data(raw)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError as error:
        raise BadRequest(HTTPStatus.BAD_REQUEST, f"malformed request: {error}") from error
    if not sink.complete:
        raise BadRequest(HTTPStatus.BAD_REQUEST, "malformed request: head is incomplete")
    if len(sink.url) > MAX_TARGET_BYTES:
        raise BadRequest(HTTPStatus.REQUEST_URI_TOO_LONG, "request target is too long")
    headers = _headers(sink.headers)
    http_1_0 = parser.get_http_version() == "1.0"
    connection = headers.get("connection", "").lower()
    head = Head(
        method=parser.get_method().decode("ascii"),
        target=_ascii(sink.url, "request target"),
        headers=headers,
        keep_alive="keep-alive" in connection if http_1_0 else "close" not in connection,
        http_1_0=http_1_0,
    )
    _decide_framing(head)
    return head


def _ascii(raw: bytes, what: str) -> str:
    try:
        return raw.decode("ascii")
    except UnicodeDecodeError as error:
        raise BadRequest(HTTPStatus.BAD_REQUEST, f"{what} is not ASCII") from error


def _headers(pairs: list[tuple[bytes, bytes]]) -> dict[str, str]:
    if len(pairs) > MAX_HEADERS:
        raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too many headers")
    headers: dict[str, str] = {}
    for raw_name, raw_value in pairs:
        name = raw_name.decode("latin-1").lower()
        value = raw_value.decode("latin-1")
        if name in headers:
            if name in ("content-length", "transfer-encoding", "host"):
                raise BadRequest(HTTPStatus.BAD_REQUEST, f"header {name} is repeated")
            value = f"{headers[name]}, {value}"
        headers[name] = value
    return headers


def _decide_framing(head: Head) -> None:
    """Fills in how the body is delimited; conflicts are refused, because they are how requests are smuggled."""
    headers = head.headers
    coding = headers.get("transfer-encoding")
    length = headers.get("content-length")
    if coding is not None:
        if length is not None:
            raise BadRequest(HTTPStatus.BAD_REQUEST, "both Transfer-Encoding and Content-Length are given")
        if head.http_1_0:
            raise BadRequest(HTTPStatus.BAD_REQUEST, "Transfer-Encoding is not of HTTP/1.0")
        if coding.strip().lower() != "chunked":
            raise BadRequest(HTTPStatus.NOT_IMPLEMENTED, f"transfer encoding is not supported: {coding}")
        head.chunked = True
    elif length is not None:
        if not (length.isascii() and length.isdigit()) or len(length) > 18:
            raise BadRequest(HTTPStatus.BAD_REQUEST, "Content-Length is not a number")
        head.length = int(length)
    if "upgrade" in headers and "upgrade" in headers.get("connection", "").lower():
        head.upgrade = headers["upgrade"].strip().lower()
    expect = headers.get("expect")
    if expect is not None:
        if expect.strip().lower() != "100-continue":
            raise BadRequest(HTTPStatus.EXPECTATION_FAILED, f"expectation is not supported: {expect}")
        head.expects_continue = True
