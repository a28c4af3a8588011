"""Processes: clone3 that behaves like os.fork, namespaces, pidfds, prctl, execveat, scheduling.

Invariant: whoever comes back from `clone3` is a sound Python process. The interpreter's before- and after-fork
work is done around the raw call with the GIL held throughout, and glibc's cached thread id is set by the kernel.
Must not: be called from a process with more than one thread (the others are gone in the child, their locks are
not), nor, but for `clone3_sibling`, with CLONE_VM or CLONE_THREAD.
Constants: linux/sched.h, linux/prctl.h, linux/close_range.h, linux/fcntl.h, linux/personality.h.
"""

import ctypes
import errno
import os
import signal
import struct
from ctypes import POINTER, c_char_p, c_int, c_uint, c_ulong, c_void_p
from typing import Final

from hakobu.kernel.libc import MACHINE, Path, check, function, oserror, syscall

CLONE_NEWTIME: Final = 0x00000080
CLONE_VM: Final = 0x00000100
CLONE_VFORK: Final = 0x00004000
CLONE_PIDFD: Final = 0x00001000
CLONE_PARENT: Final = 0x00008000
CLONE_NEWNS: Final = 0x00020000
CLONE_CHILD_CLEARTID: Final = 0x00200000
CLONE_CHILD_SETTID: Final = 0x01000000
CLONE_NEWCGROUP: Final = 0x02000000
CLONE_NEWUTS: Final = 0x04000000
CLONE_NEWIPC: Final = 0x08000000
CLONE_NEWUSER: Final = 0x10000000
CLONE_NEWPID: Final = 0x20000000
CLONE_NEWNET: Final = 0x40000000
CLONE_CLEAR_SIGHAND: Final = 0x100000000
CLONE_INTO_CGROUP: Final = 0x200000000

CLOSE_RANGE_UNSHARE: Final = 1 << 1
CLOSE_RANGE_CLOEXEC: Final = 1 << 2

AT_FDCWD: Final = -100
AT_SYMLINK_NOFOLLOW: Final = 0x100
AT_EMPTY_PATH: Final = 0x1000

PR_SET_PDEATHSIG: Final = 1
PR_GET_DUMPABLE: Final = 3
PR_SET_DUMPABLE: Final = 4
PR_GET_KEEPCAPS: Final = 7
PR_SET_KEEPCAPS: Final = 8
PR_SET_NAME: Final = 15
PR_GET_SECCOMP: Final = 21
PR_CAPBSET_READ: Final = 23
PR_CAPBSET_DROP: Final = 24
PR_GET_SECUREBITS: Final = 27
PR_SET_SECUREBITS: Final = 28
PR_SET_MM: Final = 35
PR_SET_CHILD_SUBREAPER: Final = 36
PR_GET_CHILD_SUBREAPER: Final = 37
PR_SET_NO_NEW_PRIVS: Final = 38
PR_GET_NO_NEW_PRIVS: Final = 39
PR_GET_TID_ADDRESS: Final = 40
PR_CAP_AMBIENT: Final = 47
PR_CAP_AMBIENT_IS_SET: Final = 1
PR_CAP_AMBIENT_RAISE: Final = 2
PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
PR_SET_IO_FLUSHER: Final = 57

PER_LINUX: Final = 0x0000
PER_LINUX32: Final = 0x0008

IOPRIO_WHO_PROCESS: Final = 1
IOPRIO_CLASS_RT: Final = 1
IOPRIO_CLASS_BE: Final = 2
IOPRIO_CLASS_IDLE: Final = 3
IOPRIO_CLASS_SHIFT: Final = 13

_clone3 = syscall("clone3", c_char_p, c_ulong, hold_gil=True)
_clone = syscall("clone", c_ulong, c_void_p, c_void_p, c_void_p, c_void_p, hold_gil=True)
_unshare = function("unshare", c_int)
_setns = function("setns", c_int, c_int)
_prctl = function("prctl", c_int, c_ulong, c_ulong, c_ulong, c_ulong)
_pidfd_open = syscall("pidfd_open", c_int, c_uint)
_pidfd_send_signal = syscall("pidfd_send_signal", c_int, c_int, c_void_p, c_uint)
_pidfd_getfd = syscall("pidfd_getfd", c_int, c_int, c_uint)
_close_range = syscall("close_range", c_uint, c_uint, c_uint)
_execveat = syscall("execveat", c_int, c_char_p, POINTER(c_char_p), POINTER(c_char_p), c_int)
_personality = syscall("personality", c_ulong)
_ioprio_set = syscall("ioprio_set", c_int, c_int, c_int)
_sched_setattr = syscall("sched_setattr", c_int, c_char_p, c_uint)
_set_mempolicy = syscall("set_mempolicy", c_int, c_char_p, c_ulong)

