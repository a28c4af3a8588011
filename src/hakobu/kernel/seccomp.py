"""Seccomp: a resolved filter becomes BPF, BPF is installed and read back.

libseccomp compiles (25 ms for the default profile), so programs are cached by all that goes into them. Installing
costs the kernel about a microsecond an instruction at every start, so the program is kept small and shallow: a tree
of numbers (SCMP_FLTATR_CTL_OPTIMIZE 2), and no table for x32 where the kernel does not run it anyway. What libseccomp
cannot say stands in a prologue of ours before its program, one section an architecture:

    * rules for system calls newer than the library's tables (numbers from 424 on are the same everywhere);
    * a number beyond the newest the profile mentions answers ENOSYS, not the default EPERM: a C library that
      tries a call its kernel may not have yet must be able to fall back;
    * x32 calls get the default action where they have no table.

Constants: linux/seccomp.h, linux/filter.h, linux/audit.h, seccomp.h of libseccomp 2.5.
"""

import ctypes
import errno
import hashlib
import json
import os
import struct
from ctypes import c_char_p, c_int, c_long, c_uint, c_uint32, c_uint64, c_void_p
from functools import cache
from typing import Final, Protocol, cast

from hakobu.kernel.libc import MACHINE, function
from hakobu.kernel.seccomp_filter import (
    SECCOMP_MODE_FILTER,
    SECCOMP_SET_MODE_FILTER,
    SeccompStatus,
    install,
    read_status,
)
from hakobu.spec.dataclass import dataclass, replace
from hakobu.spec.seccomp import Argument, Filter, Rule

SECCOMP_FILTER_FLAGS: Final = {
    "SECCOMP_FILTER_FLAG_TSYNC": 1,
    "SECCOMP_FILTER_FLAG_LOG": 2,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 4,
}
SECCOMP_RET_ERRNO: Final = 0x00050000
SECCOMP_RET_TRACE: Final = 0x7FF00000
_ACTIONS: Final = {
    "SCMP_ACT_KILL": 0x00000000,
    "SCMP_ACT_KILL_THREAD": 0x00000000,
    "SCMP_ACT_KILL_PROCESS": 0x80000000,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_ERRNO": SECCOMP_RET_ERRNO,
    "SCMP_ACT_TRACE": SECCOMP_RET_TRACE,
    "SCMP_ACT_NOTIFY": 0x7FC00000,
    "SCMP_ACT_LOG": 0x7FFC0000,
    "SCMP_ACT_ALLOW": 0x7FFF0000,
}
_OPERATORS: Final = {
    "SCMP_CMP_NE": 1,
    "SCMP_CMP_LT": 2,
    "SCMP_CMP_LE": 3,
    "SCMP_CMP_EQ": 4,
    "SCMP_CMP_GE": 5,
    "SCMP_CMP_GT": 6,
    "SCMP_CMP_MASKED_EQ": 7,
}
AUDIT_ARCH_X86_64: Final = 0xC000003E
AUDIT_ARCH_I386: Final = 0x40000003
AUDIT_ARCH_AARCH64: Final = 0xC00000B7
AUDIT_ARCH_ARM: Final = 0x40000028
X32_SYSCALL_BIT: Final = 0x40000000

# architecture -> (libseccomp's token, the kernel's, what is added to a number)
_ARCHITECTURES: Final = {
    "SCMP_ARCH_X86_64": (AUDIT_ARCH_X86_64, AUDIT_ARCH_X86_64, 0),
    "SCMP_ARCH_X86": (AUDIT_ARCH_I386, AUDIT_ARCH_I386, 0),
    # libseccomp tells x32 from x86_64 by a token of its own: EM_X86_64, little endian, 32 bit.
    "SCMP_ARCH_X32": (0x4000003E, AUDIT_ARCH_X86_64, X32_SYSCALL_BIT),
    "SCMP_ARCH_AARCH64": (AUDIT_ARCH_AARCH64, AUDIT_ARCH_AARCH64, 0),
    "SCMP_ARCH_ARM": (AUDIT_ARCH_ARM, AUDIT_ARCH_ARM, 0),
}

# Beyond libseccomp 2.5.4; the same numbers on every architecture.
_NEWER: Final = {
    "cachestat": 451,
    "fchmodat2": 452,
    "map_shadow_stack": 453,
    "futex_wake": 454,
    "futex_wait": 455,
    "futex_requeue": 456,
    "statmount": 457,
    "listmount": 458,
    "lsm_get_self_attr": 459,
    "lsm_set_self_attr": 460,
    "lsm_list_modules": 461,
    "mseal": 462,
    "setxattrat": 463,
    "getxattrat": 464,
    "listxattrat": 465,
    "removexattrat": 466,
    "open_tree_attr": 467,
    "file_getattr": 468,
    "file_setattr": 469,
    "listns": 470,
}
_NEWER_ON: Final = {"SCMP_ARCH_X86_64": {"uretprobe": 335, "uprobe": 336}}

