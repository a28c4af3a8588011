import os
import signal
import threading

import pytest
from tests.child import in_child

from hakobu.kernel import process
from hakobu.kernel.mount import MS_PRIVATE, MS_REC, mount
from hakobu.kernel.process import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    CLOSE_RANGE_CLOEXEC,
    clone3,
    close_all_except,
    close_range,
    execveat,
    pidfd_getfd,
    pidfd_open,
    pidfd_send_signal,
    wait_pidfd,
)


def _status(field: str) -> str:
    with open("/proc/self/status") as file:
        return next(line.split(None, 1)[1].strip() for line in file if line.startswith(field + ":"))


def test_the_child_of_clone3_is_pid_one_of_its_namespaces_and_a_whole_python() -> None:
    def body() -> list[object]:
        seen: list[int] = []
        thread = threading.Thread(target=lambda: seen.append(os.getpid()))
        thread.start()
        thread.join()
        pid = os.fork()
        if pid == 0:
            os._exit(7)
        return [os.getpid(), seen, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), threading.get_native_id()]

    flags = process.CLONE_NEWPID | process.CLONE_NEWNS | process.CLONE_NEWUTS | process.CLONE_NEWIPC
    assert in_child(body, flags | process.CLONE_NEWTIME | process.CLONE_NEWCGROUP) == [1, [1], 7, 1]


def test_the_pidfd_of_clone3_is_the_childs() -> None:
    pid, pidfd = clone3(0)
    if pid == 0:
        signal.pause()
        os._exit(0)
    assert wait_pidfd(pidfd, os.WEXITED | os.WNOHANG) is None
    pidfd_send_signal(pidfd, signal.SIGKILL)
    assert wait_pidfd(pidfd) == (0, signal.SIGKILL)
    os.close(pidfd)
    with pytest.raises(ProcessLookupError, match="pidfd_open"):
        pidfd_open(pid)


def test_a_refused_clone3_leaves_a_sound_parent() -> None:
    with pytest.raises(OSError, match="clone3"):
        clone3(process.CLONE_NEWNS | 0x200)  # CLONE_FS beside CLONE_NEWNS is EINVAL
    assert in_child(lambda: "fine") == "fine"


def test_the_old_clone_takes_over_where_clone3_is_filtered(monkeypatch: pytest.MonkeyPatch) -> None:
    from hakobu.kernel.libc import syscall

    # A number no kernel has answers ENOSYS, as a filter does that is meant to make libraries fall back.
    monkeypatch.setitem(__import__("hakobu.kernel.libc", fromlist=["_NUMBERS"])._NUMBERS, "clone3", (4000, 4000))
    nosys = syscall("clone3", process.c_char_p, process.c_ulong, hold_gil=True)
    monkeypatch.setattr(process, "_clone3", nosys)
    assert in_child(os.getpid, process.CLONE_NEWPID) == 1
    with pytest.raises(OSError, match="clone3"):
        clone3(process.CLONE_NEWTIME)


def test_a_descriptor_is_taken_from_another_process() -> None:
    read_fd, write_fd = os.pipe()
    pid, pidfd = clone3(0)
    if pid == 0:
        signal.pause()
        os._exit(0)
    taken = pidfd_getfd(pidfd, read_fd)
    os.write(write_fd, b"x")
    assert os.read(taken, 1) == b"x"
    pidfd_send_signal(pidfd, signal.SIGKILL)
    wait_pidfd(pidfd)
    for fd in (read_fd, write_fd, taken, pidfd):
        os.close(fd)


