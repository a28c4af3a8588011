"""What this kernel can do: each feature asked once, by doing it, and remembered.

A version number decides nothing by itself (distributions carry features back, filters take them away); it only
lets tests pretend an older kernel: `pretend((6, 1))`, or HAKOBU_PRETEND_KERNEL=6.1 in the environment, switches off
what came later. The engine's minimum is Linux 5.15, so what is older than that is not asked about.
"""

import ctypes
import errno
import os
import re
import stat
from collections.abc import Callable
from ctypes import c_char_p, c_int, c_ulong, c_void_p
from enum import StrEnum
from typing import Final

from hakobu.kernel import mount as m
from hakobu.kernel import xattr
from hakobu.kernel.cgroup.layout import detect
from hakobu.kernel.libc import syscall
from hakobu.kernel.process import CLONE_ARGS, CLONE_INTO_CGROUP

MINIMUM_KERNEL: Final = (5, 15)
ENVIRONMENT: Final = "HAKOBU_PRETEND_KERNEL"


class Feature(StrEnum):
    """Named after the thing, in the kernel's words."""

    CLONE3 = "clone3"
    CLONE_INTO_CGROUP = "clone-into-cgroup"
    OPENAT2 = "openat2"
    NEW_MOUNT_API = "new-mount-api"
    MOUNT_SETATTR = "mount-setattr"
    PROC_SUBSET_PID = "proc-subset-pid"
    CGROUP_KILL = "cgroup-kill"
    TIME_NAMESPACE = "time-namespace"
    OVERLAY = "overlay"
    OVERLAY_LOWERDIR_APPEND = "overlay-lowerdir-append"
    OVERLAY_LAYER_FD = "overlay-layer-fd"
    STATMOUNT = "statmount"
    MOVE_MOUNT_BENEATH = "move-mount-beneath"
    XATTRAT = "xattrat"
    MOUNT_ON_DETACHED = "mount-on-detached"
    DEVICE_NODES = "device-nodes"
    TRUSTED_XATTRS = "trusted-xattrs"


_pretended: tuple[int, int] | None = None
_known: dict[Feature, bool] = {}


def kernel_version(release: str | None = None) -> tuple[int, int]:
    """(major, minor) of this kernel, or the pretended one's."""
    if release is None and _pretended is not None:
        return _pretended
    match = re.match(r"([0-9]{1,4})\.([0-9]{1,4})", release or os.uname().release, re.ASCII)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def pretend(version: tuple[int, int] | None) -> None:
    """From here on features younger than this are not there; None ends it."""
    global _pretended
    _pretended = version
    _known.clear()


def has(feature: Feature) -> bool:
    """Whether the feature works here, for this process."""
    if feature not in _known:
        since, ask = _QUESTIONS[feature]
        _known[feature] = (_pretended is None or _pretended >= since) and _answer(ask)
    return _known[feature]


def all_features() -> dict[str, bool]:
    """Every feature by its name; what `doctor` and `info` show."""
    return {feature.value: has(feature) for feature in Feature}


def _answer(ask: Callable[[], bool]) -> bool:
    try:
        return ask()
    except OSError:
        return False


def _is_there(call: Callable[..., int], *args: object) -> bool:
    """Whether a system call exists: it is called with arguments that are always refused."""
    ctypes.set_errno(0)
    return call(*args) >= 0 or ctypes.get_errno() != errno.ENOSYS


def _clone3() -> bool:
    return _is_there(syscall("clone3", c_void_p, c_ulong), None, 0)


def _clone_into_cgroup() -> bool:
    """A pipe is no cgroup: EBADF where the flag is understood, EINVAL where not. Never makes a process."""
    if not detect().unified or not _clone3():
        return False
    read_fd, write_fd = os.pipe()
    try:
        args = CLONE_ARGS.pack(CLONE_INTO_CGROUP, 0, 0, 0, 0, 0, 0, 0, 0, 0, read_fd)
        ctypes.set_errno(0)
        syscall("clone3", c_char_p, c_ulong)(args, len(args))
        return ctypes.get_errno() == errno.EBADF
    finally:
        os.close(read_fd)
        os.close(write_fd)


def _openat2() -> bool:
    return _is_there(syscall("openat2", c_int, c_char_p, c_char_p, c_ulong), -1, b"", None, 0)


def _tmpfs(attributes: int = 0) -> int:
    return m.new_mount("tmpfs", {"size": "4k"}, attributes)


def _new_mount_api() -> bool:
    os.close(_tmpfs())
    return True


def _mount_setattr() -> bool:
    fd = _tmpfs()
    try:
        m.mount_setattr(fd, "", m.AT_EMPTY_PATH, attr_set=m.MOUNT_ATTR_RDONLY)
    finally:
        os.close(fd)
    return True


def _proc_subset_pid() -> bool:
    os.close(m.new_mount("proc", {"subset": "pid"}))
    return True


