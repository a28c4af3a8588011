"""A worker that a stranger's bytes have taken over: what it tries then, and that none of it works."""

import ctypes
import errno
import os
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.child import in_child

from hakobu.kernel import mount, process, refusal, seccomp_filter
from hakobu.kernel.libc import MACHINE
from hakobu.store.pool import WorkerPool
from hakobu.store.worker import jobs  # the modules that a worker has loaded before
from hakobu.store.worker.confinement import confine

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a worker confines itself with root's capabilities")
assert jobs.JOBS


@pytest.fixture
def store(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    for name in ("oci", "snapshots", "volumes"):
        (tmp_path / "store" / name).mkdir(parents=True)
    (tmp_path / "store" / "state.db").write_text("secret")
    (tmp_path / "victim").write_text("host")
    return tmp_path / "store"


def confined(store: Path, attack: Callable[[], Any], *, mounts: bool = False) -> Any:
    def body() -> Any:
        confine([str(store / name) for name in ("oci", "snapshots", "volumes")], mounts=mounts)
        return attack()

    return in_child(body)


def failure(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "?")
    return "done"


def test_it_sees_the_store_and_nothing_of_the_host(store: Path) -> None:
    def attack() -> Any:
        return {
            "root": sorted(os.listdir("/")),
            "store": sorted(os.listdir(store)),
            "state": failure(lambda: os.stat(store / "state.db")),
            "victim": failure(lambda: os.stat(store.parent / "victim")),
            "up": sorted(os.listdir("/../../..")),
            "etc": failure(lambda: os.listdir("/etc")),
            "dev": failure(lambda: os.listdir("/dev")),
            "root of init": failure(lambda: os.listdir("/proc/1/root/")),
            "its parent": failure(lambda: os.listdir(f"/proc/{os.getppid()}/root/")),
            "kernel": failure(lambda: os.stat("/proc/sys")),
            "write below the root": failure(lambda: os.mkdir("/new")),
        }

    found = confined(store, attack)
    assert found["root"] == sorted({"proc", store.parts[1]}) == found["up"]
    assert found["store"] == ["oci", "snapshots", "volumes"]
    missing = ("state", "victim", "etc", "dev", "root of init", "its parent", "kernel")
    assert {name: found[name] for name in missing} == dict.fromkeys(missing, "ENOENT")
    assert found["write below the root"] == "EROFS"


def test_what_it_makes_in_the_store_is_inert(store: Path) -> None:
    """It may make devices and setuid files, as layers have them; to itself they are nothing."""
    program = store / "snapshots" / "program"

    def attack() -> Any:
        os.mknod(store / "snapshots" / "kmsg", stat.S_IFCHR | 0o600, os.makedev(1, 11))
        program.write_text("#!/bin/sh\n")
        program.chmod(0o4755)
        return {
            "device": failure(lambda: os.open(store / "snapshots" / "kmsg", os.O_RDONLY)),
            "execute": failure(lambda: os.execv(program, ["x"])),
            "huge": failure(lambda: os.truncate(program, 1 << 41)),
            "large": failure(lambda: os.truncate(program, 1 << 35)),
        }

    assert confined(store, attack) == {"device": "EACCES", "execute": "EPERM", "huge": "EFBIG", "large": "done"}


def test_it_has_no_network_no_program_and_no_word_to_another_process(store: Path) -> None:
    victim = os.getpid()
    pidfd = process.pidfd_open(victim)

    def attack() -> Any:
        return {
            "inet": failure(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)),
            "unix": failure(lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)),
            "netlink": failure(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)),
            "exec": failure(lambda: os.execv(sys.executable, [sys.executable])),
            "spawn": failure(lambda: os.posix_spawn("/bin/true", ["true"], {})),
            "kill": failure(lambda: os.kill(victim, 0)),
            "pidfd": failure(lambda: process.pidfd_send_signal(pidfd, 0)),
            "steal": failure(lambda: process.pidfd_getfd(pidfd, 0)),
            "clone3": failure(lambda: process.clone3(process.CLONE_NEWUSER)),
            "chroot": failure(lambda: os.chroot("/")),
            "unshare": failure(lambda: process.unshare(process.CLONE_NEWUSER)),
            "setns": failure(lambda: process.setns(pidfd, process.CLONE_NEWNET)),
        }

    found = confined(store, attack)
    os.close(pidfd)
    assert found.pop("spawn") in ("EPERM", "ENOSYS")
    assert found.pop("clone3") in ("EPERM", "ENOSYS")
    assert found == dict.fromkeys(found, "EPERM")


