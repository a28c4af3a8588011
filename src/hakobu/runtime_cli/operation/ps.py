"""Shows the container's processes: their ids as JSON, or the lines of the host's ps that belong to them."""

import json
import os
import shutil

from hakobu.runtime_cli.container import find
from hakobu.runtime_cli.context import Context, Failed
from hakobu.runtime_cli.option import Option, Parsed

OPTIONS = (Option(("format", "f")),)


def run(context: Context, given: Parsed) -> int:
    container = find(context.root, given.operand(0, "container id"))
    format = given.text("format", "table")
    pids = container.cgroup().processes()
    if format == "json":
        print(json.dumps(pids))
        return 0
    if format != "table":
        raise Failed(f"invalid format option: {format}")
    words = given.operands[1:] or ("-ef",)
    header, *lines = _ps(list(words)).splitlines()
    columns = header.split()
    if "PID" not in columns:
        raise Failed("couldn't find PID field in ps output")
    at = columns.index("PID")
    print(header)
    wanted = {str(pid) for pid in pids}
    for line in lines:
        fields = line.split()
        if len(fields) > at and fields[at] in wanted:
            print(line)
    return 0


def _ps(words: list[str]) -> str:
    """Of the host, by an absolute path; never the container's own (CVE-2022-1227)."""
    program = shutil.which("ps", path="/usr/bin:/bin:/usr/sbin:/sbin")
    if program is None:
        raise Failed("there is no ps on this host: use --format json")
    read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
    actions = [(os.POSIX_SPAWN_DUP2, write_fd, 1)]
    pid = os.posix_spawn(program, ["ps", *words], {"PATH": "/usr/bin:/bin"}, file_actions=actions)
    os.close(write_fd)
    with open(read_fd, encoding="utf-8", errors="replace") as file:
        text = file.read()
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        raise Failed(f"ps {' '.join(words)} failed")
    return text
