"""Layers: apply and diff are each other's inverse, and whatever an archive says, it lands inside the root."""

import io
import os
import stat
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hakobu.store.archive.entry import BadArchive, Entry, EntryType
from hakobu.store.archive.reader import TarReader
from hakobu.store.archive.writer import TarWriter
from hakobu.store.layers.apply import Applier, ApplyOptions
from hakobu.store.layers.pack import Packer

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="owners, devices and overlayfs's attributes need root")

names = st.sampled_from([b"a", b"b", b"c", b"d\xff", b"n" * 120])
paths = st.lists(names, min_size=1, max_size=3).map(b"/".join)
modes = st.sampled_from([0o644, 0o600, 0o755, 0o4711, 0o1777])


def entries_of(data: bytes) -> list[tuple[Entry, bytes]]:
    reader = TarReader(io.BytesIO(data))
    return [(entry, b"".join(reader.data())) for entry in reader]


def archive_of(entries: list[tuple[Entry, bytes]]) -> bytes:
    out = io.BytesIO()
    writer = TarWriter(out.write)
    for entry, data in entries:
        writer.add(entry)
        if data:
            writer.data(data)
    writer.close()
    return out.getvalue()


def apply_to(root: str, data: bytes, *, layer: bool = True) -> None:
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        Applier(fd, ApplyOptions(layer=layer)).apply(TarReader(io.BytesIO(data)))
    finally:
        os.close(fd)


def packed(root: str) -> bytes:
    out = io.BytesIO()
    fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        writer = TarWriter(out.write)
        Packer(writer, whiteouts=True).tree(fd, b"", itself=False)
        writer.close()
    finally:
        os.close(fd)
    return out.getvalue()


@st.composite
def trees(draw: st.DrawFn) -> list[tuple[Entry, bytes]]:
    """Entries in any order, with collisions: later ones replace earlier ones."""
    found: list[tuple[Entry, bytes]] = []
    for path in draw(st.lists(paths, max_size=8)):
        kind = draw(st.sampled_from(["file", "directory", "symlink", "fifo", "whiteout", "opaque"]))
        owner = {"uid": draw(st.integers(0, 70000)), "gid": draw(st.integers(0, 70000)), "mode": draw(modes)}
        time_ns = draw(st.integers(0, 2**31)) * 10**9 + draw(st.sampled_from([0, 5 * 10**8]))
        match kind:
            case "file":
                data = draw(st.binary(max_size=700))
                xattrs = draw(st.sampled_from([{}, {"user.k": b"v\0w"}]))
                entry = Entry(
                    name=path, type=EntryType.FILE, size=len(data), mtime_ns=time_ns, xattrs=dict(xattrs), **owner
                )
                found.append((entry, data))
            case "directory":
                found.append((Entry(name=path, type=EntryType.DIRECTORY, mtime_ns=time_ns, **owner), b""))
            case "symlink":
                target = draw(st.sampled_from([b"x", b"/etc/passwd", b"../../..", b"a"]))
                found.append((Entry(name=path, type=EntryType.SYMLINK, link=target, mtime_ns=time_ns), b""))
            case "fifo":
                found.append((Entry(name=path, type=EntryType.FIFO, mtime_ns=time_ns, **owner), b""))
            case "whiteout":
                head, slash, tail = path.rpartition(b"/")
                found.append((Entry(name=head + slash + b".wh." + tail, type=EntryType.FILE, mtime_ns=time_ns), b""))
            case _:
                found.append((Entry(name=path + b"/.wh..wh..opq", type=EntryType.FILE, mtime_ns=time_ns), b""))
    return found


@settings(max_examples=60, deadline=None)
@given(trees())
def test_apply_then_diff_then_apply_is_the_same_tree(tree: list[tuple[Entry, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        first, second = f"{folder}/1", f"{folder}/2"
        os.mkdir(first)
        os.mkdir(second)
        try:
            apply_to(first, archive_of(tree))
        except BadArchive:
            return
        once = packed(first)
        apply_to(second, once)
        assert packed(second) == once


@st.composite
def attacks(draw: st.DrawFn) -> list[tuple[Entry, bytes]]:
    """Links that lead out, then entries through them, hard links to what is outside, devices, dots."""
    targets = st.sampled_from(
        [b"/", b"..", b"../..", b"../outside", b"/proc/self/root", b"/proc/self/cwd", b"a", b".", b"a/../../outside"]
    )
    wild = st.lists(
        st.sampled_from([b"a", b"b", b"l", b"..", b".", b"outside", b"canary", b"proc", b"self", b"root", b""]),
        min_size=1,
        max_size=5,
    ).map(b"/".join)
    found: list[tuple[Entry, bytes]] = []
    for _ in range(draw(st.integers(1, 8))):
        name = draw(wild)
        kind = draw(st.sampled_from(list(EntryType)))
        data = b"evil" if kind is EntryType.FILE else b""
        link = draw(targets | wild) if kind in (EntryType.SYMLINK, EntryType.LINK) else b""
        found.append((Entry(name=name, type=kind, link=link, size=len(data), mode=0o777, major=1, minor=3), data))
    return found


def snapshot(folder: Path) -> dict[str, tuple[int, int, int, bytes]]:
    found: dict[str, tuple[int, int, int, bytes]] = {}
    for path in [folder, *folder.rglob("*")]:
        info = path.lstat()
        content = path.read_bytes() if stat.S_ISREG(info.st_mode) else b""
        found[str(path)] = (info.st_mode, info.st_uid, info.st_nlink, content)
    return found


@settings(max_examples=150, deadline=None)
@given(attacks(), st.booleans())
def test_a_path_never_escapes(tree: list[tuple[Entry, bytes]], layer: bool) -> None:
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top)
        outside, root = folder / "outside", folder / "root"
        outside.mkdir()
        root.mkdir()
        (outside / "canary").write_bytes(b"alive")
        before = snapshot(outside)
        try:
            apply_to(str(root), archive_of(tree), layer=layer)
        except (BadArchive, OSError):
            pass
        assert snapshot(outside) == before
        assert sorted(os.listdir(folder)) == ["outside", "root"]


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=2000), st.integers(0, 2000), st.integers(0, 255))
def test_damage_is_refused_or_read_never_worse(extra: bytes, at: int, byte: int) -> None:
    good = bytearray(archive_of([(Entry(name=b"f", type=EntryType.FILE, size=700), b"x" * 700)]))
    good[at % len(good)] = byte
    try:
        entries_of(bytes(good) + extra)
    except BadArchive:
        pass
