"""What an image or a client may say in small parsers: users, filters, lists of numbers. A value or a refusal."""

import os
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from hakobu.api.http.exchange import Peer, Request
from hakobu.api.http.head import parse_head
from hakobu.api.query import filters
from hakobu.errors import HakobuError, Invalid
from hakobu.runtime.failure import UserNotFound
from hakobu.runtime.passwd import MAX_ID, resolve
from hakobu.runtime.plan.attributes import parse_list
from hakobu.runtime_cli.option import Option, Usage, parse

fields = st.sampled_from(
    [b"root", b"web", b"0", b"1000", b"4294967296", b"-1", b"", b"x", "１".encode(), b"\xff", b"\0"]
)
lines = st.lists(fields, max_size=8).map(b":".join) | st.binary(max_size=30)
files = st.lists(lines, max_size=6).map(b"\n".join)
users = st.lists(st.sampled_from(["root", "web", "0", "1000", "4294967296", "-1", "", "１", "a:b"]), max_size=3).map(
    ":".join
)


@settings(max_examples=200, deadline=None)
@given(files, files, users, st.lists(users, max_size=2).map(tuple))
def test_any_passwd_and_group_end_in_an_identity_or_a_refusal(passwd, group, user, extra):
    with tempfile.TemporaryDirectory() as root:
        os.mkdir(f"{root}/etc")
        Path(root, "etc/passwd").write_bytes(passwd)
        Path(root, "etc/group").write_bytes(group)
        root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY)
        try:
            found = resolve(root_fd, user, extra)
        except UserNotFound:
            return
        finally:
            os.close(root_fd)
    assert all(0 <= number <= MAX_ID for number in (found.uid, found.gid, *found.groups))
    assert found.gid in found.groups


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=40).map(lambda t: t.encode("utf-8", "surrogatepass")))
def test_any_filters_are_read_or_refused(content):
    quoted = "".join(f"%{byte:02X}" for byte in content)
    head = parse_head(b"GET /containers/json HTTP/1.1\r\nHost: x\r\n\r\n")
    try:
        found = filters(Request(head, "/containers/json", f"filters={quoted}", lambda: Peer(0, 0, 0)))
    except HakobuError:
        return
    assert all(isinstance(value, str) for values in found.values() for value in values)


@settings(max_examples=200, deadline=None)
@example("010000")
@given(st.text(st.sampled_from("0123456789,- １a"), max_size=12))
def test_a_list_of_numbers_is_read_or_refused(text):
    try:
        found = parse_list(text, "field")
    except Invalid as refusal:
        assert refusal.field == "field"
        return
    assert list(found) == sorted(set(found)) and all(0 <= n < 4096 for n in found)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.text(max_size=8) | st.sampled_from(["--name", "-n", "--name=1", "--list=a", "--flag", "--"]), max_size=6
    )
)
def test_words_of_a_command_line_are_options_or_operands(words):
    try:
        found = parse(words, (Option(("name", "n")), Option(("list",), "list"), Option(("flag",), "nothing")))
    except Usage:
        return
    assert found.operands == tuple(words[len(words) - len(found.operands) :])
