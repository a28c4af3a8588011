"""Running and timing programs, and looking at what processes cost."""

import os
import subprocess
import time
from pathlib import Path


def timed(argv: list[str], *, status: int = 0) -> float:
    """Seconds from starting `argv` to its end; AssertionError where it ends with another status."""
    devnull = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, devnull, fd) for fd in (0, 1)]
    started = time.perf_counter()
    pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=actions)
    _, raw = os.waitpid(pid, 0)
    elapsed = time.perf_counter() - started
    os.close(devnull)
    assert os.waitstatus_to_exitcode(raw) == status, f"{' '.join(argv)} ended with {os.waitstatus_to_exitcode(raw)}"
    return elapsed


def output(argv: list[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{' '.join(argv)} ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


def in_network_of(name: str) -> set[int]:
    """The processes whose network namespace is the one called `name`: an engine's own, not its containers'."""
    wanted = os.stat(f"/run/netns/{name}").st_ino
    found: set[int] = set()
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and os.stat(f"/proc/{entry}/ns/net").st_ino == wanted:
                found.add(int(entry))
        except OSError:
            continue
    return found


def private_bytes(pids: set[int]) -> int:
    """Memory that is these processes' alone."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        own = [line for line in lines if line.startswith(("Private_Clean", "Private_Dirty"))]
        total += sum(int(line.split()[1]) * 1024 for line in own)
    return total


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""
