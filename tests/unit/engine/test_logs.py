"""Reading a log: frames, tails across rotated files, time limits, torn lines."""

import asyncio
import gzip
import json
import os
import struct

import pytest

from hakobu.engine.logs import stream
from hakobu.engine.logs.forwarder.tail import Place, Tail
from hakobu.engine.logs.lines import parse_time_ns
from hakobu.engine.logs.scan import Scan
from hakobu.engine.services import LogQuery
from hakobu.runtime.shim.log import LogFile


def line(n, stream="stdout", second=None):
    when = f"2024-05-01T10:00:{second if second is not None else n % 60:02d}.5Z"
    return json.dumps({"log": f"line{n}\n", "stream": stream, "time": when}) + "\n"


def text(path, **query):
    return b"".join(Scan(str(path), LogQuery(**query), framed=False)).decode()


def test_frames_carry_the_stream_and_the_length(tmp_path):
    path = tmp_path / "log"
    path.write_text(line(1) + line(2, "stderr"))
    out = b"".join(Scan(str(path), LogQuery(), framed=True))
    assert out == struct.pack(">BxxxL", 1, 6) + b"line1\n" + struct.pack(">BxxxL", 2, 6) + b"line2\n"


def test_one_stream_alone(tmp_path):
    path = tmp_path / "log"
    path.write_text(line(1) + line(2, "stderr"))
    assert text(path, stdout=False) == "line2\n"


@pytest.mark.parametrize(("tail", "first"), [(0, None), (1, 9), (4, 6), (7, 3), (100, 0)])
def test_a_tail_reaches_into_rotated_and_compressed_files(tmp_path, tail, first):
    path = tmp_path / "log"
    with gzip.open(tmp_path / "log.2.gz", "wt") as file:
        file.write("".join(line(n) for n in range(4)))
    (tmp_path / "log.1").write_text("".join(line(n) for n in range(4, 8)))
    path.write_text("".join(line(n) for n in range(8, 10)))
    expected = "" if first is None else "".join(f"line{n}\n" for n in range(first, 10))
    assert text(path, tail=tail) == expected


def test_since_and_until(tmp_path):
    path = tmp_path / "log"
    path.write_text("".join(line(n) for n in range(10)))
    since, until = parse_time_ns("2024-05-01T10:00:03.5Z"), parse_time_ns("2024-05-01T10:00:05.5Z")
    assert text(path, since_ns=since, until_ns=until) == "line3\nline4\nline5\n"


def test_timestamps_have_nine_decimals(tmp_path):
    path = tmp_path / "log"
    path.write_text(line(1))
    assert text(path, timestamps=True) == "2024-05-01T10:00:01.500000000Z line1\n"


def test_a_torn_line_costs_itself_alone(tmp_path):
    path = tmp_path / "log"
    path.write_text(line(1) + '{"log":"half' + "\n" + line(2))
    assert text(path) == "line1\nline2\n"


def test_what_the_shim_writes_is_read_back(tmp_path):
    path = tmp_path / "log"
    log = LogFile(str(path), max_bytes=-1, max_files=1, compress=False, attributes=None)
    said = 'quote " backslash \\ tab\t umlaut ü\nsecond\n\nno newline at the end'.encode()
    for at in range(0, len(said), 7):
        log.write("stdout", said[at : at + 7])
    log.close()
    assert b"".join(Scan(str(path), LogQuery(), framed=False)) == said


def test_a_follower_goes_with_a_rotation_and_loses_nothing(tmp_path):
    path = tmp_path / "log"
    log = LogFile(str(path), max_bytes=400, max_files=3, compress=False, attributes=None)
    over = False

    async def scenario():
        nonlocal over
        got = b""

        async def follow():
            nonlocal got
            async for chunk in stream(str(path), LogQuery(follow=True), False, lambda: over):
                got += chunk

        task = asyncio.ensure_future(follow())
        for n in range(30):
            log.write("stdout", f"line{n}\n".encode())
            await asyncio.sleep(0.02)
        over = True
        await task
        return got

    got = asyncio.run(scenario())
    log.close()
    assert got.decode().split() == [f"line{n}" for n in range(30)]


def test_a_large_log_is_read_by_a_process_of_its_own(tmp_path):
    path = tmp_path / "log"
    path.write_text("".join(line(n) for n in range(9000)))

    async def scenario():
        return b"".join([c async for c in stream(str(path), LogQuery(), False, lambda: True)])

    assert asyncio.run(scenario()).decode().split() == [f"line{n}" for n in range(9000)]


@pytest.mark.parametrize("missing", [1, 2, 3])
def test_a_rotation_at_work_hides_no_older_file(tmp_path, missing):
    """It renames from the highest number down: at any moment one may be missing, and what is older is still there."""
    path = tmp_path / "log"
    numbers = [n for n in (4, 3, 2, 1) if n != missing]
    for n in numbers:
        (tmp_path / f"log.{n}").write_text(line(9 - n))
    path.write_text(line(9))
    assert text(path) == "".join(f"line{9 - n}\n" for n in numbers) + "line9\n"
    tail = Tail(str(path), Place())
    assert [told.text for told in tail.read()] == [f"line{9 - n}" for n in numbers] + ["line9"]
    tail.close()


def test_a_file_that_has_two_names_in_a_rotation_is_told_once(tmp_path):
    path = tmp_path / "log"
    (tmp_path / "log.2").write_text(line(1))
    os.link(tmp_path / "log.2", tmp_path / "log.1")  # seen under its old name and then under its next one
    path.write_text(line(2))
    tail = Tail(str(path), Place())
    assert [told.text for told in tail.read()] == ["line1", "line2"]
    tail.close()
