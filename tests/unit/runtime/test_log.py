"""The log a shim writes: Docker's json-file, whole blocks at a time."""

import json
import re
from pathlib import Path

import pytest

from hakobu.runtime.shim.log import PARTIAL_BYTES, LogFile, escape, timestamp


def log_of(path: Path, *, max_bytes: int = -1, max_files: int = 1, attributes: dict[str, str] | None = None) -> LogFile:
    return LogFile(str(path), max_bytes=max_bytes, max_files=max_files, compress=False, attributes=attributes)


def read(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_lines_of_both_streams_and_what_has_no_end(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", attributes={"tag": "web"})
    log.write("stdout", b"one\ntw")
    log.write("stderr", b"bad\n")
    log.write("stdout", b"o\nrest")
    log.close()
    lines = read(tmp_path / "log")
    assert [(line["stream"], line["log"]) for line in lines] == [
        ("stdout", "one\n"), ("stderr", "bad\n"), ("stdout", "two\n"), ("stdout", "rest"),
    ]  # fmt: skip
    assert all(line["attrs"] == {"tag": "web"} for line in lines)


@pytest.mark.parametrize("size", [PARTIAL_BYTES - 1, PARTIAL_BYTES, PARTIAL_BYTES + 1, 3 * PARTIAL_BYTES + 5])
def test_a_long_line_is_cut_and_its_last_piece_has_the_newline(tmp_path: Path, size: int) -> None:
    log = log_of(tmp_path / "log")
    log.write("stdout", b"short\n" + b"x" * size + b"\nafter\n")
    log.close()
    pieces = [str(line["log"]) for line in read(tmp_path / "log")]
    assert "".join(pieces) == "short\n" + "x" * size + "\nafter\n"
    assert all(len(piece) <= PARTIAL_BYTES + 1 for piece in pieces)
    assert pieces[0] == "short\n" and pieces[-1] == "after\n"


@pytest.mark.parametrize("data", [b'"', b"\\", b"\x00\x07\x1b\x7f\t\r\b\f", b"\xff\xfe", "日本語".encode(), b"<>&"])
def test_what_is_escaped_is_what_json_reads(data: bytes) -> None:
    assert json.loads(b'"' + escape(data) + b'"') == data.decode("utf-8", "replace")


def test_rotation_by_size_keeps_the_count(tmp_path: Path) -> None:
    log = log_of(tmp_path / "log", max_bytes=1000, max_files=3)
    for number in range(200):
        log.write("stdout", b"line %d\n" % number)
    log.close()
    assert {path.name for path in tmp_path.iterdir()} == {"log", "log.1", "log.2"}
    told = [str(line["log"]) for name in ("log.2", "log.1", "log") for line in read(tmp_path / name)]
    numbers = [int(text.split()[1]) for text in told]
    assert numbers == list(range(numbers[0], 200))
    assert all(path.stat().st_size < 1100 for path in tmp_path.iterdir())


def test_a_full_disk_loses_lines_and_not_the_container() -> None:
    log = log_of(Path("/dev/full"))
    log.write("stdout", b"nowhere\n")
    assert "No space left" in log.failed
    log.close()


def test_times_are_rfc_3339_with_nanoseconds() -> None:
    assert timestamp(1_700_000_000_123_456_789) == b"2023-11-14T22:13:20.123456789Z"
    assert re.fullmatch(rb"[0-9T:-]+Z", timestamp(1_700_000_000_000_000_000))
