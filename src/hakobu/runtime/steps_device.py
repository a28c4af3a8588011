"""Executors of the steps that fill a container's /dev: nodes, links, and the console of its terminal.

They act below `child.root_fd` by descriptors, as those of `steps_mount` do.
"""

import errno
import os
import stat

from hakobu.kernel import mount as mnt
from hakobu.kernel import probe, pty
from hakobu.kernel.probe import Feature
from hakobu.kernel.saferoot import make_directories, make_mount_target, open_in, split
from hakobu.runtime.arguments import number, text
from hakobu.runtime.child import Args, Child
from hakobu.runtime.handshake import say


def device_node(child: Child, args: Args) -> None:
    kind = {"c": stat.S_IFCHR, "u": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}[text(args, "type")]
    parent_fd, name = _parent(child.root_fd, text(args, "path"))
    try:
        device = os.makedev(number(args, "major"), number(args, "minor"))
        if not child.userns and probe.has(Feature.DEVICE_NODES):
            _make_node(parent_fd, name, kind | number(args, "mode"), device)
            uid, gid = number(args, "uid"), number(args, "gid")
            if uid or gid:
                os.chown(name, uid, gid, dir_fd=parent_fd, follow_symlinks=False)
        else:
            _bind_device(parent_fd, name, _host_node(text(args, "path"), kind, device))
    finally:
        os.close(parent_fd)


def _parent(root_fd: int, path: str) -> tuple[int, str]:
    """The directory that is to hold `path`, made where it is missing, and the name in it."""
    parts = split(path)
    if not parts:
        raise OSError(errno.EINVAL, "not a path below the root", path)
    return make_directories(root_fd, b"/".join(parts[:-1])), os.fsdecode(parts[-1])


def _make_node(parent_fd: int, name: str, mode: int, device: int) -> None:
    """In the place of what the image may have there. The umask is nobody's but this process's."""
    before = os.umask(0)
    try:
        os.mknod(name, mode, device, dir_fd=parent_fd)
    except FileExistsError:
        os.unlink(name, dir_fd=parent_fd)
        os.mknod(name, mode, device, dir_fd=parent_fd)
    finally:
        os.umask(before)


def _bind_device(parent_fd: int, name: str, path: str) -> None:
    """In a user namespace nodes cannot be made: the host's own is bound."""
    try:
        os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o666, dir_fd=parent_fd))
    except FileExistsError:
        if stat.S_ISLNK(os.lstat(name, dir_fd=parent_fd).st_mode):
            raise
    tree_fd = mnt.open_tree(mnt.AT_FDCWD, path, mnt.OPEN_TREE_CLONE | mnt.OPEN_TREE_CLOEXEC)
    try:
        mnt.move_mount(tree_fd, b"", parent_fd, name, mnt.MOVE_MOUNT_F_EMPTY_PATH)
    finally:
        os.close(tree_fd)


def _host_node(path: str, kind: int, device: int) -> str:
    """The host's node of this device: mostly under the same name."""

    def is_it(candidate: str) -> bool:
        try:
            info = os.lstat(candidate)
        except OSError:
            return False
        return stat.S_IFMT(info.st_mode) == kind and info.st_rdev == device

    if is_it(path):
        return path
    for directory, _, names in os.walk("/dev"):
        for name in names:
            if is_it(f"{directory}/{name}"):
                return f"{directory}/{name}"
    numbers = f"{os.major(device)}:{os.minor(device)}"
    raise OSError(errno.ENODEV, f"the host's /dev has no node of the device {numbers}, and none can be made", path)


def device_host(child: Child, args: Args) -> None:
    """All device nodes of the host's /dev, for a privileged container."""
    for directory, below, names in os.walk("/dev"):
        below[:] = [
            b for b in below if f"{directory}/{b}" not in ("/dev/pts", "/dev/shm", "/dev/mqueue", "/dev/hugepages")
        ]
        for name in names:
            path = f"{directory}/{name}"
            info = os.lstat(path)
            if (stat.S_ISCHR(info.st_mode) or stat.S_ISBLK(info.st_mode)) and path != "/dev/console":
                _copy_node(child, path, info)


def _copy_node(child: Child, path: str, info: os.stat_result) -> None:
    parent_fd, name = _parent(child.root_fd, path)
    try:
        if not probe.has(Feature.DEVICE_NODES):
            if path != "/dev/ptmx":  # a link follows there, which nothing mounted may be in the way of
                _bind_device(parent_fd, name, path)
            return
        _make_node(parent_fd, name, info.st_mode, info.st_rdev)
        os.chown(name, info.st_uid, info.st_gid, dir_fd=parent_fd, follow_symlinks=False)
    finally:
        os.close(parent_fd)


def device_link(child: Child, args: Args) -> None:
    parent_fd, name = _parent(child.root_fd, text(args, "path"))
    try:
        try:
            os.symlink(text(args, "target"), name, dir_fd=parent_fd)
        except FileExistsError:
            os.unlink(name, dir_fd=parent_fd)
            os.symlink(text(args, "target"), name, dir_fd=parent_fd)
    finally:
        os.close(parent_fd)


def console_open(child: Child, args: Args) -> None:
    """A terminal of the container's own devpts; its slave becomes stdio and, for init, /dev/console.

    The slave comes from the master by TIOCGPTPEER, never by a path (CVE-2025-52565).
    """
    pts_fd = open_in(child.root_fd, "/dev/pts", os.O_PATH | os.O_DIRECTORY)
    try:
        master_fd, child.slave_fd = pty.open_pair(pts_fd)
    finally:
        os.close(pts_fd)
    if child.rows and child.columns:
        pty.set_window_size(child.slave_fd, child.rows, child.columns)
    say(child.sock, "console", (master_fd,))
    os.close(master_fd)
    if child.init_pidfd < 0:
        _bind_console(child)


def _bind_console(child: Child) -> None:
    tree_fd = mnt.open_tree(child.slave_fd, b"", mnt.OPEN_TREE_CLONE | mnt.OPEN_TREE_CLOEXEC | mnt.AT_EMPTY_PATH)
    try:
        target_fd = make_mount_target(child.root_fd, "/dev/console", False)
        try:
            mnt.attach(tree_fd, target_fd)
        finally:
            os.close(target_fd)
    finally:
        os.close(tree_fd)


EXECUTORS = {
    "device.node": device_node,
    "device.host": device_host,
    "device.link": device_link,
    "console.open": console_open,
}