def _cgroup_kill() -> bool:
    """The file is in every directory but the root; one of the root's children always exists on a used machine."""
    unified = detect().unified
    if not unified:
        return False
    with os.scandir(unified) as entries:
        for entry in entries:
            if entry.is_dir():
                return os.path.exists(f"{entry.path}/cgroup.kill")
    return kernel_version(os.uname().release) >= (5, 14)


def _time_namespace() -> bool:
    return os.path.exists("/proc/self/ns/time_for_children")


def _overlay() -> bool:
    os.close(m.fsopen("overlay"))
    return True


def _overlay_lowerdir_append() -> bool:
    """Before Linux 6.5 overlayfs had no context of its own, and the general one takes any word until the end."""
    fs_fd = m.fsopen("overlay")
    try:
        try:
            m.fsconfig_set_string(fs_fd, "hakobu_no_such_word", "x")
        except OSError:
            m.fsconfig_set_string(fs_fd, "lowerdir+", "/proc/self")
            return True
        return False
    finally:
        os.close(fs_fd)


def _overlay_layer_fd() -> bool:
    layer_fd = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fs_fd = m.fsopen("overlay")
        try:
            m.fsconfig_set_fd(fs_fd, "lowerdir+", layer_fd)
        finally:
            os.close(fs_fd)
    finally:
        os.close(layer_fd)
    return True


def _statmount() -> bool:
    return bool(m.listmount()) and m.statmount_attributes(m.listmount()[0]) >= 0


def _move_mount_beneath() -> bool:
    fd = _tmpfs()
    try:
        m.move_mount(fd, "", fd, "", m.MOVE_MOUNT_F_EMPTY_PATH | m.MOVE_MOUNT_T_EMPTY_PATH | m.MOVE_MOUNT_BENEATH)
    except OSError:
        # EINVAL both ways here; what tells is the flag on a path that is not there: ENOENT once it is known.
        try:
            m.move_mount(fd, "", -1, "x", m.MOVE_MOUNT_F_EMPTY_PATH | m.MOVE_MOUNT_BENEATH)
        except OSError as error:
            return error.errno == errno.EBADF
    finally:
        os.close(fd)
    return True


def _xattrat() -> bool:
    return xattr.has_xattrat()


def _mount_on_detached() -> bool:
    """Linux 6.15 lets a mount be put into a tree that has no place yet."""
    outer = _tmpfs()
    try:
        inner = _tmpfs()
        try:
            m.attach(inner, outer)
        finally:
            os.close(inner)
    finally:
        os.close(outer)
    return True


def _device_nodes() -> bool:
    """Not in a user namespace: there only a whiteout (0, 0) can be made."""
    fd = _tmpfs()
    try:
        os.mknod("null", stat.S_IFCHR | 0o600, os.makedev(1, 3), dir_fd=fd)
    finally:
        os.close(fd)
    return True


def _trusted_xattrs() -> bool:
    """They are the host's root's alone; overlayfs has names of its own (`userxattr`, Linux 5.11) for the others."""
    fd = _tmpfs()
    try:
        os.setxattr(f"/proc/self/fd/{fd}", "trusted.hakobu", b"")
    finally:
        os.close(fd)
    return True


_QUESTIONS: Final[dict[Feature, tuple[tuple[int, int], Callable[[], bool]]]] = {
    Feature.CLONE3: ((5, 3), _clone3),
    Feature.CLONE_INTO_CGROUP: ((5, 7), _clone_into_cgroup),
    Feature.OPENAT2: ((5, 6), _openat2),
    Feature.NEW_MOUNT_API: ((5, 2), _new_mount_api),
    Feature.MOUNT_SETATTR: ((5, 12), _mount_setattr),
    Feature.PROC_SUBSET_PID: ((5, 8), _proc_subset_pid),
    Feature.CGROUP_KILL: ((5, 14), _cgroup_kill),
    Feature.TIME_NAMESPACE: ((5, 6), _time_namespace),
    Feature.OVERLAY: ((3, 18), _overlay),
    Feature.OVERLAY_LOWERDIR_APPEND: ((6, 5), _overlay_lowerdir_append),
    Feature.OVERLAY_LAYER_FD: ((6, 13), _overlay_layer_fd),
    Feature.STATMOUNT: ((6, 8), _statmount),
    Feature.MOVE_MOUNT_BENEATH: ((6, 5), _move_mount_beneath),
    Feature.XATTRAT: ((6, 13), _xattrat),
    Feature.MOUNT_ON_DETACHED: ((6, 15), _mount_on_detached),
    Feature.DEVICE_NODES: ((2, 6), _device_nodes),
    Feature.TRUSTED_XATTRS: ((2, 6), _trusted_xattrs),
}

if _from_environment := os.environ.get(ENVIRONMENT):
    pretend(kernel_version(_from_environment))
