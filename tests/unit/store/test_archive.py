"""The tar reader against what other writers make, and against what nobody should send."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from hakobu.store.archive.entry import BadArchive, Entry, EntryType
from hakobu.store.archive.reader import TarReader
from hakobu.store.archive.writer import TarWriter

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


class Bytes:
    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        return self._file.read(size)

    def read1(self, size: int) -> bytes:
        """As little as a pipe may give."""
        return self._file.read(min(size, 700))


def read(data: bytes) -> list[tuple[Entry, bytes]]:
    reader = TarReader(Bytes(data))
    return [(entry, b"".join(reader.data())) for entry in reader]


def made(format: int, *infos: tuple[tarfile.TarInfo, bytes], **more: object) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format, **more) as tar:  # type: ignore[arg-type]
        for info, data in infos:
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def info(name: str, **values: object) -> tarfile.TarInfo:
    found = tarfile.TarInfo(name)
    for key, value in values.items():
        setattr(found, key, value)
    return found


@pytest.mark.parametrize("format", FORMATS)
def test_what_every_writer_makes(format: str) -> None:
    data = made(
        FORMATS[format],
        (info("d", type=tarfile.DIRTYPE, mode=0o1777), b""),
        (info("d/f", mode=0o4755, uid=1000, gid=1001, mtime=1700000000), b"hello" * 200),
        (info("d/l", type=tarfile.SYMTYPE, linkname="../x"), b""),
        (info("d/h", type=tarfile.LNKTYPE, linkname="d/f"), b""),
        (info("n", type=tarfile.CHRTYPE, devmajor=1, devminor=3), b""),
        (info("p", type=tarfile.FIFOTYPE), b""),
    )
    found = {e.name.rstrip(b"/"): (e, body) for e, body in read(data)}
    file, body = found[b"d/f"]
    assert (file.mode, file.uid, file.gid, file.size, body) == (0o4755, 1000, 1001, 1000, b"hello" * 200)
    assert file.mtime_ns == 1700000000 * 10**9
    assert found[b"d"][0].type is EntryType.DIRECTORY
    assert (found[b"d/l"][0].type, found[b"d/l"][0].link) == (EntryType.SYMLINK, b"../x")
    assert (found[b"d/h"][0].type, found[b"d/h"][0].link) == (EntryType.LINK, b"d/f")
    assert (found[b"n"][0].major, found[b"n"][0].minor) == (1, 3)


@pytest.mark.parametrize("format", ["gnu", "pax"])
def test_long_names_large_numbers_and_other_alphabets(format: str) -> None:
    name, link = "é/" + "x" * 300, "y" * 200
    data = made(
        FORMATS[format],
        (info(name, uid=2**31 - 2, mtime=2**34), b"1"),
        (info("l", type=tarfile.SYMTYPE, linkname=link), b""),
    )
    (file, _), (symlink, _) = read(data)
    assert (file.name, file.uid, file.mtime_ns) == (name.encode(), 2**31 - 2, 2**34 * 10**9)
    assert symlink.link == link.encode()


def test_extended_attributes_and_fractions_of_seconds() -> None:
    headers = {"SCHILY.xattr.user.a": "v", "mtime": "1.5"}
    [(entry, _)] = read(made(tarfile.PAX_FORMAT, (info("f", pax_headers=headers), b"")))
    assert entry.xattrs == {"user.a": b"v"}
    assert entry.mtime_ns == 1_500_000_000


def test_a_sparse_file_of_gnu_tar(tmp_path: os.PathLike[str]) -> None:
    import shutil
    import subprocess

    if shutil.which("tar") is None:
        pytest.skip("GNU tar makes the archives")
    path = f"{os.fspath(tmp_path)}/s"
    with open(path, "wb") as file:
        file.truncate(1 << 20)
        for at in range(0, 1 << 20, 100_000):
            file.seek(at)
            file.write(b"data")
    for flags in (
        ["--format=gnu"],
        ["--format=posix", "--sparse-version=1.0"],
        ["--format=posix", "--sparse-version=0.1"],
    ):
        data = subprocess.check_output(["tar", "-C", os.fspath(tmp_path), "-S", *flags, "-cf", "-", "s"])
        [(entry, stored)] = read(data)
        assert (entry.name, entry.size) == (b"s", 1 << 20)
        content, at = bytearray(1 << 20), 0
        assert entry.sparse is not None
        for offset, length in entry.sparse:
            content[offset : offset + length] = stored[at : at + length]
            at += length
        with open(path, "rb") as file:
            assert bytes(content) == file.read()


def header_with(**fields: tuple[int, bytes]) -> bytes:
    raw = bytearray(made(tarfile.USTAR_FORMAT, (info("f"), b"x" * 10))[:512])
    for at, value in fields.values():
        raw[at : at + len(value)] = value
    raw[148:156] = b" " * 8
    raw[148:156] = b"%06o\0 " % sum(raw)
    return bytes(raw) + bytes(1024)


@pytest.mark.parametrize(
    "data",
    [
        b"not a tar" * 100,
        made(tarfile.USTAR_FORMAT, (info("f"), b"x" * 2000))[:1000],
        made(tarfile.USTAR_FORMAT, (info("f"), b"x"))[:300],
        header_with(size=(124, b"\x80" + b"\xff" * 11)),
        header_with(size=(124, b"\xff" * 12)),
        header_with(size=(124, b"99999999999\0")),
        header_with(kind=(156, b"Z")),
        header_with(kind=(156, b"x"), size=(124, b"77777777777\0")),
        header_with(kind=(156, b"L"), size=(124, b"00010000000\0")),
        header_with(kind=(156, b"S"), sparse=(386, b"00000000000\x0000000001000\0" * 2), real=(483, b"00000000010\0")),
    ],
)
def test_refused(data: bytes) -> None:
    with pytest.raises(BadArchive):
        read(data)


def test_a_record_that_lies_about_its_length() -> None:
    for body in (b"5 a=b\n9999 c=d\n", b"0 a=b\n", b"-3 a=b\n", b"3", b"99999999999999999999 a=b\n"):
        block = header_with(kind=(156, b"x"), size=(124, b"%011o\0" % len(body)))[:512]
        with pytest.raises(BadArchive):
            read(block + body.ljust(512, b"\0") + bytes(1024))


@pytest.mark.parametrize("name", [b"../x", b"a/../../x", b"/../x"])
def test_a_way_out_is_no_path(name: bytes) -> None:
    with pytest.raises(BadArchive):
        _ = Entry(name=name, type=EntryType.FILE).parts


def test_python_reads_what_we_write() -> None:
    out = io.BytesIO()
    writer = TarWriter(out.write)
    writer.add(Entry(name=b"d", type=EntryType.DIRECTORY, mode=0o755))
    long = b"d/" + b"n" * 250
    writer.add_file(Entry(name=long, type=EntryType.FILE, size=3, uid=10**7, mtime_ns=1_500_000_000), b"abc")
    writer.add(Entry(name=b"d/l", type=EntryType.SYMLINK, link="ü".encode() * 80))
    writer.close()
    out.seek(0)
    with tarfile.open(fileobj=out) as tar:
        members = {m.name: m for m in tar.getmembers()}
    assert members["d"].isdir()
    assert (members[long.decode()].uid, members[long.decode()].mtime) == (10**7, 1.5)
    assert members["d/l"].linkname == "ü" * 80


@pytest.mark.parametrize(("seconds", "mtime_ns"), [(True, 1_700_000_000_123_456_789), (False, 1_700_000_000 * 10**9)])
def test_a_plain_files_header_is_the_one_of_its_entry(tmp_path: Path, seconds: bool, mtime_ns: int) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content")
    file.chmod(0o4755)
    os.utime(file, ns=(mtime_ns, mtime_ns))
    info = file.stat()
    fast, slow = io.BytesIO(), io.BytesIO()
    quick, thorough = TarWriter(fast.write, seconds=seconds), TarWriter(slow.write, seconds=seconds)
    assert quick.add_plain(b"d/" + b"n" * 98, info)
    entry = Entry(
        name=b"d/" + b"n" * 98,
        type=EntryType.FILE,
        mode=0o4755,
        uid=info.st_uid,
        gid=info.st_gid,
        size=7,
        mtime_ns=mtime_ns,
    )
    thorough.add(entry)
    for writer in (quick, thorough):
        writer.data(b"content")
        writer.close()
    assert fast.getvalue() == slow.getvalue()
    assert not quick.add_plain(b"n" * 101, info) and not quick.add_plain("ä".encode(), info)
    os.utime(file, ns=(-(10**9), -(10**9)))
    assert not quick.add_plain(b"n", file.stat())
