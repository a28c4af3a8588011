"""The program's first lines: what enters a container runs from an interpreter that cannot be overwritten.

A process whose /proc/<pid>/exe leads to the host's python could be made to overwrite it from inside (CVE-2019-5736).
The installed script (`src/hakobu-runtime`) starts us from a read-only mount (`interpreter.py`) where there is one;
otherwise operations that make such a process start anew from a sealed copy in memory. All others run as they were
called. Nothing else is imported here, because this costs every call.
"""

import gc
import os
import sys
from typing import NoReturn

_ENTERING = frozenset({"create", "run", "exec"})
_MEMORY = "/memfd:hakobu-python"
_BOOT = "import sys; sys.path.insert(0, {path!r}); from hakobu.runtime_cli.entry import main; main()"


def main(original: str = "") -> NoReturn:
    """`original` is the path of the program that is mounted where we run from, told by boot.py."""
    arguments = sys.argv[1:]
    _hold_standard_streams()
    if original:
        _renew(original, arguments)
    run(arguments)


def first(name: str, arguments: list[str]) -> NoReturn:
    """Called by the installed script `name` before a mount is there: makes it, and starts from it."""
    _hold_standard_streams()
    from hakobu.runtime_cli import interpreter

    if argv := interpreter.stand(name, _package_path()):
        os.execv(argv[0], [*argv, *arguments])
    run(arguments)


def run(arguments: list[str]) -> NoReturn:
    gc.disable()  # the process is gone before there is anything to collect
    if not _ENTERING.isdisjoint(arguments) and not _is_shielded():
        _execute_copy(arguments)
    from hakobu.runtime_cli.command import run

    code = run(arguments)
    sys.stdout.flush()
    os._exit(code)  # what a starter lent its memory to must not be finalised here


def _renew(original: str, arguments: list[str]) -> None:
    """Returns where the mounted program is the one that is installed."""
    try:
        if os.path.samefile("/proc/self/exe", original):
            return
    except OSError:
        pass
    from hakobu.runtime_cli import interpreter

    if argv := interpreter.stand(interpreter.name_of_boot(), _package_path(), original):
        os.execv(argv[0], [*argv, *arguments])


def _is_shielded() -> bool:
    """In memory and sealed, or of a mount that is read-only: the link's own, whatever the path says."""
    if os.readlink("/proc/self/exe").startswith(_MEMORY):
        return True
    return bool(os.statvfs("/proc/self/exe").f_flag & os.ST_RDONLY)


def _hold_standard_streams() -> None:
    """Whoever called without one of them must not find the next file we open in its place."""
    while True:
        fd = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        if fd > 2:
            os.close(fd)
            return
        os.set_inheritable(fd, True)


def _package_path() -> str:
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _execute_copy(arguments: list[str]) -> NoReturn:
    from hakobu.kernel import memory_interpreter

    copy = memory_interpreter.load()
    boot = _BOOT.format(path=_package_path())
    os.execve(copy.path, copy.argv("-c", boot, *arguments), {**os.environ, **copy.env})
