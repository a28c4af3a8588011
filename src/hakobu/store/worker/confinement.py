"""What is left to a worker once it has begun: the files of its engine's store, and nothing that leads elsewhere.

A worker reads strangers' bytes; should they take it over, this is what they have got. It runs no program, signals
nobody, makes no process but its like, and has no network but the descriptors of its job (`kernel/refusal.py`). Its
capabilities are those of unpacking. A worker that mounts nothing has, moreover, only the store's own folders below
its root, without devices, setuid or programs, and cannot mount; the few jobs that walk a stopped container's root,
whose mounts may come from anywhere on the host, get a worker of the other kind (`mounts`).

Must not: import or look up anything by path after `confine`; the interpreter's files are out of reach then.
"""

import errno
import os
import resource
from collections.abc import Sequence
from typing import Final

from hakobu.kernel import audit, capability, mount, overlay, process, refusal, seccomp_filter

_CAPABILITIES: Final = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_MKNOD",
    "CAP_SETFCAP",
    "CAP_SYS_ADMIN",  # trusted.overlay.* attributes, and mounting a stopped container's root for a walk
)
_FILE_BYTES: Final = 1 << 40
"""No file of an image is larger; what would be is an error (EFBIG) before it is a full disk."""
_TREE: Final = mount.OPEN_TREE_CLONE | mount.OPEN_TREE_CLOEXEC | mount.AT_RECURSIVE
_INERT: Final = mount.MOUNT_ATTR_NOSUID | mount.MOUNT_ATTR_NODEV | mount.MOUNT_ATTR_NOEXEC


def confine(roots: Sequence[str], *, mounts: bool) -> None:
    """For good. `roots` are absolute paths of the store; without any the whole tree stays visible."""
    process.set_dumpable(False)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, _FILE_BYTES)
    audit.touch_codecs()
    overlay.opaque_xattr()  # found out by trying, which is refused from here on
    if os.geteuid() == 0:
        process.unshare(process.CLONE_NEWNS)
        mount.mount(None, "/", None, mount.MS_REC | mount.MS_PRIVATE)
        if roots and not mounts:
            audit.close_import_paths()
            enter(roots)
        keep = capability.mask(_CAPABILITIES) & capability.held()
        capability.drop_bounding(keep)
        capability.capset(keep, keep, 0)
    process.set_no_new_privs()
    seccomp_filter.install(refusal.program(mounts=mounts))


def enter(roots: Sequence[str]) -> None:
    """Makes the given folders, at their own paths, and a /proc of this process alone the whole of the tree."""
    trees = [(path, mount.open_tree(mount.AT_FDCWD, path, _TREE)) for path in roots if os.path.isdir(path)]
    proc_fd = _own_proc()
    base_fd = mount.new_mount("tmpfs", {"mode": "0755", "size": "1m"}, _INERT)
    # It needs a place to be mounted on, and the store is known to be there; its copy was taken before.
    mount.move_mount(base_fd, "", mount.AT_FDCWD, roots[0], mount.MOVE_MOUNT_F_EMPTY_PATH)
    os.fchdir(base_fd)
    for path, tree_fd in trees:
        mount.mount_setattr(tree_fd, "", mount.AT_EMPTY_PATH | mount.AT_RECURSIVE, attr_set=_INERT)
        os.makedirs(f".{path}", exist_ok=True)
        mount.move_mount(tree_fd, "", mount.AT_FDCWD, f".{path}", mount.MOVE_MOUNT_F_EMPTY_PATH)
        os.close(tree_fd)
    os.mkdir("proc")
    mount.move_mount(proc_fd, "", mount.AT_FDCWD, "proc", mount.MOVE_MOUNT_F_EMPTY_PATH)
    os.close(proc_fd)
    _change_root()
    mount.mount_setattr(base_fd, "", mount.AT_EMPTY_PATH, attr_set=mount.MOUNT_ATTR_RDONLY)
    os.close(base_fd)


def _own_proc() -> int:
    """Of other processes it shows none that this one may not trace; of the kernel nothing."""
    try:
        return mount.new_mount("proc", {"subset": "pid", "hidepid": "ptraceable"}, _INERT)
    except OSError:  # a masked /proc in a user namespace: paths of descriptors must work all the same
        return mount.open_tree(mount.AT_FDCWD, "/proc", mount.OPEN_TREE_CLONE | mount.OPEN_TREE_CLOEXEC)


def _change_root() -> None:
    try:
        mount.pivot_root(".", ".")
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        # an initial ramfs cannot be pivoted away from; nobody leaves a chroot without CAP_SYS_CHROOT and the call
        os.chroot(".")
    else:
        mount.umount2(".", mount.MNT_DETACH)
    os.chdir("/")


def _limit(what: int, value: int) -> None:
    _, hard = resource.getrlimit(what)
    soft = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (soft, hard))
