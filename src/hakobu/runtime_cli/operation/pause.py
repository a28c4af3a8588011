"""Freezes every process of a running container."""

from hakobu.runtime_cli.container import find
from hakobu.runtime_cli.context import Context, NotRunning
from hakobu.runtime_cli.option import Parsed

OPTIONS = ()


def run(context: Context, given: Parsed) -> int:
    container = find(context.root, given.operand(0, "container id"))
    with container.lock():
        status = container.status()
        if status not in ("running", "created"):
            raise NotRunning(container.id, status)
        container.cgroup().freeze()
    return 0
