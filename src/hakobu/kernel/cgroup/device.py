"""Device rules: their meaning, v1's files, and the same meaning as a BPF program for v2.

The rules keep the semantics of the v1 device controller, because OCI's words are its words: a rule of type `a` sets
the default and forgets all before it; any other adds to or takes from an exception to that default, matched exactly.
Constants: linux/bpf.h.
"""

import ctypes
import errno
import os
import struct
from ctypes import c_char_p, c_int, c_uint
from typing import Final

from hakobu.kernel.libc import check, oserror, syscall
from hakobu.spec.dataclass import dataclass, field
from hakobu.spec.resources import DeviceRule

BPF_PROG_LOAD: Final = 5
BPF_PROG_ATTACH: Final = 8
BPF_PROG_DETACH: Final = 9
BPF_PROG_GET_FD_BY_ID: Final = 13
BPF_PROG_QUERY: Final = 16
BPF_PROG_TYPE_CGROUP_DEVICE: Final = 15
BPF_CGROUP_DEVICE: Final = 6
BPF_F_ALLOW_MULTI: Final = 2
BPF_F_REPLACE: Final = 4
BPF_DEVCG_DEV_BLOCK: Final = 1
BPF_DEVCG_DEV_CHAR: Final = 2
_ACCESS: Final = {"m": 1, "r": 2, "w": 4}  # BPF_DEVCG_ACC_*
_ALL_ACCESS: Final = 7

_LDX_W: Final = 0x61
_MOV32_X: Final = 0xBC
_AND32_K: Final = 0x54
_RSH32_K: Final = 0x74
_MOV64_K: Final = 0xB7
_JEQ_K: Final = 0x15
_JNE_K: Final = 0x55
_EXIT: Final = 0x95
_INSTRUCTION: Final = struct.Struct("<BBhi")  # struct bpf_insn

_bpf = syscall("bpf", c_int, c_char_p, c_uint)
_LOAD: Final = struct.Struct("IIQQIIQII16s")  # union bpf_attr of BPF_PROG_LOAD, to prog_name
_ATTACH: Final = struct.Struct("IIIII")
_QUERY: Final = struct.Struct("IIIIQIxxxx")
_DETACH: Final = struct.Struct("III")
_GET_FD: Final = struct.Struct("I")

_Key = tuple[str, int | None, int | None]


@dataclass(slots=True)
class DeviceState:
    """What a list of rules comes to: a default, and exceptions to it with their access bits."""

    allow_by_default: bool = True
    exceptions: dict[_Key, int] = field(default_factory=dict[_Key, int])


def evaluate(rules: tuple[DeviceRule, ...]) -> DeviceState:
    """The state after all rules, as the v1 controller would have it."""
    state = DeviceState()
    for rule in rules:
        if rule.type == "a":
            state.allow_by_default = rule.allow
            state.exceptions.clear()
            continue
        key: _Key = (rule.type, rule.major, rule.minor)
        bits = sum(_ACCESS[letter] for letter in set(rule.access))
        before = state.exceptions.get(key, 0)
        after = before | bits if rule.allow != state.allow_by_default else before & ~bits
        state.exceptions.pop(key, None)
        if after:
            state.exceptions[key] = after
    return state


def v1_line(rule: DeviceRule) -> tuple[str, str]:
    """(file, value) for one rule."""
    file = "devices.allow" if rule.allow else "devices.deny"
    if rule.type == "a":
        return file, "a"
    major = "*" if rule.major is None else str(rule.major)
    minor = "*" if rule.minor is None else str(rule.minor)
    return file, f"{rule.type} {major}:{minor} {rule.access}"


def write_v1(directory: str, rules: tuple[DeviceRule, ...]) -> None:
    """Rule by rule into the v1 controller's two files, each opened once."""
    opened: dict[str, int] = {}
    try:
        for name in ("devices.allow", "devices.deny"):
            opened[name] = os.open(f"{directory}/{name}", os.O_WRONLY | os.O_CLOEXEC)
        for rule in rules:
            name, line = v1_line(rule)
            try:
                os.write(opened[name], line.encode())
            except OSError as error:
                raise OSError(error.errno, f"cgroup: {name} = {line!r}: {error.strerror}", directory) from error
    finally:
        for fd in opened.values():
            os.close(fd)


def _instruction(code: int, dst: int = 0, src: int = 0, offset: int = 0, imm: int = 0) -> bytes:
    return _INSTRUCTION.pack(code, dst | src << 4, offset, imm - (1 << 32) if imm >= 1 << 31 else imm)