_before_fork = ctypes.pythonapi.PyOS_BeforeFork
_after_fork_child = ctypes.pythonapi.PyOS_AfterFork_Child
_after_fork_parent = ctypes.pythonapi.PyOS_AfterFork_Parent
for _hook in (_before_fork, _after_fork_child, _after_fork_parent):
    _hook.argtypes = ()
    _hook.restype = None

# struct clone_args: flags pidfd child_tid parent_tid exit_signal stack stack_size tls set_tid set_tid_size cgroup
CLONE_ARGS: Final = struct.Struct("11Q")
_SCHED_ATTR: Final = struct.Struct("IIQiIQQQ")  # struct sched_attr, version 0
_pidfd_cell = c_int(-1)


def _tid_address() -> int:
    """Where glibc keeps this thread's id (the kernel knows it from set_tid_address), 0 where it does not tell."""
    address = c_ulong(0)
    if _prctl(PR_GET_TID_ADDRESS, ctypes.addressof(address), 0, 0, 0) < 0:
        return 0
    return address.value


def clone3(flags: int, *, cgroup_fd: int = -1, exit_signal: int = signal.SIGCHLD) -> tuple[int, int]:
    """Like os.fork, into new namespaces and a cgroup: (0, -1) in the child, (pid, pidfd) in the parent.

    `cgroup_fd` adds CLONE_INTO_CGROUP (v2 only, Linux 5.7). CLONE_PIDFD is always added. Where a filter answers
    ENOSYS to clone3 the old clone is called, which has no word for CLONE_NEWTIME and CLONE_INTO_CGROUP.
    """
    tid = _tid_address()
    flags |= CLONE_PIDFD | (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID if tid else 0)
    if cgroup_fd >= 0:
        flags |= CLONE_INTO_CGROUP
    cell = ctypes.addressof(_pidfd_cell)
    args = CLONE_ARGS.pack(flags, cell, tid, 0, exit_signal, 0, 0, 0, 0, 0, max(cgroup_fd, 0))
    _before_fork()
    pid = _clone3(args, len(args))
    if pid < 0 and ctypes.get_errno() == errno.ENOSYS and not flags & (CLONE_NEWTIME | CLONE_INTO_CGROUP):
        pid = _old_clone(flags | exit_signal, cell, tid)
    if pid == 0:
        _after_fork_child()
        return 0, -1
    _after_fork_parent()
    if pid < 0:
        raise oserror("clone3")
    return pid, _pidfd_cell.value


def clone3_sibling(flags: int, *, cgroup_fd: int = -1, borrow: bool) -> int:
    """A child of our parent (CLONE_PARENT): 0 in it; its pid in the caller.

    With `borrow` it runs in the caller's very memory (CLONE_VM and CLONE_VFORK), stack and interpreter included,
    so nothing is copied. The caller sleeps in the kernel until the other executes a program or ends, and must be
    killed before that: its stack is gone. OSError where nobody was made.
    """
    tid = _tid_address()
    flags |= CLONE_PARENT | (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID if tid else 0)
    flags |= (CLONE_VM | CLONE_VFORK if borrow else 0) | (CLONE_INTO_CGROUP if cgroup_fd >= 0 else 0)
    args = CLONE_ARGS.pack(flags, 0, tid, 0, 0, 0, 0, 0, 0, 0, max(cgroup_fd, 0))
    _before_fork()
    pid = _clone3(args, len(args))
    if pid == 0:
        _after_fork_child()
        return 0
    _after_fork_parent()
    return check(pid, "clone3")


def _old_clone(flags: int, pidfd_cell: int, tid: int) -> int:
    if MACHINE == "x86_64":
        return _clone(flags, None, pidfd_cell, tid, None)
    return _clone(flags, None, pidfd_cell, None, tid)


def unshare(flags: int) -> None:
    if _unshare(flags) < 0:
        raise oserror("unshare")


def setns(fd: int, nstype: int) -> None:
    """Joins a namespace, or with a pidfd several at once (`nstype` is then a mask of CLONE_NEW*, Linux 5.8)."""
    if _setns(fd, nstype) < 0:
        raise oserror("setns")


def pidfd_open(pid: int) -> int:
    return check(_pidfd_open(pid, 0), "pidfd_open")


def pidfd_send_signal(pidfd: int, signum: int) -> None:
    if _pidfd_send_signal(pidfd, signum, None, 0) < 0:
        raise oserror("pidfd_send_signal")


def pidfd_getfd(pidfd: int, target_fd: int) -> int:
    """A duplicate of another process's descriptor; needs the right to ptrace it."""
    return check(_pidfd_getfd(pidfd, target_fd, 0), "pidfd_getfd")


def wait_pidfd(pidfd: int, options: int = os.WEXITED) -> tuple[int, int] | None:
    """(code, signal) of an ended child, one of them 0; None where WNOHANG found it running."""
    result = os.waitid(os.P_PIDFD, pidfd, options)
    if result is None:
        return None
    if result.si_code == os.CLD_EXITED:
        return result.si_status, 0
    return 0, result.si_status


