"""The server's HTTP: bodies survive any cutting, heads never raise what is not a refusal, create bodies neither."""

import json
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hakobu.api.decode import decode
from hakobu.api.http.head import BadRequest, parse_head
from hakobu.api.translate.container import container_spec
from hakobu.errors import HakobuError
from hakobu.spec.framing import Framing
from hakobu.wire.container import Config, ContainerCreate, HostConfigShape
from hakobu.wire.version import ANNOUNCED


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@settings(max_examples=100, deadline=None)
@given(
    chunks=st.lists(st.binary(min_size=1, max_size=40)), rest=st.binary(max_size=20), places=st.lists(st.integers(0))
)
def test_a_chunked_body_is_the_same_however_it_is_cut(chunks, rest, places):
    raw = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\nTrailer: x\r\n\r\n" + rest
    framing = Framing(chunked=True)
    buffer, body = bytearray(), b""
    for piece in cut(raw, places):
        buffer += piece
        body += framing.feed(buffer) if not framing.ended else b""
    assert (body, framing.ended, bytes(buffer)) == (b"".join(chunks), True, rest)


@settings(max_examples=100, deadline=None)
@given(body=st.binary(max_size=60), rest=st.binary(max_size=20), places=st.lists(st.integers(0)))
def test_a_body_with_a_length_ends_where_it_says(body, rest, places):
    framing = Framing(chunked=False, length=len(body))
    buffer, got = bytearray(), b""
    for piece in cut(body + rest, places):
        buffer += piece
        got += framing.feed(buffer) if not framing.ended else b""
    assert (got, framing.ended, bytes(buffer)) == (body, True, rest)


@settings(max_examples=200, deadline=None)
@given(raw=st.binary(max_size=200))
def test_any_bytes_are_a_head_or_a_refusal(raw):
    try:
        head = parse_head(b"GET /" + raw + b"\r\n\r\n")
    except BadRequest:
        return
    assert head.target.isascii()
    assert not (head.chunked and head.length)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
fields: Any = st.sampled_from(sorted(Config.__annotations__))
host_fields: Any = st.sampled_from(sorted(HostConfigShape.__annotations__))


@settings(max_examples=300, deadline=None)
@given(
    config=st.dictionaries(fields, json_values, max_size=3), host=st.dictionaries(host_fields, json_values, max_size=3)
)
def test_any_create_body_is_a_spec_or_a_refusal(config, host):
    body = json.dumps({"Image": "x", **config, "HostConfig": host}).encode()
    try:
        container_spec(decode(body, ContainerCreate), ANNOUNCED)
    except HakobuError as error:
        assert error.message
