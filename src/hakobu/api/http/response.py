"""Response heads as bytes. The fixed part of every response is computed once, the date once a second."""

import time
from email.utils import formatdate
from http import HTTPStatus

from hakobu.api.http.exchange import Headers

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
_NO_BODY = frozenset({204, 304})

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"


class Heads:
    """Builds heads that all carry the same fixed headers (`Server`, `Api-Version`, …)."""

    __slots__ = ("_date", "_date_second", "_fixed")

    def __init__(self, fixed: Headers) -> None:
        self._fixed = _lines(fixed)
        self._date_second = 0
        self._date = ""

    def whole(self, status: int, content_type: str, length: int, headers: Headers, *, close: bool) -> bytes:
        """Of a response with a known length. 204 and 304 have neither body nor length."""
        body = "" if status in _NO_BODY else f"{_typed(content_type)}Content-Length: {length}\r\n"
        return self._head(status, body, headers, close=close)

    def chunked(self, status: int, content_type: str, headers: Headers, *, close: bool, http_1_0: bool) -> bytes:
        """Of a response that is sent as it comes; an HTTP/1.0 client gets it up to the end of the connection."""
        coding = "" if http_1_0 else "Transfer-Encoding: chunked\r\n"
        return self._head(status, f"Content-Type: {content_type}\r\n{coding}", headers, close=close or http_1_0)

    def hijacked(self, content_type: str, headers: Headers, upgrade: str) -> bytes:
        """101 where the client asked for an upgrade, else a bare 200; raw bytes follow."""
        if upgrade:
            start = f"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: {upgrade}\r\n"
        else:
            start = "HTTP/1.1 200 OK\r\n"
        return f"{start}{_typed(content_type)}{self._fixed}{_lines(headers)}\r\n".encode("latin-1")

    def _head(self, status: int, middle: str, headers: Headers, *, close: bool) -> bytes:
        connection = "Connection: close\r\n" if close else ""
        extra = _lines(headers) if headers else ""
        line = _STATUS_LINES.get(status) or f"HTTP/1.1 {status} Unknown\r\n"
        return f"{line}{self._fixed}{middle}{extra}{connection}{self._date_line()}\r\n".encode("latin-1")

    def _date_line(self) -> str:
        now = int(time.time())
        if now != self._date_second:
            self._date_second = now
            self._date = f"Date: {formatdate(now, usegmt=True)}\r\n"
        return self._date


def _typed(content_type: str) -> str:
    return f"Content-Type: {content_type}\r\n" if content_type else ""


def _lines(headers: Headers) -> str:
    for name, value in headers:
        if "\r" in value or "\n" in value or "\r" in name or "\n" in name:
            raise ValueError(f"header {name!r} holds a line break")
    return "".join(f"{name}: {value}\r\n" for name, value in headers)
