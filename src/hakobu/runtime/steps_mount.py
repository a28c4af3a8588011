"""Executors of the steps that make a container's file system; each acts below `child.root_fd` by descriptors.

Until `root.pivot` the container's root is a mount in the child's own namespace, seen from outside. Sources are
the host's paths, opened by the child before it has entered anything.
"""

import errno
import os
import re
import stat
from contextlib import ExitStack

from hakobu.kernel import audit, overlay, probe, userns
from hakobu.kernel import mount as mnt
from hakobu.kernel.openat2 import RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS, RESOLVE_NO_SYMLINKS, openat2
from hakobu.kernel.probe import Feature
from hakobu.kernel.process import CLONE_NEWNS, setns
from hakobu.kernel.saferoot import make_directories, make_mount_target
from hakobu.runtime.arguments import number, text, texts
from hakobu.runtime.child import Args, Child
from hakobu.runtime.copy_up import copy_tree

_HIDDEN_PLACE = "/proc/fs"
_ROOT_PROPAGATION = {
    "private": mnt.MS_PRIVATE,
    "rprivate": mnt.MS_PRIVATE | mnt.MS_REC,
    "slave": mnt.MS_SLAVE,
    "rslave": mnt.MS_SLAVE | mnt.MS_REC,
    "shared": mnt.MS_SHARED,
    "rshared": mnt.MS_SHARED | mnt.MS_REC,
}
_OWN_PROPAGATION = {
    "shared": mnt.MS_SHARED,
    "rshared": mnt.MS_SHARED,
    "unbindable": mnt.MS_UNBINDABLE,
    "runbindable": mnt.MS_UNBINDABLE,
}
_STRING_BYTES = 255
_INSIDE = re.compile(r"/proc/([0-9]+)/root(/.+)")
DEV_NULL = os.makedev(1, 3)


def isolate(child: Child, args: Args) -> None:
    """Nothing mounted here shows on the host; what is mounted there may still arrive (slave)."""
    propagation = text(args, "propagation")
    mnt.mount(None, "/", None, _ROOT_PROPAGATION[propagation])
    if propagation in ("shared", "rshared"):
        # The root must not arrive on the host with all that is to be shared, nor can one be pivoted into whose
        # parent is shared. /proc is a mount of its own everywhere; private, a directory of it is a place to hide.
        mnt.mount(None, "/proc", None, mnt.MS_PRIVATE)
        child.root_place = _HIDDEN_PLACE


