"""The HTTP/1.1 client without I/O: framing rules, limits, and what must be refused."""

import pytest

from hakobu.client.http1 import (
    MAX_HEAD_BYTES,
    ProtocolError,
    Reader,
    encode_chunk,
    encode_request,
)


def read_all(data: bytes, method: str = "GET", *, eof: bool = False):
    reader = Reader()
    reader.expect(method)
    reader.feed(data)
    if eof:
        reader.feed_eof()
    head = reader.head()
    assert head is not None
    body = b""
    while piece := reader.body():
        body += piece
    return reader, head, body, piece


def test_a_body_by_length_leaves_the_next_response():
    reader, head, body, _ = read_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 204 No Content\r\n\r\n")
    assert (head.status, head.reason, body) == (200, "OK", b"ok")
    reader.expect("GET")
    second = reader.head()
    assert second is not None and second.status == 204
    assert reader.body() is None
    assert reader.idle


def test_chunks_extensions_and_trailers_are_read():
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n"
    reader, _, body, last = read_all(data)
    assert body == b"abcde"
    assert last is None
    assert reader.idle


@pytest.mark.parametrize("step", [1, 2, 3, 7])
def test_bytes_may_come_one_by_one(step):
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    reader = Reader()
    reader.expect("GET")
    head, body, done = None, b"", False
    for start in range(0, len(data), step):
        reader.feed(data[start : start + step])
        head = head or reader.head()
        while head and not done and (piece := reader.body()) != b"":
            if piece is None:
                done = True
            else:
                body += piece
    assert (body, done) == (b"hello", True)


def test_a_body_without_length_ends_with_the_connection():
    reader, head, body, last = read_all(b"HTTP/1.1 200 OK\r\n\r\nall of it", eof=True)
    assert (body, last, head.keep_alive) == (b"all of it", None, False)
    assert not reader.idle


def test_head_and_304_have_no_body_whatever_their_headers_say():
    for method, status in (("HEAD", b"200 OK"), ("GET", b"304 Not Modified")):
        data = b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\n"
        reader, _, body, last = read_all(data, method)
        assert (body, last, reader.idle) == (b"", None, True)


def test_an_upgrade_hands_over_the_rest():
    reader, head, _, _ = read_all(b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\nraw")
    assert (head.status, reader.upgraded, reader.take_rest()) == (101, True, b"raw")


def test_interim_responses_are_passed_over():
    _, head, _, _ = read_all(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")
    assert head.status == 204


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nSpace : x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1e3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\nb\r\n\r\n",
        b"x" * (MAX_HEAD_BYTES + 1),
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 300 + b"\r\n",
    ],
)
def test_what_is_no_response_is_refused(data):
    reader = Reader()
    reader.expect("GET")
    reader.feed(data)
    with pytest.raises(ProtocolError):
        reader.head()


@pytest.mark.parametrize("chunk", [b"g\r\n", b"-1\r\n", b"1\r\nab\r\n", b"0x1\r\n", b"f" * 2000, b"\r\n"])
def test_bad_chunks_are_refused(chunk):
    reader = Reader()
    reader.expect("GET")
    reader.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk)
    assert reader.head()
    with pytest.raises(ProtocolError):
        while reader.body():
            pass


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ],
)
def test_a_body_that_breaks_off_is_an_error_not_an_end(data):
    with pytest.raises(ProtocolError, match="closed"):
        read_all(data, eof=True)


def test_requests_cannot_be_split():
    with pytest.raises(ProtocolError):
        encode_request("GET", "/x", "h", {"A": "b\r\nC: d"})
    with pytest.raises(ProtocolError):
        encode_request("GET", "/x y", "h", {})


def test_requests_announce_their_body():
    assert b"Content-Length: 3" in encode_request("POST", "/", "h", {}, 3)
    assert b"Content-Length: 0" in encode_request("POST", "/", "h", {})
    assert b"Content-Length" not in encode_request("GET", "/", "h", {})
    assert b"Transfer-Encoding: chunked" in encode_request("PUT", "/", "h", {}, None)
    assert encode_chunk(b"") == b""
    assert encode_chunk(b"abc") == b"3\r\nabc\r\n"
