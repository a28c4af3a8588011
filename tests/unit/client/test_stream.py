"""Frames, detach keys and encoded targets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakobu.client.detach import BadDetachKeys, DetachKeys, parse_keys
from hakobu.client.frame import STDERR, STDOUT, BadFrame, Demultiplexer, encode_frame
from hakobu.client.url import quote_path, target


@given(st.lists(st.tuples(st.sampled_from([STDOUT, STDERR]), st.binary(max_size=50))), st.integers(1, 30))
def test_frames_come_apart_however_they_are_cut(frames, size):
    data = b"".join(encode_frame(stream, piece) for stream, piece in frames)
    demultiplexer = Demultiplexer()
    got = {STDOUT: b"", STDERR: b""}
    for start in range(0, len(data), size):
        for stream, piece in demultiplexer.feed(data[start : start + size]):
            got[stream] += piece
    for stream in got:
        assert got[stream] == b"".join(piece for number, piece in frames if number == stream)


def test_a_stream_that_is_not_framed_is_refused():
    with pytest.raises(BadFrame, match="unrecognized stream: 72"):
        list(Demultiplexer().feed(b"Hello, terminal"))


def test_detach_keys_by_name():
    assert parse_keys("") == b"\x10\x11"
    assert parse_keys("ctrl-a,b,ctrl-@,ctrl-\\") == b"\x01b\x00\x1c"
    for bad in ("foo", "ctrl-", "ctrl-1", "a,,b"):
        with pytest.raises(BadDetachKeys):
            parse_keys(bad)


def test_the_sequence_is_swallowed_and_a_broken_one_is_sent_on():
    assert DetachKeys().feed(b"ab\x10\x11cd") == (b"ab", True)
    keys = DetachKeys()
    assert keys.feed(b"x\x10") == (b"x", False)
    assert keys.feed(b"y") == (b"\x10y", False)
    assert keys.feed(b"\x10\x10") == (b"\x10", False)
    assert keys.feed(b"\x11") == (b"", True)


def test_targets():
    assert target("/x", {"a": True, "b": False, "c": None, "d": "e f", "g": ["1", "2"], "n": 0}) == (
        "/x?a=1&d=e%20f&g=1&g=2&n=0"
    )
    assert quote_path("reg:5000/a/b@sha256:0 ü") == "reg:5000/a/b@sha256:0%20%C3%BC"