def rootfs_mount(child: Child, args: Args) -> None:
    """The overlay, on its own work directory's parent: a place that exists and that nobody else looks at."""
    base_fd = os.open(text(args, "snapshots_dir"), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    os.fchdir(base_fd)
    lower, upper, work = texts(args, "lower"), text(args, "upper"), text(args, "work")
    target = child.root_place or os.path.dirname(work)
    mount_fd = _overlay(lower, upper, work, target)
    mnt.move_mount(mount_fd, b"", base_fd, target, mnt.MOVE_MOUNT_F_EMPTY_PATH)
    child.root_fd = mount_fd
    os.close(base_fd)


def _overlay(lower: list[str], upper: str, work: str, target: str) -> int:
    joined = ":".join(lower)
    if len(joined) > _STRING_BYTES and not probe.has(Feature.OVERLAY_LOWERDIR_APPEND):
        return _overlay_by_mount(joined, upper, work, target)
    fs_fd = mnt.fsopen("overlay")
    try:
        _set_lower(fs_fd, lower)
        mnt.fsconfig_set_string(fs_fd, "upperdir", upper)
        mnt.fsconfig_set_string(fs_fd, "workdir", work)
        _set_options(fs_fd)
        mnt.fsconfig_create(fs_fd)
        return mnt.fsmount(fs_fd)
    finally:
        os.close(fs_fd)


def _set_lower(fs_fd: int, lower: list[str]) -> None:
    """One by one since Linux 6.5; before it, only mount(2) takes more than 255 bytes."""
    mnt.fsconfig_set_string(fs_fd, "source", "overlay")
    joined = ":".join(lower)
    if len(joined) <= _STRING_BYTES:
        mnt.fsconfig_set_string(fs_fd, "lowerdir", joined)
        return
    for name in lower:
        mnt.fsconfig_set_string(fs_fd, "lowerdir+", name)


def _overlay_by_mount(joined: str, upper: str, work: str, target: str) -> int:
    options = [f"lowerdir={joined}", f"upperdir={upper}", f"workdir={work}", overlay.options_text()]
    mnt.mount("overlay", target, "overlay", 0, ",".join(options))
    try:
        return mnt.open_tree(-100, target, mnt.OPEN_TREE_CLONE | mnt.OPEN_TREE_CLOEXEC)
    finally:
        mnt.umount2(target, mnt.MNT_DETACH)


def rootfs_bind(child: Child, args: Args) -> None:
    """A directory of the host as root: bound onto itself, so that it is a mount and can be pivoted into."""
    source = text(args, "source")
    mount_fd = mnt.open_tree(-100, source, mnt.OPEN_TREE_CLONE | mnt.AT_RECURSIVE | mnt.OPEN_TREE_CLOEXEC)
    mnt.mount_setattr(mount_fd, b"", mnt.AT_EMPTY_PATH | mnt.AT_RECURSIVE, propagation=mnt.MS_PRIVATE)
    mnt.move_mount(mount_fd, b"", -100, child.root_place or source, mnt.MOVE_MOUNT_F_EMPTY_PATH)
    child.root_fd = mount_fd


def mount_new(child: Child, args: Args) -> None:
    options: dict[str, str | bytes | None] = {}
    if source := text(args, "source"):
        options["source"] = source
    for item in texts(args, "data"):
        key, equals, value = item.partition("=")
        if key in ("uid", "gid") and value.isdecimal() and not userns.has_id(key, int(value)):
            continue  # an id that this namespace does not have; the owner is then its root
        options[key] = value if equals else None
    mount_fd = _new(text(args, "type"), dict(options), number(args, "attributes"))
    try:
        target_fd = make_mount_target(child.root_fd, text(args, "target"), True)
        if args.get("copy_up"):
            copy_tree(target_fd, mount_fd)
        _place(mount_fd, target_fd, args)
    finally:
        os.close(mount_fd)


def mount_layers(child: Child, args: Args) -> None:
    """An image's layers, read-only; a single one needs no overlay (and older kernels refuse one)."""
    lower, subpath = texts(args, "lower"), text(args, "subpath")
    if len(lower) == 1:
        mount_fd = mnt.open_tree(-100, lower[0], mnt.OPEN_TREE_CLONE | mnt.OPEN_TREE_CLOEXEC)
        mnt.mount_setattr(mount_fd, b"", mnt.AT_EMPTY_PATH, attr_set=mnt.MOUNT_ATTR_RDONLY, propagation=mnt.MS_PRIVATE)
    else:
        mount_fd = _overlay_to_read(lower, text(args, "target"), child)
    try:
        _place(mount_fd, make_mount_target(child.root_fd, text(args, "target"), True), args)
        if subpath:
            _cover_with_part(child, text(args, "target"), subpath)
    finally:
        os.close(mount_fd)


def _set_options(fs_fd: int) -> None:
    for option, value in overlay.options():
        if value is None:
            mnt.fsconfig_set_flag(fs_fd, option)
        else:
            mnt.fsconfig_set_string(fs_fd, option, value)


def _overlay_to_read(lower: list[str], target: str, child: Child) -> int:
    joined = ":".join(lower)
    if len(joined) > _STRING_BYTES and not probe.has(Feature.OVERLAY_LOWERDIR_APPEND):
        raise OSError(errno.E2BIG, "the layers' names are too long for this kernel's overlay", target)
    fs_fd = mnt.fsopen("overlay")
    try:
        _set_lower(fs_fd, lower)
        _set_options(fs_fd)
        mnt.fsconfig_create(fs_fd)
        return mnt.fsmount(fs_fd, mnt.MOUNT_ATTR_RDONLY)
    finally:
        os.close(fs_fd)


def _cover_with_part(child: Child, target: str, subpath: str) -> None:
    """The place in what was just mounted is bound over it; links in it lead nowhere else."""
    rules = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS
    whole = openat2(child.root_fd, target, os.O_PATH | os.O_DIRECTORY, resolve=rules)
    try:
        place = openat2(whole, subpath, os.O_PATH, resolve=rules)
    finally:
        os.close(whole)
    try:
        part = mnt.open_tree(place, b"", mnt.OPEN_TREE_CLONE | mnt.AT_EMPTY_PATH | mnt.OPEN_TREE_CLOEXEC)
    finally:
        os.close(place)
    try:
        mnt.mount_setattr(part, b"", mnt.AT_EMPTY_PATH, attr_set=mnt.MOUNT_ATTR_RDONLY, propagation=mnt.MS_PRIVATE)
        mnt.attach(part, make_mount_target(child.root_fd, target, _is_directory(part)))
    finally:
        os.close(part)


# Each shows a namespace, and only its owner may make one: in a user's engine the host's own are bound instead.
_SHOWS_A_NAMESPACE = {"proc": "/proc", "sysfs": "/sys", "mqueue": "/dev/mqueue"}


def _new(fstype: str, options: dict[str, str | bytes | None], attributes: int) -> int:
    try:
        return mnt.new_mount(fstype, dict(options), attributes)
    except PermissionError:
        place = _SHOWS_A_NAMESPACE.get(fstype, "")
        if userns.is_initial() or not place:
            raise
    if not os.path.ismount(place):  # a host that shows no queues: they work without being shown
        return mnt.new_mount("tmpfs", {"size": "0", "nr_inodes": "1"}, attributes | mnt.MOUNT_ATTR_RDONLY)
    mount_fd = mnt.open_tree(-100, place, mnt.OPEN_TREE_CLONE | mnt.AT_RECURSIVE | mnt.OPEN_TREE_CLOEXEC)
    mnt.mount_setattr(mount_fd, b"", mnt.AT_EMPTY_PATH, attr_set=attributes, propagation=mnt.MS_PRIVATE)
    return mount_fd


def mount_bind(child: Child, args: Args) -> None:
    recursive = mnt.AT_RECURSIVE if args.get("recursive") else 0
    mount_fd = _source(text(args, "source"), mnt.OPEN_TREE_CLONE | recursive | mnt.OPEN_TREE_CLOEXEC)
    try:
        _default_private(mount_fd, args)
        attr_set, attr_clr = number(args, "set"), number(args, "clear")
        if attr_set or attr_clr:
            mnt.mount_setattr(mount_fd, b"", mnt.AT_EMPTY_PATH, attr_set=attr_set, attr_clr=attr_clr)
        whole, cleared = number(args, "recursive_set"), number(args, "recursive_clear")
        if whole or cleared:
            mnt.mount_setattr(mount_fd, b"", mnt.AT_EMPTY_PATH | mnt.AT_RECURSIVE, attr_set=whole, attr_clr=cleared)
        if (userns_fd := child.idmaps.get(child.index, -1)) >= 0:
            below = mnt.AT_RECURSIVE if args.get("idmap_recursive") else 0
            mnt.mount_setattr(
                mount_fd, b"", mnt.AT_EMPTY_PATH | below, attr_set=mnt.MOUNT_ATTR_IDMAP, userns_fd=userns_fd
            )
        target_fd = make_mount_target(child.root_fd, text(args, "target"), _is_directory(mount_fd))
        _place(mount_fd, target_fd, args)
    finally:
        os.close(mount_fd)


def _source(path: str, flags: int) -> int:
    """A detached copy of what is to be bound: of the host's, or of a running container's own mount."""
    if inside := _INSIDE.fullmatch(path):
        return _from_container(int(inside[1]), inside[2], flags)
    return mnt.open_tree(-100, path, flags)


def _from_container(pid: int, path: str, flags: int) -> int:
    """Only from within a mount namespace can its mounts be copied: this process goes there and comes back.

    The place is looked up before, from outside and without links; inside, nothing is resolved and nothing opened.
    """
    with ExitStack() as stack:

        def opened(fd: int) -> int:
            stack.callback(os.close, fd)
            return fd

        ours = opened(os.open("/proc/self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC))
        theirs = opened(os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC))
        root_fd = opened(os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
        rules = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS
        place = opened(openat2(root_fd, path, os.O_PATH, resolve=rules))
        setns(theirs, CLONE_NEWNS)
        try:
            return mnt.open_tree(place, b"", flags | mnt.AT_EMPTY_PATH)
        finally:
            setns(ours, CLONE_NEWNS)


def _default_private(mount_fd: int, args: Args) -> None:
    if not args.get("propagation"):
        mnt.mount_setattr(mount_fd, b"", mnt.AT_EMPTY_PATH | mnt.AT_RECURSIVE, propagation=mnt.MS_PRIVATE)


def _is_directory(fd: int) -> bool:
    return stat.S_ISDIR(os.fstat(fd).st_mode)


def _place(mount_fd: int, target_fd: int, args: Args) -> None:
    try:
        mnt.attach(mount_fd, target_fd)
    finally:
        os.close(target_fd)
    if kind := number(args, "propagation"):
        recursive = mnt.AT_RECURSIVE if args.get("propagation_recursive") else 0
        mnt.mount_setattr(mount_fd, b"", mnt.AT_EMPTY_PATH | recursive, propagation=kind)


def mount_cgroup(child: Child, args: Args) -> None:
    """v2: the file system itself, as the cgroup namespace shows it. v1: a tmpfs with one bind a hierarchy."""
    attributes = mnt.MOUNT_ATTR_NOSUID | mnt.MOUNT_ATTR_NODEV | mnt.MOUNT_ATTR_NOEXEC
    ro = mnt.MOUNT_ATTR_RDONLY if args.get("read_only") else 0
    target = text(args, "target")
    if number(args, "version") == 2:
        mount_fd = mnt.new_mount("cgroup2", {}, attributes | ro)
        try:
            mnt.attach(mount_fd, make_mount_target(child.root_fd, target, True))
        finally:
            os.close(mount_fd)
        return
    top_fd = mnt.new_mount("tmpfs", {"mode": "755"}, attributes)
    try:
        mnt.attach(top_fd, make_mount_target(child.root_fd, target, True))
        _bind_hierarchies(top_fd, args, attributes | ro)
    finally:
        os.close(top_fd)


def _bind_hierarchies(top_fd: int, args: Args, attributes: int) -> None:
    listed = args.get("hierarchies")
    for entry in listed if isinstance(listed, list) else []:
        if not isinstance(entry, list):
            continue
        name, path = str(entry[0]), str(entry[1])
        try:
            tree_fd = mnt.open_tree(-100, path, mnt.OPEN_TREE_CLONE | mnt.OPEN_TREE_CLOEXEC)
        except FileNotFoundError:
            continue  # a hierarchy in which no limit asked for a group of its own
        os.mkdir(name, 0o755, dir_fd=top_fd)
        try:
            mnt.mount_setattr(tree_fd, b"", mnt.AT_EMPTY_PATH, attr_set=attributes, propagation=mnt.MS_PRIVATE)
            mnt.move_mount(tree_fd, b"", top_fd, name, mnt.MOVE_MOUNT_F_EMPTY_PATH)
        finally:
            os.close(tree_fd)


def cwd_make(child: Child, args: Args) -> None:
    """As Docker: a working directory that is missing is made, below the root and nowhere else."""
    os.close(make_directories(child.root_fd, text(args, "path")))


def pivot(child: Child, args: Args) -> None:
    """Stacks the old root on the new one and lets go of it; from here on `/` is the container's.

    Before it the interpreter is sealed: nothing may be imported or opened by name behind this line.
    """
    audit.seal()
    if args.get("move") or args.get("chroot"):
        _change_root(child, move=bool(args.get("move")))
        return
    old_fd = openat2(-100, "/", os.O_PATH | os.O_DIRECTORY, resolve=0) if child.root_place else -1
    os.fchdir(child.root_fd)
    mnt.pivot_root(".", ".")
    if old_fd >= 0:
        # Where mounts are shared, letting go of ours would unmount the host's: they become slaves first.
        mnt.mount_setattr(old_fd, b"", mnt.AT_EMPTY_PATH | mnt.AT_RECURSIVE, propagation=mnt.MS_SLAVE)
        os.close(old_fd)
    mnt.umount2(".", mnt.MNT_DETACH)
    os.chdir("/")
    if kind := _OWN_PROPAGATION.get(text(args, "propagation")):
        mnt.mount_setattr(child.root_fd, b"", mnt.AT_EMPTY_PATH, propagation=kind)


def _change_root(child: Child, *, move: bool) -> None:
    """Where there is no root to pivot away from (a ramdisk's): weaker, because the old one is covered and not gone.

    Without `move` the mount namespace is the host's, and nothing but the root changes.
    """
    os.fchdir(child.root_fd)
    if move:
        mnt.move_mount(child.root_fd, b"", -100, "/", mnt.MOVE_MOUNT_F_EMPTY_PATH)
    os.chroot(".")
    os.chdir("/")


def _pseudo(child: Child, path: str) -> int | None:
    """A path of proc or sysfs; None where it does not exist. No link is followed (CVE-2025-31133 and its kin)."""
    rules = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS
    try:
        return openat2(child.root_fd, path.lstrip("/"), os.O_PATH, resolve=rules)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _null_device(child: Child) -> int:
    """The container's own /dev/null, proved to be the device: an image's link there is refused."""
    if child.null_fd < 0:
        fd = _pseudo(child, "/dev/null")
        if fd is None or os.fstat(fd).st_rdev != DEV_NULL or not stat.S_ISCHR(os.fstat(fd).st_mode):
            raise OSError(errno.ENODEV, "not the null device", "/dev/null")
        child.null_fd = fd
    return child.null_fd


def _empty_directory(child: Child) -> int:
    """Of the first one, where it is shown: a detached mount can be copied since Linux 6.15 alone."""
    flags = mnt.OPEN_TREE_CLONE | mnt.OPEN_TREE_CLOEXEC | mnt.AT_EMPTY_PATH
    if child.empty_fd >= 0:
        return mnt.open_tree(child.empty_fd, b"", flags)
    attributes = mnt.MOUNT_ATTR_RDONLY | mnt.MOUNT_ATTR_NOSUID | mnt.MOUNT_ATTR_NODEV | mnt.MOUNT_ATTR_NOEXEC
    made = mnt.new_mount("tmpfs", {"nr_inodes": "1", "size": "0"}, attributes)
    child.empty_fd = os.dup(made)
    return made


def path_mask(child: Child, args: Args) -> None:
    """A file shows the null device, a directory an empty read-only tmpfs: one for all, as nothing can be written."""
    target_fd = _pseudo(child, text(args, "path"))
    if target_fd is None:
        return
    if _is_directory(target_fd):
        mount_fd = _empty_directory(child)
    else:
        mount_fd = mnt.open_tree(
            _null_device(child), b"", mnt.OPEN_TREE_CLONE | mnt.OPEN_TREE_CLOEXEC | mnt.AT_EMPTY_PATH
        )
    mnt.attach(mount_fd, target_fd)
    os.close(mount_fd)
    os.close(target_fd)


def path_readonly(child: Child, args: Args) -> None:
    target_fd = _pseudo(child, text(args, "path"))
    if target_fd is None:
        return
    tree_fd = mnt.open_tree(
        target_fd, b"", mnt.OPEN_TREE_CLONE | mnt.OPEN_TREE_CLOEXEC | mnt.AT_EMPTY_PATH | mnt.AT_RECURSIVE
    )
    # nothing but read-only: what the mount there has besides goes with the copy, and programs in it stay programs
    mnt.mount_setattr(tree_fd, b"", mnt.AT_EMPTY_PATH | mnt.AT_RECURSIVE, attr_set=mnt.MOUNT_ATTR_RDONLY)
    mnt.attach(tree_fd, target_fd)
    os.close(tree_fd)
    os.close(target_fd)


def root_readonly(child: Child, args: Args) -> None:
    mnt.mount_setattr(child.root_fd, b"", mnt.AT_EMPTY_PATH, attr_set=mnt.MOUNT_ATTR_RDONLY)


EXECUTORS = {
    "mounts.isolate": isolate,
    "rootfs.mount": rootfs_mount,
    "rootfs.bind": rootfs_bind,
    "mount.new": mount_new,
    "mount.layers": mount_layers,
    "mount.bind": mount_bind,
    "mount.cgroup": mount_cgroup,
    "cwd.make": cwd_make,
    "root.pivot": pivot,
    "path.mask": path_mask,
    "path.readonly": path_readonly,
    "root.readonly": root_readonly,
}
