"""Passes signals on to a container: what the program is sent, the container's process gets.

`_signal` is the C half of `signal`; its Python half wraps every constant in an enumeration, which costs
more than the rest of a command's start.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
else:
    import _signal

# Never passed on: they cannot be caught, tell of our own doing, or of a fault of ours.
_OURS = [
    "SIGKILL",
    "SIGSTOP",
    "SIGCHLD",
    "SIGCLD",
    "SIGPIPE",
    "SIGURG",
    "SIGSEGV",
    "SIGBUS",
    "SIGFPE",
    "SIGILL",
    "SIGWINCH",
    "SIGPROF",
]


def names() -> dict[int, str]:
    """Signals that may be passed on: number to name without `SIG`."""
    found: dict[int, str] = {}
    for name in dir(_signal):
        if name.startswith("SIG") and not name.startswith("SIG_") and name not in _OURS:
            found.setdefault(int(getattr(_signal, name)), name[3:])
    found.pop(int(getattr(_signal, "SIGRTMIN", 0)), None)
    found.pop(int(getattr(_signal, "SIGRTMAX", 0)), None)
    return found


def proxy(send: Callable[[str], None]) -> Callable[[], None]:
    """Installs handlers that call `send` with a signal's name; gives what takes them away again."""
    by_number = names()

    def handle(number: int, _: object) -> None:
        send(by_number[number])

    before = {number: _signal.signal(number, handle) for number in by_number}

    def restore() -> None:
        for number, handler in before.items():
            _signal.signal(number, _signal.SIG_DFL if handler is None else handler)

    return restore