@pytest.mark.parametrize("mounts", [False, True])
def test_every_refused_call_is_refused(store: Path, mounts: bool) -> None:
    """By its number, with arguments that would fail otherwise: EPERM comes from the filter, before anything else."""
    libc = ctypes.CDLL(None, use_errno=True)
    column = 0 if MACHINE == "x86_64" else 1
    table = {**refusal._OTHERS, **refusal._MOUNTS}  # pyright: ignore[reportPrivateUsage]

    def attack() -> Any:
        found: dict[str, str] = {}
        for name in refusal.names(mounts=mounts):
            if (number := table[name][column]) >= 0:
                result = libc.syscall(number, -1, -1, -1, -1, -1, -1)
                found[name] = errno.errorcode.get(ctypes.get_errno(), "?") if result < 0 else "done"
        return found

    found = confined(store, attack, mounts=mounts)
    assert found == dict.fromkeys(found, "EPERM") and ("mount" in found) is not mounts


def test_without_mounts_it_mounts_nothing(store: Path) -> None:
    def attack() -> Any:
        return [
            failure(lambda: mount.mount("tmpfs", str(store / "oci"), "tmpfs", 0)),
            failure(lambda: mount.new_mount("tmpfs", {})),
            failure(lambda: mount.umount2(str(store / "oci"), mount.MNT_DETACH)),
            failure(lambda: mount.open_tree(mount.AT_FDCWD, "/", mount.OPEN_TREE_CLONE)),
        ]

    assert confined(store, attack) == ["EPERM"] * 4


def test_threads_are_still_made_and_children_are_confined_alike(store: Path) -> None:
    def attack() -> Any:
        import threading

        pid = os.fork()
        if pid == 0:
            os._exit(3 if failure(lambda: os.kill(os.getppid(), 0)) == "EPERM" else 4)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 3
        done: list[int] = []
        thread = threading.Thread(target=lambda: done.append(1))
        thread.start()
        thread.join()
        return done

    assert confined(store, attack) == [1]


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_is_short_on_both_architectures(machine: str) -> None:
    assert len(refusal.program(mounts=False, machine=machine)) // 8 < 200


def test_a_worker_of_a_pool_is_confined(store: Path) -> None:
    pool = WorkerPool(roots=[str(store / name) for name in ("oci", "snapshots", "volumes")])
    try:
        pool.run("usage", {"directories": [str(store / "volumes")]})
        children = {pid for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()}
        (worker,) = [pid for pid in children if Path(f"/proc/{pid}/comm").read_text() == "hakobu-worker\n"]
        told = seccomp_filter.read_status(worker)
        assert (told.no_new_privs, told.mode) == (True, seccomp_filter.SECCOMP_MODE_FILTER)
        mounts = Path(f"/proc/{worker}/mountinfo").read_text().splitlines()
        points = {line.split()[4] for line in mounts}
        assert points == {"/", "/proc", *(str(store / name) for name in ("oci", "snapshots", "volumes"))}
        assert all({"nosuid", "nodev", "noexec"} <= set(line.split()[5].split(",")) for line in mounts)
        assert os.readlink(f"/proc/{worker}/cwd") == "/"
    finally:
        pool.close()
