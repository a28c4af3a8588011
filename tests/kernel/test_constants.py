"""Constants and numbers against the kernel's own headers (linux-libc-dev): a wrong one would fail open."""

import importlib
import re
from pathlib import Path

import pytest
from tests.leaks import need

from hakobu.kernel import libc

INCLUDE = Path("/usr/include")
MODULES = (
    "mount openat2 process capability keyring xattr pty rlimit procfs seccomp memory_interpreter "
    "cgroup.device cgroup.oom"
).split()
HEADERS = """
linux/mount.h linux/fcntl.h linux/openat2.h linux/sched.h linux/prctl.h linux/close_range.h linux/capability.h
linux/keyctl.h linux/limits.h linux/magic.h linux/seccomp.h linux/filter.h linux/audit.h linux/bpf.h linux/memfd.h
linux/personality.h linux/ioprio.h linux/inotify.h asm-generic/ioctls.h asm-generic/resource.h linux/securebits.h
""".split()
# Enumerations of the headers, or values that the headers compute: checked by the tests that use them.
_DEFINE = re.compile(
    r"^#\s*define\s+(\w+)\s+\(?\s*(0x[0-9A-Fa-f]+|\d+)(?:[UL]*)?(?:\s*<<\s*(\d+))?\s*\)?\s*(?:/\*.*)?$"
)


def _defines() -> dict[str, int]:
    found: dict[str, int] = {}
    for header in HEADERS:
        path = INCLUDE / header
        if not path.exists():
            continue
        for line in path.read_text().splitlines():
            if match := _DEFINE.match(line.strip()):
                found.setdefault(match[1], int(match[2], 0) << int(match[3] or 0))
    return found


def test_constants_are_the_headers() -> None:
    need((INCLUDE / "linux/mount.h").exists(), "linux-libc-dev")
    defines = _defines()
    checked = 0
    for name in MODULES:
        module = importlib.import_module(f"hakobu.kernel.{name}")
        for constant, value in vars(module).items():
            if constant.isupper() and type(value) is int and constant in defines:
                assert value & 0xFFFFFFFFFFFFFFFF == defines[constant], f"{name}.{constant}"
                checked += 1
    assert checked > 90


def test_capabilities_and_limits_are_numbered_as_in_the_headers() -> None:
    need((INCLUDE / "linux/capability.h").exists(), "linux-libc-dev")
    from hakobu.kernel import capability, rlimit

    defines = _defines()
    for name in capability.NAMES:
        assert capability.number(name) == defines[name]
    for name, value in rlimit.RLIMITS.items():
        assert value == defines[name]


@pytest.mark.parametrize(("header", "column"), [("x86_64-linux-gnu/asm/unistd_64.h", 0), ("asm-generic/unistd.h", 1)])
def test_system_calls_have_their_numbers(header: str, column: int) -> None:
    if column == 0 and libc.MACHINE != "x86_64":
        pytest.skip("the header of another machine")
    need((INCLUDE / header).exists(), "linux-libc-dev")
    numbers = dict(re.findall(r"^#define __NR_(\w+) (\d+)$", (INCLUDE / header).read_text(), re.MULTILINE))
    checked = 0
    for name, columns in libc._NUMBERS.items():
        if name in numbers:
            assert columns[column] == int(numbers[name]), name
            checked += 1
    assert checked > 25