BPF_MAXINSNS: Final = 4096
_LD_W_ABS: Final = 0x20
_JMP_JA: Final = 0x05
_JMP_JEQ_K: Final = 0x15
_JMP_JGT_K: Final = 0x25
_JMP_JGE_K: Final = 0x35
_RET_K: Final = 0x06
_OFFSET_NR: Final = 0
_OFFSET_ARCH: Final = 4
_INSTRUCTION: Final = struct.Struct("HBBI")  # struct sock_filter
_CACHE_FORMAT: Final = 2
_SCMP_FLTATR_CTL_OPTIMIZE: Final = 8
_BINARY_TREE: Final = 2
_X32: Final = "SCMP_ARCH_X32"
_FIRST_COMMON_NUMBER: Final = 424

_raw_syscall = function("syscall", c_long, restype=c_long)


class _ScmpArgCmp(ctypes.Structure):
    _fields_ = (("arg", c_uint), ("op", c_int), ("datum_a", c_uint64), ("datum_b", c_uint64))


class _Library(Protocol):
    """What is called of libseccomp."""

    def seccomp_init(self, default_action: int) -> int | None: ...
    def seccomp_release(self, context: int) -> None: ...
    def seccomp_attr_set(self, context: int, attribute: int, value: int) -> int: ...
    def seccomp_arch_add(self, context: int, arch: int) -> int: ...
    def seccomp_syscall_resolve_name(self, name: bytes) -> int: ...
    def seccomp_syscall_resolve_name_arch(self, arch: int, name: bytes) -> int: ...
    def seccomp_rule_add_array(
        self, context: int, action: int, number: int, count: int, args: "ctypes.Array[_ScmpArgCmp]"
    ) -> int: ...
    def seccomp_export_bpf(self, context: int, fd: int) -> int: ...


class _Version(ctypes.Structure):
    _fields_ = (("major", c_uint), ("minor", c_uint), ("micro", c_uint))


@cache
def _load() -> tuple[_Library, str]:
    """The library and its version; loaded at the first compilation, never in a container's child."""
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError as error:
        raise OSError(errno.ENOENT, f"seccomp: libseccomp.so.2 cannot be loaded: {error}") from error
    for name, restype, argtypes in (
        ("seccomp_init", c_void_p, (c_uint32,)),
        ("seccomp_release", None, (c_void_p,)),
        ("seccomp_attr_set", c_int, (c_void_p, c_int, c_uint32)),
        ("seccomp_arch_add", c_int, (c_void_p, c_uint32)),
        ("seccomp_syscall_resolve_name", c_int, (c_char_p,)),
        ("seccomp_syscall_resolve_name_arch", c_int, (c_uint32, c_char_p)),
        ("seccomp_rule_add_array", c_int, (c_void_p, c_uint32, c_int, c_uint, ctypes.POINTER(_ScmpArgCmp))),
        ("seccomp_export_bpf", c_int, (c_void_p, c_int)),
        ("seccomp_version", ctypes.POINTER(_Version), ()),
    ):
        found = library[name]
        found.restype, found.argtypes = restype, argtypes
        setattr(library, name, found)
    version = library.seccomp_version().contents
    return cast(_Library, library), f"{version.major}.{version.minor}.{version.micro}"


def library_version() -> str:
    return _load()[1]


def _action(name: str, errno_ret: int | None) -> int:
    value = _ACTIONS[name]
    if name in ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"):
        value |= errno.EPERM if errno_ret is None else errno_ret
    return value


def _failed(code: int, what: str) -> OSError:
    return OSError(-code, f"seccomp: {os.strerror(-code)}", what)


def _argument_sets(rule: Rule) -> list[tuple[Argument, ...]]:
    """All conditions together, or, where two are on one argument, each by itself (libseccomp cannot join them)."""
    if len({argument.index for argument in rule.args}) == len(rule.args):
        return [rule.args]
    return [(argument,) for argument in rule.args]


def _newer_number(name: str, architecture: str) -> int | None:
    return _NEWER.get(name, _NEWER_ON.get(architecture, {}).get(name))


