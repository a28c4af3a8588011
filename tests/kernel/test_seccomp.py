import ctypes
import errno
import os
import platform
import signal
import struct
from pathlib import Path
from typing import Any

import pytest
from tests.child import in_child

from hakobu.kernel import seccomp
from hakobu.kernel.process import set_no_new_privs
from hakobu.spec.seccomp import default_profile, parse_profile, resolve

MACHINE, RELEASE = platform.machine(), os.uname().release
DOCKER = frozenset(("CAP_CHOWN", "CAP_SYS_CHROOT", "CAP_MKNOD"))
_libc = ctypes.CDLL(None, use_errno=True)


def _call(number: int, *args: int) -> int:
    """0 where the call got through (whatever it said), else the errno."""
    ctypes.set_errno(0)
    padded = [ctypes.c_long(argument) for argument in (*args, 0, 0, 0, 0, 0, 0)[:6]]
    _libc.syscall.restype = ctypes.c_long
    return ctypes.get_errno() if _libc.syscall(ctypes.c_long(number), *padded) < 0 else 0


def _under(program: bytes, *calls: tuple[int, ...]) -> list[int]:
    def body() -> list[int]:
        set_no_new_privs()
        seccomp.install(program)
        return [_call(*call) for call in calls]

    return in_child(body)


@pytest.fixture(scope="module")
def docker() -> bytes:
    return seccomp.compile_filter(resolve(default_profile(), DOCKER, MACHINE, RELEASE))


x86_64 = pytest.mark.skipif(MACHINE != "x86_64", reason="numbers of x86_64")


@x86_64
def test_the_default_profile_answers_as_dockers_does(docker: bytes) -> None:
    unshare, keyctl, add_key, mount, bpf, getpid, socket = 272, 250, 248, 165, 321, 39, 41
    assert _under(
        docker,
        (unshare, 0x10000000),
        (keyctl, 0),
        (add_key,),
        (mount,),
        (bpf,),
        (getpid,),
        (socket, 38, 5, 0),
        (socket, 40, 1, 0),
        (socket, 1, 1, 0),
        (425, 0),
        (435, 0, 88),
        (56, 0x10000000 | 17),
        (135, 0xFFFFFFFF),
        (135, 0x40000),
    ) == [1, 1, 1, 1, 1, 0, 1, 1, 0, 1, errno.ENOSYS, 1, 0, 1]


@x86_64
def test_the_newest_calls_are_allowed_and_unknown_ones_do_not_exist(docker: bytes) -> None:
    # fchmodat2 with a bad descriptor; statmount without a request; a number nobody has; an x32 and a bad x32 one
    answers = _under(docker, (452, -1, 0, 0, 0), (457, 0, 0, 0, 0), (600,), (2000,), (0x40000000 | 39,))
    assert answers[0] != errno.EPERM and answers[1] != errno.EPERM
    assert answers[2:4] == [errno.ENOSYS, errno.ENOSYS]
    # Between the newest that is mentioned and the others there is no hole: not mentioned means EPERM.
    assert _under(docker, (467, -1, 0, 0), (460,), (461,)) in ([38, 1, 1], [1, 1, 1])


@x86_64
def test_the_32_bit_table_is_filtered_as_well(docker: bytes, tmp_path: Path) -> None:
    import shutil
    import subprocess

    if not shutil.which("gcc"):
        pytest.skip("no compiler for int 0x80")
    source = tmp_path / "x.c"
    source.write_text(
        "#include <stdio.h>\n"
        'static long call(long n) { long r; __asm__ volatile("int $0x80" : "=a"(r) : "a"(n), "b"(0), "c"(0)'
        ' : "memory"); return r; }\n'
        'int main(void) { printf("%ld %ld %ld\\n", call(288), call(20) > 0 ? 0L : 1L, call(900)); return 0; }\n'
    )
    subprocess.run(["gcc", "-O0", "-o", tmp_path / "x", source], check=True)

    def body() -> str:
        set_no_new_privs()
        seccomp.install(docker)
        return subprocess.run([tmp_path / "x"], capture_output=True, text=True).stdout

    # i386: keyctl is 288 (EPERM), getpid 20, 900 is nothing (ENOSYS)
    if os.uname().machine == "x86_64" and subprocess.run([tmp_path / "x"], capture_output=True).returncode == 0:
        assert in_child(body).split() == ["-1", "0", "-38"]


