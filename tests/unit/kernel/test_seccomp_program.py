"""Compiled programs, run by an interpreter of classic BPF here, against what the filter says."""

import os
import struct
from collections.abc import Callable
from dataclasses import replace

import pytest

from hakobu.kernel import seccomp
from hakobu.spec.seccomp import ARCHITECTURES, Argument, Filter, Profile, Rule, default_profile, resolve

MACHINE = os.uname().machine
NATIVE = ARCHITECTURES.get(MACHINE, ())
try:
    seccomp.library_version()
except OSError:
    pytest.skip("libseccomp is not installed", allow_module_level=True)


def run(program: bytes, number: int, arch: int, args: tuple[int, ...]) -> int:
    """The value the program returns for one struct seccomp_data."""
    data = struct.pack("<IIQ6Q", number, arch, 0, *args)
    at, accumulator = 0, 0
    while True:
        code, jt, jf, k = struct.unpack_from("<HBBI", program, at * 8)
        at += 1
        match code:
            case 0x20:
                accumulator = int.from_bytes(data[k : k + 4], "little")
            case 0x54:
                accumulator &= k
            case 0x05:
                at += k
            case 0x15:
                at += jt if accumulator == k else jf
            case 0x25:
                at += jt if accumulator > k else jf
            case 0x35:
                at += jt if accumulator >= k else jf
            case 0x45:
                at += jt if accumulator & k else jf
            case 0x06:
                return k
            case _:
                raise AssertionError(f"unknown instruction {code:#x}")


_COMPARE: dict[str, Callable[[int, Argument], bool]] = {
    "SCMP_CMP_NE": lambda value, a: value != a.value,
    "SCMP_CMP_LT": lambda value, a: value < a.value,
    "SCMP_CMP_LE": lambda value, a: value <= a.value,
    "SCMP_CMP_EQ": lambda value, a: value == a.value,
    "SCMP_CMP_GE": lambda value, a: value >= a.value,
    "SCMP_CMP_GT": lambda value, a: value > a.value,
    "SCMP_CMP_MASKED_EQ": lambda value, a: value & a.value == a.value_two,
}


def number_of(name: str, architecture: str) -> int:
    token, _, bit = seccomp._ARCHITECTURES[architecture]
    number = seccomp._load()[0].seccomp_syscall_resolve_name_arch(token, name.encode())
    if number == -1:
        newer = seccomp._newer_number(name, architecture)
        return -1 if newer is None else newer | bit
    return number


def expected(wanted: Filter, names: set[str], args: tuple[int, ...]) -> int | None:
    """The action of the rules for a call known by any of these names; None where no rule matches."""
    for rule in wanted.rules:
        if names & set(rule.names) and all(_COMPARE[a.op](args[a.index], a) for a in rule.args):
            return seccomp._action(rule.action, rule.errno_ret)
    return None


# Numbers of i386 that libseccomp rewrites from and to socketcall and ipc.
_MULTIPLEXED = {102, 117, 337, 345, *range(359, 374), *range(393, 403)}
SAMPLES = [(0,) * 6, (1, 2, 3, 4, 5, 6), (38, 0, 0, 0, 0, 0), (39,) * 6, (40,) * 6, (41,) * 6, (0x10000000 | 17,) * 6,
           (0xFFFFFFFF,) * 6, (0x20008,) * 6, (0x40000,) * 6]  # fmt: skip


@pytest.mark.skipif(not NATIVE, reason="an architecture without a table")
@pytest.mark.parametrize("capabilities", [frozenset(), frozenset(("CAP_SYS_ADMIN", "CAP_SYS_PTRACE"))], ids=len)
@pytest.mark.parametrize("x32", [False, True])
def test_the_program_says_for_every_number_what_the_filter_says(
    capabilities: frozenset[str], x32: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(seccomp, "x32_runs", lambda: x32)
    wanted = resolve(default_profile(), capabilities, MACHINE, "6.1")
    program = seccomp.compile_filter(wanted)
    default = seccomp._action(wanted.default_action, wanted.default_errno_ret)
    mentioned = {name for rule in wanted.rules for name in rule.names} | wanted.known
    for architecture in wanted.architectures:
        _, token, bit = seccomp._ARCHITECTURES[architecture]
        names: dict[int, set[str]] = {}
        for name in mentioned:
            names.setdefault(number_of(name, architecture), set()).add(name)
        newest = max(names)
        for number in range(bit, (bit | newest) + 5 if bit else newest + 5):
            if architecture == "SCMP_ARCH_X86" and number in _MULTIPLEXED:
                continue
            for args in SAMPLES:
                said = run(program, number, token, args)
                if bit and not x32:
                    assert said == default
                elif number > newest:
                    assert said == 0x00050000 | 38
                else:
                    action = expected(wanted, names.get(number, set()), args)
                    assert said == (default if action is None else action), (architecture, number, args)


@pytest.mark.skipif(not NATIVE, reason="an architecture without a table")
def test_a_permissive_program_forbids_what_it_names_and_nothing_else() -> None:
    rules = (
        Rule(("getpid",), "SCMP_ACT_ERRNO", 99),
        Rule(("statmount", "mseal"), "SCMP_ACT_ERRNO", 98),
        Rule(("getpriority",), "SCMP_ACT_KILL_PROCESS", args=(Argument(0, 7), Argument(1, 8, op="SCMP_CMP_GT"))),
    )
    maps = {NATIVE[0]: NATIVE[1:]}
    wanted = resolve(Profile("SCMP_ACT_ALLOW", None, maps, rules), frozenset(), MACHINE, "6.1")
    program = seccomp.compile_filter(replace(wanted, architectures=wanted.architectures[:1]))
    token = seccomp._ARCHITECTURES[NATIVE[0]][1]
    allow = 0x7FFF0000
    getpid, getpriority = number_of("getpid", NATIVE[0]), number_of("getpriority", NATIVE[0])
    for number, args, action in (
        (getpid, SAMPLES[0], 0x50000 | 99),
        (457, SAMPLES[0], 0x50000 | 98),
        (462, SAMPLES[0], 0x50000 | 98),
        (458, SAMPLES[0], allow),
        (9999, SAMPLES[0], allow),
        (getpriority, (7, 9, 0, 0, 0, 0), 0x80000000),
        (getpriority, (7, 8, 0, 0, 0, 0), allow),
        (getpriority, (6, 9, 0, 0, 0, 0), allow),
    ):
        assert run(program, number, token, args) == action, (number, args)
