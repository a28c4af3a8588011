"""Makes a container from a bundle; its process waits until `start` lets it go."""

from hakobu.runtime_cli.context import Context
from hakobu.runtime_cli.launch import leave_at_gate
from hakobu.runtime_cli.making import OPTIONS, make_container
from hakobu.runtime_cli.option import Parsed

__all__ = ["OPTIONS", "run"]


def run(context: Context, given: Parsed) -> int:
    made = make_container(context, given, gated=True, detached=True)
    leave_at_gate(made.spawned)
    return 0