def test_only_the_keep_list_survives() -> None:
    def body() -> list[int]:
        kept = os.open("/", os.O_PATH)
        for _ in range(20):
            os.dup(kept)
        close_all_except({0, 1, 2, kept, kept + 7})
        return [fd - kept for fd in range(kept, kept + 25) if os.path.exists(f"/proc/self/fd/{fd}")]

    read, write = os.pipe()  # keeps the answer's pipe apart from what the child closes
    os.close(read)
    os.close(write)
    pid = os.fork()
    if pid == 0:
        os._exit(0 if body() == [0, 7] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_close_range_marks_instead_of_closing() -> None:
    fd = os.open("/", os.O_PATH)
    os.set_inheritable(fd, True)
    close_range(fd, fd, CLOSE_RANGE_CLOEXEC)
    assert not os.get_inheritable(fd)
    os.close(fd)


def test_execveat_runs_a_descriptor_with_the_given_vectors() -> None:
    read_fd, write_fd = os.pipe()
    pid, pidfd = clone3(0)
    if pid == 0:
        os.dup2(write_fd, 1)
        shell = os.open("/bin/sh", os.O_PATH | os.O_CLOEXEC)
        execveat(shell, b"", [b"sh", b"-c", b'echo "$0 $A $1"; env', b"one", b"two"], [b"A=\xff"], AT_EMPTY_PATH)
    os.close(write_fd)
    with os.fdopen(read_fd, "rb") as file:
        assert file.read().splitlines()[0] == b"one \xff two"
    assert wait_pidfd(pidfd) == (0, 0)
    os.close(pidfd)


def test_execveat_names_what_it_could_not_run() -> None:
    with pytest.raises(FileNotFoundError, match=r"execveat.*/nowhere"):
        execveat(AT_FDCWD, "/nowhere", [b"x"], [])
    with pytest.raises(PermissionError):
        execveat(AT_FDCWD, "/etc/passwd", [b"x"], [])


def test_the_prctl_family_is_seen_in_proc() -> None:
    def body() -> list[object]:
        process.set_no_new_privs()
        process.set_name("a-name-that-is-too-long")
        process.set_parent_death_signal(signal.SIGKILL)
        process.set_dumpable(False)
        dumpable = process.prctl(process.PR_GET_DUMPABLE)
        process.set_dumpable(True)
        return [_status("NoNewPrivs"), _status("Name"), dumpable]

    assert in_child(body) == ["1", "a-name-that-is-", 0]


def test_namespaces_are_joined_by_pidfd() -> None:
    pid, pidfd = clone3(process.CLONE_NEWUTS | process.CLONE_NEWNET)
    if pid == 0:
        signal.pause()
        os._exit(0)

    def body() -> list[str]:
        process.setns(pidfd, process.CLONE_NEWUTS | process.CLONE_NEWNET)
        return [os.readlink(f"/proc/self/ns/{kind}") for kind in ("uts", "net", "ipc")]

    joined = in_child(body)
    assert joined[:2] == [os.readlink(f"/proc/{pid}/ns/{kind}") for kind in ("uts", "net")]
    assert joined[2] == os.readlink("/proc/self/ns/ipc")
    pidfd_send_signal(pidfd, signal.SIGKILL)
    wait_pidfd(pidfd)
    os.close(pidfd)


def test_unshare_gives_a_mount_namespace_of_its_own() -> None:
    def body() -> bool:
        before = os.readlink("/proc/self/ns/mnt")
        process.unshare(process.CLONE_NEWNS)
        mount(None, "/", None, MS_REC | MS_PRIVATE)
        return before != os.readlink("/proc/self/ns/mnt")

    assert in_child(body)


def test_scheduling_and_priorities_are_set() -> None:
    def body() -> list[int]:
        process.sched_setattr(os.SCHED_BATCH, nice=5)
        process.ioprio_set(process.IOPRIO_CLASS_IDLE, 7)
        process.set_mempolicy(0)
        before = process.personality(0xFFFFFFFF)
        return [os.sched_getscheduler(0), os.getpriority(os.PRIO_PROCESS, 0), before]

    assert in_child(body) == [os.SCHED_BATCH, 5, 0]


def test_a_start_time_names_a_process() -> None:
    assert process.start_time_ticks(os.getpid()) == process.start_time_ticks(os.getpid()) > 0


def test_signals_are_as_a_program_expects_them() -> None:
    from hakobu.kernel.signal import default_all

    def body() -> list[str]:
        for number in (signal.SIGTERM, signal.SIGPIPE, 40, 64):
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGUSR1, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        default_all()
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        return [_status(field) for field in ("SigBlk", "SigIgn", "SigCgt")]

    assert in_child(body) == ["0" * 16] * 3
