"""A short seccomp filter that refuses: what a process of ours has no business doing answers EPERM, all else goes on.

For processes that read strangers' bytes and are to stay what they are: no program, no word to another process, no
network, no namespace, no module. Written by hand (a table of numbers, no library), so that it costs a process's
start nothing. Another architecture's calls (i386, x32) end the process: nothing of ours makes any. `clone` makes
threads and children that are confined alike, and no namespace; `clone3`, whose flags a filter cannot see, answers
ENOSYS, at which the C library takes `clone`.
Numbers: asm/unistd_64.h and asm-generic/unistd.h; from 424 on they are the same.
"""

import struct
from typing import Final

from hakobu.kernel.libc import MACHINE

_LD_W_ABS: Final = 0x20
_JMP_JEQ_K: Final = 0x15
_JMP_JGE_K: Final = 0x35
_JMP_JSET_K: Final = 0x45
_RET_K: Final = 0x06
_NR, _ARCH, _ARGUMENT_0 = 0, 4, 16  # struct seccomp_data; of an argument the low half comes first
_KILL_PROCESS: Final = 0x80000000
_ERRNO: Final = 0x00050000
_ALLOW: Final = 0x7FFF0000
_EPERM, _ENOSYS = 1, 38
_CLONE_NEW: Final = 0x7E020000  # CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET
_CLONE3: Final = 435
_AUDIT_ARCH: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CLONE: Final = {"x86_64": 56, "aarch64": 220}
_X32_BIT: Final = 0x40000000
_INSTRUCTION: Final = struct.Struct("HBBI")  # struct sock_filter

_ABSENT: Final = -1
_OTHERS: Final = {  # name: (x86_64, aarch64)
    "execve": (59, 221),
    "execveat": (322, 281),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "kill": (62, 129),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "move_pages": (279, 239),
    "migrate_pages": (256, 238),
    "socket": (41, 198),
    "socketpair": (53, 199),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "connect": (42, 203),
    "accept4": (288, 242),
    "unshare": (272, 97),
    "setns": (308, 268),
    "chroot": (161, 51),
    "pivot_root": (155, 41),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "syslog": (103, 116),
    "iopl": (172, _ABSENT),
    "ioperm": (173, _ABSENT),
    "modify_ldt": (154, _ABSENT),
    "personality": (135, 92),
    "vhangup": (153, 58),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "fanotify_init": (300, 262),
}
_MOUNTS: Final = {
    "mount": (165, 40),
    "umount2": (166, 39),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
}


def names(*, mounts: bool) -> frozenset[str]:
    """What is refused; `mounts` leaves the calls that mount."""
    return frozenset((*_OTHERS, *(() if mounts else _MOUNTS)))


def program(*, mounts: bool, machine: str = MACHINE) -> bytes:
    """The filter for `seccomp_filter.install`."""
    refused = {**_OTHERS, **({} if mounts else _MOUNTS)}
    column = 0 if machine == "x86_64" else 1
    numbers = sorted(pair[column] for pair in refused.values() if pair[column] != _ABSENT)
    lines: list[tuple[int, int, int, int]] = [
        (_LD_W_ABS, 0, 0, _ARCH),
        (_JMP_JEQ_K, 1, 0, _AUDIT_ARCH[machine]),
        (_RET_K, 0, 0, _KILL_PROCESS),
        (_LD_W_ABS, 0, 0, _NR),
        (_JMP_JGE_K, 0, 1, _X32_BIT),
        (_RET_K, 0, 0, _KILL_PROCESS),
        (_JMP_JEQ_K, 0, 1, _CLONE3),
        (_RET_K, 0, 0, _ERRNO | _ENOSYS),
        (_JMP_JEQ_K, 0, 4, _CLONE[machine]),
        (_LD_W_ABS, 0, 0, _ARGUMENT_0),
        (_JMP_JSET_K, 1, 0, _CLONE_NEW),
        (_RET_K, 0, 0, _ALLOW),
        (_RET_K, 0, 0, _ERRNO | _EPERM),
    ]
    for number in numbers:
        lines += [(_JMP_JEQ_K, 0, 1, number), (_RET_K, 0, 0, _ERRNO | _EPERM)]
    lines.append((_RET_K, 0, 0, _ALLOW))
    return b"".join(_INSTRUCTION.pack(*line) for line in lines)