def test_capabilities_open_their_calls(docker: bytes) -> None:
    admin = resolve(default_profile(), DOCKER | {"CAP_SYS_ADMIN", "CAP_SYS_PTRACE"}, MACHINE, RELEASE)
    program = seccomp.compile_filter(admin)
    assert program != docker
    unshare = 272 if MACHINE == "x86_64" else 97
    assert _under(program, (unshare, 0)) == [0]
    assert len(program) // 8 < seccomp.BPF_MAXINSNS


def test_a_filter_is_seen_from_outside(docker: bytes) -> None:
    ready, go = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        set_no_new_privs()
        seccomp.install(docker)
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    assert seccomp.read_status(pid) == seccomp.SeccompStatus(True, seccomp.SECCOMP_MODE_FILTER, 1)
    assert seccomp.read_status().mode == 0
    os.write(go[1], b"x")
    os.waitpid(pid, 0)
    for fd in (*ready, *go):
        os.close(fd)


def test_a_filter_without_the_right_is_refused(docker: bytes) -> None:
    def body() -> str:
        os.setresuid(1000, 1000, 1000)
        try:
            seccomp.install(docker)
        except PermissionError as error:
            return str(error.strerror)
        return ""

    assert in_child(body) == "seccomp: Permission denied"


def _profile(**more: Any) -> bytes:
    profile = parse_profile(
        {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"], **more}
    )
    return seccomp.compile_filter(resolve(profile, frozenset(), MACHINE, RELEASE))


def test_a_custom_profile_forbids_by_argument_and_by_number() -> None:
    args = [{"index": 0, "value": 3, "op": "SCMP_CMP_EQ"}, {"index": 0, "value": 5, "op": "SCMP_CMP_EQ"}]
    program = _profile(
        syscalls=[
            {"names": ["getpriority"], "action": "SCMP_ACT_ERRNO", "errnoRet": 99, "args": args},
            {"names": ["cachestat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 98},
            {"names": ["umask"], "action": "SCMP_ACT_LOG"},
        ]
    )
    getpriority = 140 if MACHINE == "x86_64" else 141
    # Two conditions on one argument are alternatives; a permissive profile has no ENOSYS of its own.
    assert _under(program, (getpriority, 3), (getpriority, 5), (getpriority, 0), (451, -1)) == [99, 99, 0, 98]


def test_a_killing_profile_kills() -> None:
    program = _profile(syscalls=[{"names": ["umask"], "action": "SCMP_ACT_KILL_PROCESS"}])
    pid = os.fork()
    if pid == 0:
        set_no_new_privs()
        seccomp.install(program)
        os.umask(0)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGSYS


def test_what_the_library_cannot_say_is_refused_by_name() -> None:
    with pytest.raises(OSError, match=r"arguments.*statmount"):
        _profile(
            syscalls=[
                {
                    "names": ["statmount"],
                    "action": "SCMP_ACT_ERRNO",
                    "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}],
                }
            ]
        )


def test_programs_are_cached_and_damage_is_noticed(tmp_path: Path) -> None:
    wanted = resolve(default_profile(), DOCKER, MACHINE, RELEASE)
    directory = str(tmp_path / "cache")
    first = seccomp.cached_filter(wanted, directory)
    (file,) = (tmp_path / "cache").iterdir()
    assert file.read_bytes()[32:] == first
    for damage in (b"", file.read_bytes()[:-8], b"\0" * 40):
        file.write_bytes(damage)
        assert seccomp.cached_filter(wanted, directory) == first
    assert seccomp.cached_filter(wanted, directory) == first
    other = resolve(default_profile(), frozenset(), MACHINE, RELEASE)
    seccomp.cached_filter(other, directory)
    assert len(os.listdir(tmp_path / "cache")) == 2


def test_the_prologue_jumps_to_where_it_should(docker: bytes) -> None:
    """Every jump of the whole program stays inside it (the kernel checks that too, and refuses)."""
    count = len(docker) // 8
    for index in range(count):
        code, jt, jf, k = struct.unpack_from("HBBI", docker, index * 8)
        if code == 0x05:
            assert index + 1 + k < count
        elif code & 7 == 5:
            assert index + 1 + max(jt, jf) < count
