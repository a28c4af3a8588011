"""What a worker can be asked to do: functions of JSON arguments and descriptors to a JSON result.

Descriptors belong to the message and are closed behind the job. Nothing here knows the database: results are
facts for the daemon to record.
"""

import errno
import os
import secrets
import stat
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from typing import Any

from hakobu.kernel import mount
from hakobu.kernel.overlay import options_text as overlay_options
from hakobu.kernel.saferoot import make_mount_target, open_in
from hakobu.spec.digest import Digest
from hakobu.store.archive.entry import Entry, EntryType
from hakobu.store.archive.reader import TarReader
from hakobu.store.archive.writer import TarWriter
from hakobu.store.content import Content, DigestMismatch
from hakobu.store.layers import native
from hakobu.store.layers.apply import Applier, ApplyOptions
from hakobu.store.layers.changes import changes
from hakobu.store.layers.compare import compare
from hakobu.store.layers.inflate import Stream
from hakobu.store.layers.pack import Packer
from hakobu.store.worker import loading
from hakobu.store.worker.feed import Feed
from hakobu.store.worker.sink import Sink

Args = dict[str, Any]
Progress = Callable[[object], None]
Job = Callable[[Args, Sequence[int], Progress], object]
RootedJob = Callable[[int, Args, Sequence[int], Progress], object]


_FOLDER = os.O_PATH | os.O_DIRECTORY
_WHOLE_TREE = mount.OPEN_TREE_CLONE | mount.OPEN_TREE_CLOEXEC | mount.AT_RECURSIVE | mount.AT_EMPTY_PATH


@contextmanager
def _closing(fd: int) -> Generator[int, None, None]:
    """Closed behind the block: what a warm worker keeps open would keep a mount of its jobs, too."""
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def _root(args: Args, fds: Sequence[int], index: int) -> Generator[int, None, None]:
    """The root that was given, or that of a stopped container, for the time of the walk.

    The container's overlay is mounted in this process's namespace, its volumes and binds on it; what is walked is
    a detached copy of that tree, so that nothing stays in the namespace and all of it goes with the descriptor.
    """
    if len(fds) > index:
        yield fds[index]
        return
    root_fd = _mounted(args["overlay"])
    try:
        yield root_fd
    finally:
        os.close(root_fd)