@dataclass(slots=True)
class _Compilation:
    """One run of libseccomp: the context, and what had to be left to the prologue."""

    library: _Library
    context: int
    filter: Filter
    left: dict[str, int]

    def add_architectures(self) -> None:
        self.library.seccomp_attr_set(self.context, _SCMP_FLTATR_CTL_OPTIMIZE, _BINARY_TREE)
        for name in self.filter.architectures:
            code = self.library.seccomp_arch_add(self.context, _ARCHITECTURES[name][0])
            if code < 0 and code != -errno.EEXIST:
                raise _failed(code, name)

    def add_rules(self) -> None:
        default = _action(self.filter.default_action, self.filter.default_errno_ret)
        seen: set[tuple[str, int, tuple[Argument, ...]]] = set()
        for rule in self.filter.rules:
            action = _action(rule.action, rule.errno_ret)
            if action == default:  # libseccomp refuses what says nothing new
                continue
            for name in rule.names:
                for args in _argument_sets(rule):
                    if (name, action, args) not in seen:
                        seen.add((name, action, args))
                        self.add_rule(name, action, args)

    def add_rule(self, name: str, action: int, args: tuple[Argument, ...]) -> None:
        number = self.library.seccomp_syscall_resolve_name(name.encode())
        if number == -1:
            self.leave(name, action, args)
            return
        array = (_ScmpArgCmp * max(len(args), 1))(
            *(_ScmpArgCmp(a.index, _OPERATORS[a.op], a.value, a.value_two) for a in args)
        )
        code = self.library.seccomp_rule_add_array(self.context, action, number, len(args), array)
        if code < 0:
            raise _failed(code, name)

    def leave(self, name: str, action: int, args: tuple[Argument, ...]) -> None:
        """The library does not know the name: the prologue's, if the machine has it at all."""
        if all(_newer_number(name, arch) is None for arch in self.filter.architectures):
            return
        if args:
            raise OSError(
                errno.EOPNOTSUPP, f"seccomp: libseccomp {library_version()} cannot look at this call's arguments", name
            )
        if self.left.setdefault(name, action) != action:
            raise OSError(errno.EEXIST, "seccomp: two actions for one call", name)

    def newest(self, architecture: str) -> int:
        """The highest number of a call that the profile mentions, on one architecture; -1 for none."""
        token = _ARCHITECTURES[architecture][0]
        bit = _ARCHITECTURES[architecture][2]
        best = -1
        for name in self.filter.known:
            number = self.library.seccomp_syscall_resolve_name_arch(token, name.encode())
            if number == -1:
                newer = _newer_number(name, architecture)
                number = -1 if newer is None else newer | bit
            best = max(best, number)
        return best


def _instruction(code: int, k: int, jt: int = 0, jf: int = 0) -> bytes:
    return _INSTRUCTION.pack(code, jt, jf, k)


def _section(numbers: list[tuple[int, int]], newest: int | None) -> list[bytes]:
    """The accumulator holds the number: return for a known one, ENOSYS beyond the newest, else fall through."""

    def tests(some: list[tuple[int, int]]) -> list[bytes]:
        return [
            part
            for number, action in some
            for part in (_instruction(_JMP_JEQ_K, number, 0, 1), _instruction(_RET_K, action))
        ]

    low = [item for item in sorted(numbers) if item[0] & ~X32_SYSCALL_BIT < _FIRST_COMMON_NUMBER]
    high = tests([item for item in sorted(numbers) if item not in low])
    if newest is not None:
        high += [_instruction(_JMP_JGT_K, newest, 0, 1), _instruction(_RET_K, SECCOMP_RET_ERRNO | errno.ENOSYS)]
    if not high:
        return tests(low)
    # Most calls are older than all of these: one comparison sends them on.
    first = min([number for number, _ in numbers if (number, _) not in low] + ([newest] if newest is not None else []))
    return [*tests(low), _instruction(_JMP_JGE_K, first, 1, 0), _instruction(_JMP_JA, len(high)), *high]


def _prologue(compilation: _Compilation) -> bytes:
    architectures = compilation.filter.architectures
    default = _action(compilation.filter.default_action, compilation.filter.default_errno_ret)
    permissive = compilation.filter.default_action in ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE")
    sections: list[tuple[int, int, list[bytes]]] = []
    for name in architectures:
        _, token, bit = _ARCHITECTURES[name]
        numbers = [
            (number | bit, action)
            for call, action in compilation.left.items()
            if (number := _newer_number(call, name)) is not None
        ]
        newest = None if permissive else compilation.newest(name)
        section = _section(numbers, None if newest == -1 else newest)
        if section:
            sections.append((token, bit, section))
    if AUDIT_ARCH_X86_64 in [_ARCHITECTURES[name][1] for name in architectures] and _X32 not in architectures:
        sections.append((AUDIT_ARCH_X86_64, X32_SYSCALL_BIT, [_instruction(_RET_K, default)]))
    return _assemble(sections)