def _exception(key: _Key, access: int, allow_by_default: bool) -> bytes:
    """Registers: r2 type, r3 requested access, r4 major, r5 minor. Returns the opposite of the default on a match."""
    kind, major, minor = key
    code = [_jump(_JNE_K, 2, BPF_DEVCG_DEV_BLOCK if kind == "b" else BPF_DEVCG_DEV_CHAR)]
    if access != _ALL_ACCESS:
        # A denial matches any part of what is asked for, an allowance must cover all of it.
        mask, jump = (access, _JEQ_K) if allow_by_default else (_ALL_ACCESS & ~access, _JNE_K)
        code += [_instruction(_MOV32_X, 1, 3), _instruction(_AND32_K, 1, imm=mask), _jump(jump, 1, 0)]
    if major is not None:
        code.append(_jump(_JNE_K, 4, major))
    if minor is not None:
        code.append(_jump(_JNE_K, 5, minor))
    code += [_instruction(_MOV64_K, 0, imm=0 if allow_by_default else 1), _instruction(_EXIT)]
    return b"".join(_patch(instruction, len(code) - i - 1) for i, instruction in enumerate(code))


_TO_NEXT: Final = 0x7FFF


def _jump(code: int, register: int, imm: int) -> bytes:
    return _instruction(code, register, offset=_TO_NEXT, imm=imm)


def _patch(instruction: bytes, distance: int) -> bytes:
    """Puts in the distance to the next exception where the instruction is a jump there."""
    code, registers, offset, imm = _INSTRUCTION.unpack(instruction)
    return _INSTRUCTION.pack(code, registers, distance, imm) if offset == _TO_NEXT else instruction


def program(rules: tuple[DeviceRule, ...]) -> bytes:
    """The rules as a BPF_PROG_TYPE_CGROUP_DEVICE program (its context is struct bpf_cgroup_dev_ctx)."""
    state = evaluate(rules)
    head = (
        _instruction(_LDX_W, 2, 1, 0)
        + _instruction(_MOV32_X, 3, 2)
        + _instruction(_AND32_K, 2, imm=0xFFFF)
        + _instruction(_RSH32_K, 3, imm=16)
        + _instruction(_LDX_W, 4, 1, 4)
        + _instruction(_LDX_W, 5, 1, 8)
    )
    body = b"".join(
        _exception(key, access, state.allow_by_default) for key, access in reversed(state.exceptions.items())
    )
    return head + body + _instruction(_MOV64_K, 0, imm=int(state.allow_by_default)) + _instruction(_EXIT)


def _load(code: bytes) -> int:
    buffer = ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(b"Apache-2.0")
    attr = _LOAD.pack(
        BPF_PROG_TYPE_CGROUP_DEVICE,
        len(code) // 8,
        ctypes.addressof(buffer),
        ctypes.addressof(licence),
        0,
        0,
        0,
        0,
        0,
        b"hakobu_device",
    )
    return check(_bpf(BPF_PROG_LOAD, attr, len(attr)), "bpf", "BPF_PROG_LOAD")


def _attached(directory_fd: int) -> list[int]:
    """Descriptors of the device programs on a cgroup; the caller closes them."""
    ids = (ctypes.c_uint32 * 64)()
    attr = ctypes.create_string_buffer(
        _QUERY.pack(directory_fd, BPF_CGROUP_DEVICE, 0, 0, ctypes.addressof(ids), len(ids)), _QUERY.size
    )
    if _bpf(BPF_PROG_QUERY, ctypes.cast(attr, c_char_p), _QUERY.size) < 0:
        raise oserror("bpf", "BPF_PROG_QUERY")
    count = _QUERY.unpack(attr.raw)[5]
    found: list[int] = []
    for identifier in ids[:count]:
        attribute = _GET_FD.pack(identifier)
        fd = _bpf(BPF_PROG_GET_FD_BY_ID, attribute, len(attribute))
        if fd >= 0:
            found.append(fd)
        elif ctypes.get_errno() != errno.ENOENT:
            raise oserror("bpf", "BPF_PROG_GET_FD_BY_ID")
    return found


def attach(directory: str, rules: tuple[DeviceRule, ...]) -> None:
    """Puts the rules on a v2 cgroup; a former program of it is replaced, so that there is never a moment without."""
    directory_fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        program_fd = _load(program(rules))
        try:
            old = _attached(directory_fd)
            try:
                flags = BPF_F_ALLOW_MULTI | (BPF_F_REPLACE if len(old) == 1 else 0)
                replace_fd = old[0] if len(old) == 1 else 0
                attr = _ATTACH.pack(directory_fd, program_fd, BPF_CGROUP_DEVICE, flags, replace_fd)
                check(_bpf(BPF_PROG_ATTACH, attr, len(attr)), "bpf", "BPF_PROG_ATTACH")
                for fd in old if len(old) > 1 else []:
                    attr = _DETACH.pack(directory_fd, fd, BPF_CGROUP_DEVICE)
                    check(_bpf(BPF_PROG_DETACH, attr, len(attr)), "bpf", "BPF_PROG_DETACH")
            finally:
                for fd in old:
                    os.close(fd)
        finally:
            os.close(program_fd)
    finally:
        os.close(directory_fd)