def _mounted(overlay: Args) -> int:
    os.chdir(overlay["snapshots_dir"])
    if overlay.get("merged"):
        return _bound(overlay)
    target = f"/tmp/.hakobu-{secrets.token_hex(6)}" if not overlay["work"] else os.path.dirname(overlay["work"])
    options = f"lowerdir={':'.join(overlay['lower'])}"
    if overlay["upper"]:
        options += f",upperdir={overlay['upper']},workdir={overlay['work']}"
    options += f",{overlay_options()}"
    if not overlay["work"]:
        os.makedirs(target, mode=0o700)
    mount.mount("overlay", target, "overlay", 0, options)
    try:
        root_fd = os.open(target, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for source, inside in overlay.get("mounts", ()):
                _bind(root_fd, source, inside)
            return mount.open_tree(root_fd, "", _WHOLE_TREE)
        finally:
            os.close(root_fd)
    finally:
        mount.umount2(target, mount.MNT_DETACH)
        if not overlay["work"]:
            os.rmdir(target)
        os.chdir("/")


def _bound(overlay: Args) -> int:
    """The same of a tree that is no overlay."""
    merged = overlay["merged"]
    tree_fd = mount.open_tree(mount.AT_FDCWD, merged, _WHOLE_TREE)
    try:
        mount.move_mount(tree_fd, "", mount.AT_FDCWD, merged, mount.MOVE_MOUNT_F_EMPTY_PATH)
        for source, inside in overlay.get("mounts", ()):
            _bind(tree_fd, source, inside)
        return mount.open_tree(tree_fd, "", _WHOLE_TREE)
    finally:
        os.close(tree_fd)
        mount.umount2(merged, mount.MNT_DETACH)
        os.chdir("/")


def _bind(root_fd: int, source: str, inside: str) -> None:
    """Puts a copy of the mount at `source` on `inside`, resolved within the root; a source that is gone is left out."""
    try:
        tree_fd = mount.open_tree(mount.AT_FDCWD, source, mount.OPEN_TREE_CLONE | mount.OPEN_TREE_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        target_fd = make_mount_target(root_fd, inside, stat.S_ISDIR(os.fstat(tree_fd).st_mode))
        try:
            mount.attach(tree_fd, target_fd)
        finally:
            os.close(target_fd)
    finally:
        os.close(tree_fd)


def _rooted(index: int) -> "Callable[[RootedJob], Job]":
    """A job that walks a root: `fds[index]`, or that of a stopped container."""

    def decorate(job: RootedJob) -> Job:
        def run(args: Args, fds: Sequence[int], progress: Progress) -> object:
            with _root(args, fds, index) as root_fd:
                return job(root_fd, args, fds, progress)

        return run

    return decorate


def load(args: Args, fds: Sequence[int], progress: Progress) -> object:
    """An archive of images on `fds` (see `Feed`): blobs and layers stored, what it says of images returned."""
    with closing(Feed(*fds)) as feed:
        return loading.load(args, feed, progress)


def unpack(args: Args, fds: Sequence[int], progress: Progress) -> object:
    """One layer from `fds` (see `Feed`) into a new directory, its blob kept by the way. Returns digests and sizes.

    `digest` and `diff_id`, where given, are what it must turn out to be; else nothing of it stays. What ends before
    `size` bytes, where that is given, is kept as a part of the blob.
    """
    content = Content(args["oci_dir"])
    blob, diff_id = (Digest.parse(args[key]) if args.get(key) else None for key in ("digest", "diff_id"))
    with content.ingest(blob) as incoming, closing(Feed(*fds)) as feed:
        try:
            facts = loading.unpack(iter(feed), feed.stop, args["snapshots_dir"], incoming)
        except Exception as error:
            full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
            incoming.cut_off = feed.ended and incoming.size < args.get("size", 0) and not full
            raise
        try:
            if blob is not None and incoming.digest != blob:
                raise DigestMismatch(blob, incoming.digest)
            if diff_id is not None and facts["diff_id"] != str(diff_id):
                raise DigestMismatch(diff_id, Digest.parse(facts["diff_id"]))
            kept = content.commit(incoming)
        except BaseException:
            loading.discard(args["snapshots_dir"], facts["directory"])
            raise
        return {**facts, "digest": str(kept), "stored": incoming.size}


@_rooted(2)
def apply_archive(root_fd: int, args: Args, fds: Sequence[int], progress: Progress) -> object:
    """Copy in: `fds[:2]` are the archive (see `Feed`), `fds[2]` the root, `path` the directory to unpack into."""
    options = ApplyOptions(
        keep_directories=bool(args["no_overwrite_dir_non_dir"]),
        owner=tuple(args["owner"]) if args.get("owner") else None,
    )
    target_fd = open_in(root_fd, args["path"], _FOLDER)
    try:
        with closing(Feed(*fds[:2])) as feed, Stream(iter(feed), halt=feed.stop) as stream:
            Applier(target_fd, options).apply(TarReader(stream))
    finally:
        os.close(target_fd)
    return None


@_rooted(1)
def pack_tree(root_fd: int, args: Args, fds: Sequence[int], progress: Progress) -> object:
    """`fds[0]` takes the tar (see `Sink`); the tree is `path` below the root (`fds[1]` or an overlay to mount)."""
    with closing(Sink(fds[0], chunked=args["chunked"])) as sink:
        writer = TarWriter(sink.write, sink.file, seconds=True)
        packer = Packer(writer, one_device=bool(args.get("one_device")), skip=_skip(args))
        path, name = args["path"], os.fsencode(args["name"])
        base = os.path.basename(path.rstrip("/"))
        with (
            _closing(open_in(root_fd, os.path.dirname(path.rstrip("/")) or "/", _FOLDER)) as parent_fd,
            _closing(os.open(base or ".", os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent_fd)) as fd,
        ):
            if stat.S_ISDIR(os.fstat(fd).st_mode):
                packer.tree(fd, name)
            else:
                packer.file(parent_fd, base, name)
        writer.close()
    return None


def pack_layer(args: Args, fds: Sequence[int], progress: Progress) -> object:
    """An upper directory as a layer: stored as an uncompressed blob, whose digest is its diff id."""
    content = Content(args["oci_dir"])
    with content.ingest() as incoming:
        buffered = _Buffered(incoming.write)
        writer = TarWriter(buffered.write, seconds=True)
        upper_fd = os.open(args["upper"], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            Packer(writer, whiteouts=True, skip=_skip(args)).tree(upper_fd, b"", itself=False)
        finally:
            os.close(upper_fd)
        writer.close()
        buffered.flush()
        digest = content.commit(incoming)
        return {"digest": str(digest), "stored": incoming.size}


def save(args: Args, fds: Sequence[int], progress: Progress) -> object:
    """Files of an image archive to `fds[0]` (see `Sink`): contents given, or blobs by path."""
    with closing(Sink(fds[0], chunked=args["chunked"])) as sink:
        writer = TarWriter(sink.write, sink.file)
        for directory in args["directories"]:
            writer.add(Entry(name=directory.encode(), type=EntryType.DIRECTORY, mode=0o755))
        for name, source in args["files"]:
            if "text" in source:
                data = source["text"].encode()
                writer.add_file(Entry(name=name.encode(), type=EntryType.FILE, size=len(data)), data)
                continue
            with open(source["path"], "rb") as file:
                size = os.fstat(file.fileno()).st_size
                writer.add(Entry(name=name.encode(), type=EntryType.FILE, size=size))
                writer.file(file.fileno(), size)
        writer.close()
    return None


def diff(args: Args, fds: Sequence[int], progress: Progress) -> object:
    return changes(args["upper"], tuple(args["lowers"]), frozenset(args["skip"]))


def image_diff(args: Args, fds: Sequence[int], progress: Progress) -> object:
    """`first` and `second` are lists of layers, top first: [path, kind, reasons, bytes before, bytes after] each."""
    roots: list[int] = []
    # overlayfs wants two directories where none is on top
    with tempfile.TemporaryDirectory(prefix=".hakobu-") as empty:
        for name in ("1", "2"):
            os.mkdir(f"{empty}/{name}")
        try:
            for key in ("first", "second"):
                lower = [f"{empty}/1", *(args[key] or [f"{empty}/2"])]
                overlay = {"snapshots_dir": args["snapshots_dir"], "lower": lower, "upper": "", "work": ""}
                roots.append(_mounted(overlay))
            return [[d.path, d.kind, d.why, d.before, d.after] for d in compare(*roots)]
        finally:
            for fd in roots:
                os.close(fd)


def usage(args: Args, fds: Sequence[int], progress: Progress) -> object:
    """Bytes below each directory, hard links counted once."""
    return [_usage(path) for path in args["directories"]]


@_rooted(0)
def copy_tree(root_fd: int, args: Args, fds: Sequence[int], progress: Progress) -> object:
    """The content of `path` in an image's root into an empty directory (a new volume), owners and all.

    The source is resolved inside the root (CVE-2022-23648); the target is the engine's own.
    """
    try:
        source_fd = open_in(root_fd, args["path"], _FOLDER)
    except (FileNotFoundError, NotADirectoryError):
        return False
    with (
        _closing(source_fd),
        _closing(os.open(args["target"], os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as target_fd,
    ):
        native.copy(source_fd, target_fd, ApplyOptions())
    return True


def native_make(args: Args, fds: Sequence[int], progress: Progress) -> object:
    """All layers of an image in one tree, where overlayfs is refused."""
    native.merge(tuple(args["layers"]), args["merged"])
    return None


def native_changes(args: Args, fds: Sequence[int], progress: Progress) -> object:
    """The upper directory of such a tree, made anew."""
    native.separate(args["merged"], args["upper"])
    return None


@_rooted(0)
def stat_path(root_fd: int, args: Args, fds: Sequence[int], progress: Progress) -> object:
    """Of the very path, its last component not followed; None where there is nothing."""
    path = args["path"].rstrip("/") or "/"
    name = os.path.basename(path) or "."
    try:
        with _closing(open_in(root_fd, os.path.dirname(path), _FOLDER)) as parent_fd:
            info = os.stat(name, dir_fd=parent_fd, follow_symlinks=False)
            is_link = stat.S_ISLNK(info.st_mode)
            target = os.readlink(name, dir_fd=parent_fd) if is_link else ""
        if args["path"].endswith("/") and is_link:
            with _closing(open_in(root_fd, path)) as followed_fd:
                info = os.fstat(followed_fd)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return {"mode": info.st_mode, "size": info.st_size, "mtime_ns": info.st_mtime_ns, "link": target}


def _skip(args: Args) -> frozenset[bytes]:
    return frozenset(os.fsencode(p.strip("/")) for p in args.get("skip", ()))


class _Buffered:
    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._write, self._parts, self._size = write, list[bytes](), 0

    def write(self, data: bytes) -> None:
        self._parts.append(data)
        self._size += len(data)
        if self._size >= 1 << 20:
            self.flush()

    def flush(self) -> None:
        if self._parts:
            self._write(b"".join(self._parts))
            self._parts, self._size = [], 0


def _usage(path: str) -> int:
    total, seen = 0, set[tuple[int, int]]()
    for directory, directories, names in os.walk(path):
        for name in (*directories, *names):
            try:
                info = os.lstat(f"{directory}/{name}")
            except FileNotFoundError:
                continue
            if stat.S_ISDIR(info.st_mode):
                continue
            if info.st_nlink > 1:
                if (info.st_dev, info.st_ino) in seen:
                    continue
                seen.add((info.st_dev, info.st_ino))
            total += info.st_size
    return total


JOBS: dict[str, Job] = {
    "load": load,
    "unpack": unpack,
    "apply": apply_archive,
    "pack-tree": pack_tree,
    "pack-layer": pack_layer,
    "save": save,
    "diff": diff,
    "image-diff": image_diff,
    "usage": usage,
    "copy-tree": copy_tree,
    "native-make": native_make,
    "native-changes": native_changes,
    "stat": stat_path,
}