def close_range(first: int, last: int = 0xFFFFFFFF, flags: int = 0) -> None:
    """Closes all descriptors of a range, or with CLOSE_RANGE_CLOEXEC marks them; Linux 5.9 (the flag 5.11)."""
    if first <= last and _close_range(first, last, flags) < 0:
        raise oserror("close_range")


def close_all_except(keep: frozenset[int] | set[int], first: int = 3) -> None:
    """Closes every descriptor from `first` on that is not in the keep-list."""
    for fd in sorted(k for k in keep if k >= first):
        close_range(first, fd - 1)
        first = fd + 1
    close_range(first)


def prctl(option: int, arg2: int = 0, arg3: int = 0, arg4: int = 0, arg5: int = 0) -> int:
    return check(_prctl(option, arg2, arg3, arg4, arg5), "prctl")


def set_dumpable(dumpable: bool) -> None:
    """False: no one lacking CAP_SYS_PTRACE over us opens our /proc/<pid>/{exe,fd,mem}. An execve resets it."""
    prctl(PR_SET_DUMPABLE, int(dumpable))


def set_parent_death_signal(signum: int) -> None:
    """The signal at the end of the parent's thread; the kernel clears it when credentials change."""
    prctl(PR_SET_PDEATHSIG, signum)


def set_no_new_privs() -> None:
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def set_child_subreaper(on: bool = True) -> None:
    prctl(PR_SET_CHILD_SUBREAPER, int(on))


def set_name(name: str) -> None:
    """What ps shows as the command; the kernel cuts it at 15 bytes."""
    encoded = ctypes.create_string_buffer(name.encode()[:15], 16)
    prctl(PR_SET_NAME, ctypes.addressof(encoded))


def set_keepcaps(on: bool) -> None:
    prctl(PR_SET_KEEPCAPS, int(on))


def set_securebits(bits: int) -> None:
    prctl(PR_SET_SECUREBITS, bits)


def get_securebits() -> int:
    return prctl(PR_GET_SECUREBITS)


def _vector(items: list[bytes]) -> "ctypes.Array[c_char_p]":
    return (c_char_p * (len(items) + 1))(*items, None)


def execveat(dirfd: int, path: Path, argv: list[bytes], envp: list[bytes], flags: int = 0) -> None:
    """Replaces the program; returns only by raising. An empty path with AT_EMPTY_PATH runs the descriptor itself.

    A script run through a close-on-exec descriptor fails with ENOENT: its interpreter is given /dev/fd/N.
    """
    _execveat(dirfd, os.fsencode(path), _vector(argv), _vector(envp), flags)
    raise oserror("execveat", path)


def personality(persona: int) -> int:
    """Sets the execution domain and gives the previous one back; 0xffffffff only reads it."""
    return check(_personality(persona), "personality")


def ioprio_set(ioprio_class: int, priority: int, pid: int = 0) -> None:
    if _ioprio_set(IOPRIO_WHO_PROCESS, pid, ioprio_class << IOPRIO_CLASS_SHIFT | priority) < 0:
        raise oserror("ioprio_set")


def sched_setattr(
    policy: int,
    *,
    pid: int = 0,
    flags: int = 0,
    nice: int = 0,
    priority: int = 0,
    runtime_ns: int = 0,
    deadline_ns: int = 0,
    period_ns: int = 0,
) -> None:
    attr = _SCHED_ATTR.pack(_SCHED_ATTR.size, policy, flags, nice, priority, runtime_ns, deadline_ns, period_ns)
    if _sched_setattr(pid, attr, 0) < 0:
        raise oserror("sched_setattr")


def set_mempolicy(mode: int, nodes: frozenset[int] = frozenset()) -> None:
    """The NUMA policy of this thread and what it runs; `mode` is MPOL_* with its flags."""
    words = max(nodes, default=0) // 64 + 1
    mask = sum(1 << node for node in nodes).to_bytes(words * 8, "little") if nodes else None
    # The kernel reads maxnode - 1 bits.
    if _set_mempolicy(mode, mask, words * 64 + 1 if nodes else 0) < 0:
        raise oserror("set_mempolicy")


def start_time_ticks(pid: int) -> int:
    """Field 22 of /proc/<pid>/stat: with the pid and the boot id it names a process for ever."""
    return int(read_proc(f"/proc/{pid}/stat").rpartition(b")")[2].split()[19])


def children() -> frozenset[int]:
    """Of this thread, those that have ended and were not reaped among them; none on a kernel without the file.

    proc(5), CONFIG_PROC_CHILDREN.
    """
    try:
        return frozenset(map(int, read_proc("/proc/thread-self/children").split()))
    except FileNotFoundError:
        return frozenset()


def read_proc(path: str) -> bytes:
    """A small file of /proc by one read; a file object of Python would take six system calls and a hundred objects."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 1 << 14)
    finally:
        os.close(fd)
