"""Limits as callers of runtimes write them: a 0 where a value makes no sense says that nothing is asked for.

dockerd sends every field of an update, most of them 0; runc passes those over, and so must who stands in its place.
"""

from hakobu.spec.dataclass import replace
from hakobu.spec.resources import Resources


def without_zeros(resources: Resources) -> Resources:
    """`swappiness` and `idle` may be 0 and mean it."""
    memory, cpu, block = resources.memory, resources.cpu, resources.block_io
    return replace(
        resources,
        memory=replace(
            memory,
            limit=memory.limit or None,
            reservation=memory.reservation or None,
            swap=memory.swap or None,
        ),
        cpu=replace(
            cpu,
            shares=cpu.shares or None,
            quota=cpu.quota or None,
            period=cpu.period or None,
            burst=cpu.burst or None,
            realtime_runtime=cpu.realtime_runtime or None,
            realtime_period=cpu.realtime_period or None,
        ),
        block_io=replace(block, weight=block.weight or None),
        pids_limit=resources.pids_limit or None,
    )
