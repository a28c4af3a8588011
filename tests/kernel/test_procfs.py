import os
from pathlib import Path

import pytest
from tests.child import in_child

from hakobu.kernel import mount as m
from hakobu.kernel import mountinfo, procfs
from hakobu.kernel.process import CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID


def test_a_private_procfs_shows_the_own_pid_namespace() -> None:
    def body() -> list[object]:
        proc = procfs.open_private()
        return [procfs.read(proc, "self/stat").split()[0].decode(), procfs.read(proc, "1/comm").decode() != ""]

    assert in_child(body, CLONE_NEWPID | CLONE_NEWNS) == ["1", True]


def test_the_processes_alone_can_be_shown() -> None:
    def body() -> bool:
        proc = procfs.open_private(subset_pid=True)
        try:
            procfs.read(proc, "sys/kernel/ostype")
        except FileNotFoundError:
            return True
        return False

    assert in_child(body, CLONE_NEWNS)


def test_a_sysctl_is_written_and_read_back() -> None:
    def body() -> list[str]:
        proc = procfs.open_procfs()
        for name, value in (
            ("net.ipv4.ping_group_range", "0 2147483647"),
            ("kernel.msgmax", "65536"),
            ("net/ipv4/conf/lo/forwarding", "1"),
        ):
            procfs.write_verified(proc, procfs.sysctl_path(name), value)
        return [procfs.read(proc, "sys/kernel/msgmax").decode().strip()]

    assert in_child(body, CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWNS) == ["65536"]


def test_a_bad_value_names_its_file() -> None:
    def body() -> str:
        proc = procfs.open_procfs()
        try:
            procfs.write_verified(proc, "self/oom_score_adj", "5000")
        except OSError as error:
            return str(error)
        return ""

    assert in_child(body) == "[Errno 22] write: Invalid argument: 'self/oom_score_adj'"


def test_a_mount_over_a_file_of_proc_is_not_crossed(tmp_path: Path) -> None:
    (tmp_path / "trap").write_text("0")

    def body() -> list[str]:
        m.mount(str(tmp_path / "trap"), "/proc/sys/kernel/hostname", None, m.MS_BIND)
        said: list[str] = []
        for proc in (procfs.open_existing(), procfs.open_private()):
            try:
                procfs.read(proc, "sys/kernel/hostname")
                said.append("read")
            except OSError as error:
                said.append(str(error.strerror))
        return said

    existing, private = in_child(body, CLONE_NEWNS)
    assert existing == "openat2: Invalid cross-device link"
    assert private == "read"


def test_another_file_system_is_not_taken_for_proc(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    fd = os.open(tmp_path, os.O_PATH)
    with pytest.raises(OSError, match="not on procfs"):
        procfs.open_file(fd, "file")
    os.close(fd)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("net.ipv4.ip_forward", "sys/net/ipv4/ip_forward"),
        ("net/ipv4/conf/eth0.1/forwarding", "sys/net/ipv4/conf/eth0.1/forwarding"),
        ("net.ipv4.conf.eth0/1.forwarding", "sys/net/ipv4/conf/eth0.1/forwarding"),
    ],
)
def test_a_sysctl_has_its_path(name: str, path: str) -> None:
    assert procfs.sysctl_path(name) == path


@pytest.mark.parametrize("name", ["", "../x", "a//b", "kernel/../x", "/etc/passwd"])
def test_what_is_no_sysctl_is_refused(name: str) -> None:
    with pytest.raises(OSError, match="not a name"):
        procfs.sysctl_path(name)


def test_the_mounts_of_a_process_are_parsed() -> None:
    def body() -> list[object]:
        m.mount(None, "/", None, m.MS_REC | m.MS_PRIVATE)
        m.mount("a source", "/mnt", "tmpfs", m.MS_NOEXEC, None)
        m.mount(None, "/mnt", None, m.MS_SHARED)
        os.mkdir("/mnt/with space")
        m.mount("/mnt/with space", "/mnt/with space", None, m.MS_BIND)
        m.mount(None, "/mnt/with space", None, m.MS_SLAVE)
        mounts = mountinfo.read()
        root, tmpfs = mountinfo.mount_of("/", mounts), mountinfo.mount_of("/mnt/x", mounts)
        bind = mountinfo.mount_of("/mnt/with space/deep", mounts)
        assert root and tmpfs and bind
        return [
            root.propagation, tmpfs.source, tmpfs.propagation, "noexec" in tmpfs.options, bind.mount_point, bind.root,
        ]  # fmt: skip

    assert in_child(body, CLONE_NEWNS) == ["private", "a source", "shared", True, "/mnt/with space", "/with space"]
