"""The running interpreter's program as a sealed memory file.

A process that enters containers must not have /proc/<pid>/exe lead to the host's python (CVE-2019-5736), so the
launcher is executed from this copy, which nobody can write. Python finds its prefix by argv[0], which stays the
path of the original, a virtual environment's too. Libraries stay the host's files: they can be reached only
through /proc/<pid>/map_files, which asks for CAP_CHECKPOINT_RESTORE in the initial user namespace and is shut for
a process that is not dumpable.
"""

import fcntl
import os
import sys
from dataclasses import dataclass
from typing import Final

F_SEAL_EXEC: Final = 0x0020
_SEALS: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
MFD_EXEC: Final = 0x0010


@dataclass(frozen=True, slots=True)
class MemoryInterpreter:
    """`fd` is close-on-exec; `argv0` and `env` are what the program must be started with to find its library."""

    fd: int
    argv0: str
    env: dict[str, str]

    @property
    def path(self) -> str:
        """For posix_spawn or execve; an ELF program may be run through a descriptor that is closed on exec."""
        return f"/proc/self/fd/{self.fd}"

    def argv(self, *arguments: str) -> list[str]:
        """Isolated (-I), without site (-S), without writing bytecode (-B)."""
        return [self.argv0, "-I", "-S", "-B", *arguments]

    def close(self) -> None:
        os.close(self.fd)


def libpython_directory() -> str:
    """Where the libpython of this process lies; empty for an interpreter that has it built in.

    A program in a memory file has no directory, so a run path relative to $ORIGIN leads nowhere.
    """
    with open("/proc/self/maps", "rb") as file:
        for line in file:
            path = line.split(None, 5)[5:6]
            if path and os.path.basename(path[0]).startswith(b"libpython"):
                return os.fsdecode(os.path.dirname(path[0].rstrip(b"\n")))
    return ""


def _memfd(name: str) -> int:
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        return os.memfd_create(name, flags | MFD_EXEC)  # Linux 6.3, where vm.memfd_noexec may be set
    except OSError:
        return os.memfd_create(name, flags)


def load() -> MemoryInterpreter:
    """Copies and seals the program this process runs."""
    source = os.open("/proc/self/exe", os.O_RDONLY | os.O_CLOEXEC)
    try:
        fd = _memfd("hakobu-python")
        try:
            size = os.fstat(source).st_size
            while (done := os.lseek(fd, 0, os.SEEK_CUR)) < size:
                os.sendfile(fd, source, None, size - done)
            os.fchmod(fd, 0o555)
            _seal(fd)
        except BaseException:
            os.close(fd)
            raise
    finally:
        os.close(source)
    directory = libpython_directory()
    return MemoryInterpreter(fd, sys.executable, {"LD_LIBRARY_PATH": directory} if directory else {})


def _seal(fd: int) -> None:
    try:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS | F_SEAL_EXEC)  # Linux 6.3
    except OSError:
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
