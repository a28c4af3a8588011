"""Lets a paused container go on."""

from hakobu.runtime_cli.container import find
from hakobu.runtime_cli.context import Context, Failed
from hakobu.runtime_cli.option import Parsed

OPTIONS = ()


def run(context: Context, given: Parsed) -> int:
    container = find(context.root, given.operand(0, "container id"))
    with container.lock():
        group = container.cgroup()
        if not group.exists() or not group.is_frozen():
            raise Failed(f"container not paused: {container.id} is {container.status()}")
        group.thaw()
    return 0
