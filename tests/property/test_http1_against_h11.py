"""`client/http1.py` against h11: the same responses read, the same requests understood."""

import h11
from hypothesis import given, settings
from hypothesis import strategies as st

from hakobu.client.http1 import END_OF_CHUNKS, Reader, encode_chunk, encode_request

NAMES = st.sampled_from(["X-A", "X-B", "Content-Type", "Server", "Date"])
VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=30)
BODIES = st.lists(st.binary(min_size=1, max_size=200), max_size=5)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces, position = [], 0
    for size in sizes:
        pieces.append(data[position : position + size])
        position += size
    return [*pieces, data[position:]]


@settings(max_examples=60, deadline=None)
@given(
    st.integers(200, 599).filter(lambda s: s not in (204, 304)),
    st.lists(st.tuples(NAMES, VALUES), max_size=6, unique_by=lambda p: p[0]),
    BODIES,
    st.booleans(),
    st.lists(st.integers(1, 60), max_size=20),
)
def test_reads_what_h11_writes(status, headers, body, chunked, sizes):
    server = h11.Connection(h11.SERVER)
    server.receive_data(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    server.next_event()
    framing = ("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(b"".join(body))))
    data = server.send(h11.Response(status_code=status, headers=[*headers, framing], reason=b"Text"))
    for piece in body:
        data += server.send(h11.Data(data=piece))
    data += server.send(h11.EndOfMessage())

    reader = Reader()
    reader.expect("GET")
    head, got, done = None, b"", False
    for piece in cut(data, sizes):
        reader.feed(piece)
        head = head or reader.head()
        while head and not done and (part := reader.body()) != b"":
            if part is None:
                done = True
            else:
                got += part
    assert head is not None and done
    assert (head.status, head.reason, got) == (status, "Text", b"".join(body))
    for name, value in headers:
        assert head.get(name.lower()) == value
    assert reader.idle


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["POST", "PUT"]), BODIES, st.booleans(), st.dictionaries(NAMES, VALUES, max_size=4))
def test_h11_understands_what_is_sent(method, body, chunked, headers):
    whole = b"".join(body)
    sent = encode_request(method, "/v1.41/x?a=b", "host", headers, None if chunked else len(whole))
    sent += b"".join(map(encode_chunk, body)) + END_OF_CHUNKS if chunked else whole
    server = h11.Connection(h11.SERVER)
    server.receive_data(sent)
    request = server.next_event()
    assert isinstance(request, h11.Request)
    assert (request.method, request.target) == (method.encode(), b"/v1.41/x?a=b")
    got = b""
    while isinstance(event := server.next_event(), h11.Data):
        got += event.data
    assert isinstance(event, h11.EndOfMessage)
    assert got == whole


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_end_in_a_value_or_a_protocol_error(noise, valid_start):
    from hakobu.client.http1 import ProtocolError

    reader = Reader()
    reader.expect("GET")
    reader.feed((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" if valid_start else b"") + noise)
    reader.feed_eof()
    try:
        if reader.head() is not None:
            while reader.body():
                pass
    except ProtocolError:
        pass
