"""The runtime without an engine: launcher, shim and child of a container that ends at once, from the plan's
hand-over to the report of its exit. Network namespace and mounts as the engine's defaults make them.
"""

import asyncio
import tempfile
import time
from pathlib import Path

from tests.kernel.runtime.bed import Bed, config, in_bed

_PAUSE_S = 0.01


def rounds(where: Path, count: int) -> list[float]:
    """Milliseconds of each container's create, start and end."""
    times: list[float] = []

    async def body(bed: Bed) -> None:
        for number in range(-3, count):
            box = bed.box(config("true"))
            started = time.perf_counter()
            ended = await box.run()
            elapsed = time.perf_counter() - started
            assert ended.code == 0, ended
            if number >= 0:
                times.append(elapsed * 1e3)
            await asyncio.sleep(_PAUSE_S)

    where.mkdir()
    # an engine's shims keep their state below /run, in memory
    with tempfile.TemporaryDirectory(dir="/run", prefix="hakobu-bench-") as shims:
        in_bed(where, body, shims_dir=shims)
    return times
