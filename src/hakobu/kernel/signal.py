"""Signal names and numbers as users write them: `SIGTERM`, `term`, `15`, `RTMIN+3`, `SIGRTMAX-2`.

Real-time signals count from 34, as C libraries do (the kernel's 32 and 33 belong to the thread library).
"""

import re
import signal
from ctypes import c_char_p, c_int, c_ulong, c_void_p
from typing import Final

from hakobu.kernel.libc import check, syscall

SIGRTMIN: Final = 34
SIGRTMAX: Final = 64

_rt_sigaction = syscall("rt_sigaction", c_int, c_char_p, c_void_p, c_ulong)
_SIGACTION_BYTES: Final = 32  # struct kernel_sigaction: handler, flags, restorer (x86_64), mask
_PLAIN: Final = {item.name: int(item) for item in signal.Signals if not item.name.startswith("SIGRT")}
_ALIASES: Final = {"SIGCLD": 17, "SIGIOT": 6, "SIGPOLL": 29, "SIGSTKFLT": 16, "SIGUNUSED": 31}
NAMES: Final[dict[int, str]] = {number: name for name, number in _PLAIN.items() if name not in _ALIASES} | {
    16: "SIGSTKFLT"
}
_NUMBERS: Final[dict[str, int]] = _PLAIN | _ALIASES
_REALTIME: Final = re.compile(r"SIGRT(MIN|MAX)(?:([+-])([0-9]{1,2}))?", re.ASCII)
_DIGITS: Final = re.compile(r"[0-9]{1,3}", re.ASCII)


def parse_signal(text: str) -> int:
    """1..64; ValueError for what is no signal of Linux."""
    if _DIGITS.fullmatch(text):
        value = int(text)
        if 1 <= value <= SIGRTMAX:
            return value
        raise ValueError(f"invalid signal: {text}")
    name = text.upper()
    name = name if name.startswith("SIG") else f"SIG{name}"
    if name in _NUMBERS:
        return _NUMBERS[name]
    if match := _REALTIME.fullmatch(name):
        base = SIGRTMIN if match[1] == "MIN" else SIGRTMAX
        offset = int(match[3] or 0) * (-1 if match[2] == "-" else 1)
        if SIGRTMIN <= base + offset <= SIGRTMAX:
            return base + offset
    raise ValueError(f"invalid signal: {text}")


def signal_name(number: int) -> str:
    """`SIGTERM` for 15, `SIGRTMIN+3` for 37; the number itself where there is no name."""
    if number in NAMES:
        return NAMES[number]
    if SIGRTMIN <= number <= SIGRTMAX:
        return "SIGRTMIN" if number == SIGRTMIN else f"SIGRTMIN+{number - SIGRTMIN}"
    return str(number)


def default_all() -> None:
    """Every signal to SIG_DFL by the raw call: also the two of the thread library, which a parent may ignore."""
    action = bytes(_SIGACTION_BYTES)
    for number in range(1, SIGRTMAX + 1):
        if number not in (signal.SIGKILL, signal.SIGSTOP):
            check(_rt_sigaction(number, action, None, 8), "rt_sigaction")
