"""Checkpoint and restore are CRIU's work; where it cannot do it on this machine, its own word is the answer."""

import os
import shutil

from hakobu.runtime_cli.container import find
from hakobu.runtime_cli.context import Context, Failed
from hakobu.runtime_cli.option import Option, Parsed

_FLAGS = (
    "leave-running", "tcp-established", "tcp-skip-in-flight", "link-remap", "ext-unix-sk", "shell-job", "lazy-pages",
    "file-locks", "pre-dump", "auto-dedup", "detach", "d", "no-subreaper", "no-pivot",
)  # fmt: skip
_TEXTS = (
    "image-path", "work-path", "parent-path", "status-fd", "page-server", "manage-cgroups-mode", "empty-ns", "bundle",
    "b", "console-socket", "pid-file", "lsm-profile", "lsm-mount-context",
)  # fmt: skip
OPTIONS = (*(Option((name,), "nothing") for name in _FLAGS), *(Option((name,)) for name in _TEXTS))


def run(context: Context, given: Parsed) -> int:
    if not given.text("bundle"):
        find(context.root, given.operand(0, "container id"))
    program = shutil.which("criu", path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        raise Failed("checkpoint and restore need criu, which is not installed")
    if said := _refusal(program):
        raise Failed(f"criu cannot work on this machine: {said}")
    raise Failed("checkpoint and restore are not supported by hakobu-runtime")


def _refusal(program: str) -> str:
    """What `criu check` has to say against this kernel; empty where it is content."""
    read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
    actions = [(os.POSIX_SPAWN_DUP2, write_fd, 1), (os.POSIX_SPAWN_DUP2, write_fd, 2)]
    pid = os.posix_spawn(program, ["criu", "check"], {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, file_actions=actions)
    os.close(write_fd)
    with open(read_fd, encoding="utf-8", errors="replace") as file:
        text = file.read()
    failed = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0
    return (text.strip().splitlines() or ["no reason given"])[-1] if failed else ""
