"""Whatever a stranger writes ends in a value or in a refusal: every reader of `tests/fuzz/target.py`, on bytes that
were in order before somebody damaged them, and on bytes that never were."""

import json
import tarfile
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.fuzz.target import TARGETS, Target

from hakobu.store.archive.entry import BadArchive
from hakobu.store.archive.reader import TarReader
from hakobu.store.layers.inflate import Stream

WEIRD: list[Any] = [None, True, 0, -1, 1 << 31, 1 << 63, 1 << 70, 1.5, -0.0, [], {}, [[]], {"": ""}, ["x"], {"a": None}]
WEIRD += ["", "/", "..", "\0", "１", "\ud800", "a" * 300, "-1", "1e9", "0x10", "٣", "18446744073709551616"]
SPLICES = st.sampled_from(
    [b"", b"\0", b"\xff", b"\xed\xa0\x80", b"9" * 30, b"\n", b"\r\n", b"\t", b" " * 20, b"\\u0000", b"\\ud800"]
    + [bytes([letter]) for letter in b'{}[]":,-%$=;?&*']
    + [b"${", b"&a ", b"*a", b"<<: ", b"!!python/object:x "]
)


FOUND = (
    ("create", b'{"Image": "\x80"}'),
    ("bodies", b'{"Cmd": ["\xff"]}'),
    ("queries", b"&".join(b"a=b" for _ in range(1001))),
    ("compose", b"9" * 5000),
    ("compose", b"9" * 320),
    ("compose", b"0x" + b"f" * 300),
    ("registry", b"1 Oct 20155 0:0"),
)
"""What a run of `make fuzz` or the properties below have found: each broke its reader once."""


@st.composite
def damaged(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    data = draw(st.sampled_from(seeds))
    if draw(st.booleans()):
        data = _replaced(draw, data)
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 20)))
        data = data[:start] + draw(SPLICES | st.binary(max_size=6)) + data[end:]
    return data


def _replaced(draw: st.DrawFn, data: bytes) -> bytes:
    """One value of a JSON document, anywhere in it, by a weird one."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        return data
    places = list(_places(document))
    if not places:
        return data
    holder, key = draw(st.sampled_from(places))
    holder[key] = draw(st.sampled_from(WEIRD))
    return json.dumps(document).encode("utf-8", "surrogatepass")


def _places(value: Any) -> Any:
    keys: Any = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        yield value, key
        yield from _places(value[key])


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_what_is_in_order_is_read(target: Target) -> None:
    for seed in target.seeds:
        target.run(seed)


@pytest.mark.parametrize(("name", "data"), FOUND)
def test_what_broke_a_reader_once(name: str, data: bytes) -> None:
    next(target for target in TARGETS if target.name == name).run(data)


def test_a_time_of_an_archive_that_is_no_number() -> None:
    """In a pax header, whose records have lengths and no checksum."""
    record = b"20 mtime=1.5000\xca0001\n"
    record = b"%d %s" % (len(record), record.partition(b" ")[2])
    block = tarfile.TarInfo("x")
    block.type, block.size = tarfile.XHDTYPE, len(record)
    archive = block.tobuf(tarfile.USTAR_FORMAT) + record.ljust(512, b"\0") + tarfile.TarInfo("f").tobuf()
    with pytest.raises(BadArchive, match="time"), Stream(iter([archive])) as stream:
        list(TarReader(stream))


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_damaged_bytes_are_read_or_refused(target: Target) -> None:
    @settings(max_examples=60, deadline=None)
    @example(b"")
    @example(b"\xff\xfe\0")
    @example(b"[" * 5000)
    @example(b"9" * 5000)
    @given(damaged(target.seeds) | st.binary(max_size=80))
    def check(data: bytes) -> None:
        target.run(data)

    check()
