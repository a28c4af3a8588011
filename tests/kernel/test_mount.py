import os
from pathlib import Path

import pytest
from tests.child import in_child
from tests.leaks import need

from hakobu.kernel import mount as m
from hakobu.kernel import probe, procfs
from hakobu.kernel.openat2 import RESOLVE_BENEATH, RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS, openat2
from hakobu.kernel.process import CLONE_NEWNS, CLONE_NEWUSER


def _options(target: str) -> str:
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return next(line.split()[5] for line in reversed(lines) if line.split()[4] == target)


def test_a_detached_tmpfs_is_attached_to_a_descriptor(tmp_path: Path) -> None:
    def body() -> list[object]:
        target = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
        made = m.new_mount("tmpfs", {"size": "1m", "mode": "711"}, m.MOUNT_ATTR_NOSUID | m.MOUNT_ATTR_NODEV)
        before = _options("/")
        m.attach(made, target)
        os.close(made)
        return [before != "", _options(str(tmp_path)), oct(os.stat(tmp_path).st_mode & 0o777)]

    assert in_child(body, CLONE_NEWNS) == [True, "rw,nosuid,nodev,relatime", "0o711"]


def test_a_file_system_says_what_it_did_not_like() -> None:
    with pytest.raises(OSError, match=r"fsconfig: .*Unknown parameter 'colour'"):
        m.new_mount("tmpfs", {"colour": "red"})
    with pytest.raises(OSError, match="fsopen"):
        m.fsopen("no-such-fs")


def test_a_bind_is_made_read_only_with_everything_below_it(tmp_path: Path) -> None:
    def body() -> list[object]:
        source = tmp_path / "source"
        (source / "below").mkdir(parents=True)
        (tmp_path / "target").mkdir()
        m.mount("tmpfs", str(source / "below"), "tmpfs", 0, "size=4k")
        tree = m.open_tree(m.AT_FDCWD, str(source), m.OPEN_TREE_CLONE | m.AT_RECURSIVE | m.OPEN_TREE_CLOEXEC)
        m.mount_setattr(tree, "", m.AT_EMPTY_PATH | m.AT_RECURSIVE, attr_set=m.MOUNT_ATTR_RDONLY)
        m.move_mount(tree, "", m.AT_FDCWD, str(tmp_path / "target"), m.MOVE_MOUNT_F_EMPTY_PATH)
        os.close(tree)
        refused = 0
        for path in ("target/x", "target/below/x"):
            try:
                (tmp_path / path).write_text("x")
            except OSError as error:
                refused += error.errno == 30
        (source / "x").write_text("still writable")
        return [refused, _options(str(tmp_path / "target/below")).split(",")[0]]

    assert in_child(body, CLONE_NEWNS) == [2, "ro"]


def test_an_overlay_is_mounted_and_the_root_pivoted_into_it(tmp_path: Path) -> None:
    for name in ("lower", "upper", "work", "root"):
        (tmp_path / name).mkdir()
    (tmp_path / "lower/file").write_text("below")

    def body() -> list[object]:
        m.mount(None, "/", None, m.MS_REC | m.MS_PRIVATE)
        options = {"lowerdir": f"{tmp_path}/lower", "upperdir": f"{tmp_path}/upper", "workdir": f"{tmp_path}/work"}
        made = m.new_mount("overlay", dict(options))
        m.move_mount(made, "", m.AT_FDCWD, str(tmp_path / "root"), m.MOVE_MOUNT_F_EMPTY_PATH)
        os.chdir(tmp_path / "root")
        m.pivot_root(".", ".")
        m.umount2(".", m.MNT_DETACH)
        os.chdir("/")
        Path("/file").write_text("above")
        return [os.listdir("/"), os.getcwd()]

    assert in_child(body, CLONE_NEWNS) == [["file"], "/"]
    assert (tmp_path / "lower/file").read_text() == "below"
    assert (tmp_path / "upper/file").read_text() == "above"


def test_an_idmapped_mount_shifts_owners(tmp_path: Path) -> None:
    on_tmpfs = procfs.file_system_type(at := os.open(tmp_path, os.O_PATH)) == procfs.TMPFS_MAGIC
    os.close(at)
    need(not on_tmpfs or probe.kernel_version() >= (6, 3), "idmapped mounts of tmpfs")
    (tmp_path / "file").write_text("x")
    import signal

    from hakobu.kernel.process import clone3, pidfd_send_signal, wait_pidfd

    pid, pidfd = clone3(CLONE_NEWUSER)
    if pid == 0:
        signal.pause()
        os._exit(0)
    Path(f"/proc/{pid}/uid_map").write_text("0 100000 65536")
    Path(f"/proc/{pid}/gid_map").write_text("0 100000 65536")
    userns = os.open(f"/proc/{pid}/ns/user", os.O_RDONLY)

    def body() -> int:
        tree = m.open_tree(m.AT_FDCWD, str(tmp_path), m.OPEN_TREE_CLONE | m.OPEN_TREE_CLOEXEC)
        m.mount_setattr(tree, "", m.AT_EMPTY_PATH, attr_set=m.MOUNT_ATTR_IDMAP, userns_fd=userns)
        return os.stat("file", dir_fd=tree).st_uid

    try:
        assert in_child(body, CLONE_NEWNS) == 100000
    finally:
        os.close(userns)
        pidfd_send_signal(pidfd, signal.SIGKILL)
        wait_pidfd(pidfd)
        os.close(pidfd)


def test_listmount_sees_the_mounts_of_this_namespace() -> None:
    need(probe.has(probe.Feature.STATMOUNT), "listmount")

    def body() -> list[int]:
        before = len(m.listmount())
        m.mount(None, "/", None, m.MS_REC | m.MS_PRIVATE)
        m.mount("tmpfs", "/mnt", "tmpfs", m.MS_NOEXEC, None)
        ids = m.listmount()
        found = [m.statmount_attributes(item) for item in ids]
        return [len(ids) - before, max(attr & m.MOUNT_ATTR_NOEXEC for attr in found)]

    assert in_child(body, CLONE_NEWNS) == [1, m.MOUNT_ATTR_NOEXEC]


def test_errors_carry_errno_call_and_path() -> None:
    with pytest.raises(FileNotFoundError) as caught:
        m.mount("x", "/nowhere/at/all", "tmpfs", 0)
    assert (caught.value.errno, caught.value.strerror, caught.value.filename) == (
        2,
        "mount: No such file or directory",
        "/nowhere/at/all",
    )
    with pytest.raises(OSError, match="umount2"):
        m.umount2("/nowhere", 0)


def test_openat2_stays_in_the_root(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_text("of the image")
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "up").symlink_to("../../../../../../etc/passwd")
    root = os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)
    for name in ("link", "up", "/../../etc/passwd", b"etc/passwd"):
        fd = openat2(root, name, os.O_RDONLY, 0, RESOLVE_IN_ROOT)
        assert os.read(fd, 100) == b"of the image"
        assert not os.get_inheritable(fd)
        os.close(fd)
    with pytest.raises(OSError, match="openat2"):
        openat2(root, "up", os.O_RDONLY, 0, RESOLVE_BENEATH)
    with pytest.raises(OSError, match="openat2"):
        openat2(root, "link", os.O_RDONLY, 0, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS)
    fd = openat2(root, "new", os.O_CREAT | os.O_WRONLY, 0o640)
    assert os.fstat(fd).st_mode & 0o777 == 0o640
    os.close(fd)
    os.close(root)