def _assemble(sections: list[tuple[int, int, list[bytes]]]) -> bytes:
    """Each section behind tests of the architecture and of the x32 bit; what matches none goes on to libseccomp's."""
    program: list[bytes] = []
    for token, bit, section in sections:
        on_x86_64 = token == AUDIT_ARCH_X86_64
        guard = [_instruction(_LD_W_ABS, _OFFSET_ARCH), _instruction(_JMP_JEQ_K, token, 1, 0)]
        inner = [_instruction(_LD_W_ABS, _OFFSET_NR)]
        if on_x86_64:
            # x32 is on if the bit is set: into the section (skip the jump) for the one, past it for the other.
            taken = (1, 0) if bit else (0, 1)
            inner.append(_instruction(_JMP_JGE_K, X32_SYSCALL_BIT, *taken))
            inner.append(_instruction(_JMP_JA, len(section)))
        inner += section
        program += [*guard, _instruction(_JMP_JA, len(inner)), *inner]
    return b"".join(program)


@cache
def x32_runs() -> bool:
    """Whether this kernel takes x32 calls (Debian's does so only when it is booted with syscall.x32=y)."""
    ctypes.set_errno(0)
    _raw_syscall(X32_SYSCALL_BIT | 39)  # getpid
    return MACHINE == "x86_64" and ctypes.get_errno() != errno.ENOSYS


def _effective(wanted: Filter) -> Filter:
    """Without the x32 table where no x32 call can run."""
    if _X32 not in wanted.architectures or x32_runs():
        return wanted
    return replace(wanted, architectures=tuple(name for name in wanted.architectures if name != _X32))


def compile_filter(wanted: Filter) -> bytes:
    """The filter as an array of struct sock_filter. OSError names the system call that could not be said."""
    wanted = _effective(wanted)
    library, _ = _load()
    context = library.seccomp_init(_action(wanted.default_action, wanted.default_errno_ret))
    if not context:
        raise OSError(errno.EINVAL, "seccomp: the default action is refused", wanted.default_action)
    try:
        compilation = _Compilation(library, context, wanted, {})
        compilation.add_architectures()
        compilation.add_rules()
        program = _prologue(compilation) + _export(library, context)
    finally:
        library.seccomp_release(context)
    if len(program) // _INSTRUCTION.size > BPF_MAXINSNS:
        raise OSError(errno.E2BIG, f"seccomp: the program has more than {BPF_MAXINSNS} instructions")
    return program


def _export(library: _Library, context: int) -> bytes:
    fd = os.memfd_create("seccomp", os.MFD_CLOEXEC)
    try:
        code = library.seccomp_export_bpf(context, fd)
        if code < 0:
            raise _failed(code, "seccomp_export_bpf")
        return os.pread(fd, os.fstat(fd).st_size, 0)
    finally:
        os.close(fd)


def _cache_key(wanted: Filter) -> str:
    made_from = [_CACHE_FORMAT, MACHINE, os.uname().release, library_version(), _effective(wanted).to_json()]
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode()).hexdigest()


def cached_filter(wanted: Filter, directory: str) -> bytes:
    """`compile_filter` through a cache: `<directory>/<key>.bpf`, its SHA-256 before the program.

    The directory must be writable by the engine alone. A damaged file is compiled anew.
    """
    path = f"{directory}/{_cache_key(wanted)}.bpf"
    try:
        with open(path, "rb") as file:
            content = file.read()
        if hashlib.sha256(content[32:]).digest() == content[:32]:
            return content[32:]
    except FileNotFoundError:
        pass
    program = compile_filter(wanted)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    temporary = f"{path}.{os.getpid()}.new"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(hashlib.sha256(program).digest() + program)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    return program


def filter_flags(names: tuple[str, ...]) -> int:
    """The number for a profile's `flags`."""
    return sum(SECCOMP_FILTER_FLAGS[name] for name in set(names))


__all__ = [
    "SECCOMP_MODE_FILTER",
    "SECCOMP_SET_MODE_FILTER",
    "SeccompStatus",
    "cached_filter",
    "compile_filter",
    "filter_flags",
    "install",
    "library_version",
    "read_status",
]
