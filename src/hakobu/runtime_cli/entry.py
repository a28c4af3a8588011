"""The program's first lines: what enters a container runs from a sealed copy of the interpreter.

A process whose /proc/<pid>/exe leads to the host's python could be made to overwrite it from inside (CVE-2019-5736).
Operations that make no such process run as they were called, without a second start. Nothing else is imported here,
because this costs every call.
"""

import gc
import os
import sys
from typing import NoReturn

_ENTERING = frozenset({"create", "run", "exec"})
_MEMORY = "/memfd:hakobu-python"
_BOOT = "import sys; sys.path.insert(0, {path!r}); from hakobu.runtime_cli.entry import main; main()"


def main() -> NoReturn:
    gc.disable()  # the process is gone before there is anything to collect
    arguments = sys.argv[1:]
    _hold_standard_streams()
    if not _ENTERING.isdisjoint(arguments) and not os.readlink("/proc/self/exe").startswith(_MEMORY):
        _execute_copy(arguments)
    from hakobu.runtime_cli.command import run

    code = run(arguments)
    sys.stdout.flush()
    os._exit(code)  # what a starter lent its memory to must not be finalised here


def _hold_standard_streams() -> None:
    """Whoever called without one of them must not find the next file we open in its place."""
    while True:
        fd = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
        if fd > 2:
            os.close(fd)
            return
        os.set_inheritable(fd, True)


def _execute_copy(arguments: list[str]) -> NoReturn:
    from hakobu.kernel import memory_interpreter

    copy = memory_interpreter.load()
    boot = _BOOT.format(path=os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    os.execve(copy.path, copy.argv("-c", boot, *arguments), {**os.environ, **copy.env})
