"""The OCI command line from a cold start, against runc: one process, which has to load Python and itself."""

import json
import sys

from bench.figure import Figure, median
from bench.process import output
from bench.world import World

_RUNS = 25
_RUNC_SHARE = 1.5


def measure(world: World) -> list[Figure]:
    """`run` of true as a share of what it may take: one and a half of runc's time and one bare start of Python."""
    inside = ["unshare", "-m", "--propagation", "private", sys.executable, "-m", "bench.cold"]
    told = json.loads(output([*inside, str(world.folder / "cold"), str(_RUNS)]))
    return [
        _figure("hakobu-runtime run true / (1.5 runc + bare python)", told["plain"]),
        _figure("the same with a seccomp profile", told["filtered"]),
    ]


def _figure(name: str, raw: dict[str, list[float]]) -> Figure:
    ours, runc, bare = (median(raw[key]) for key in ("ours_ms", "runc_ms", "python_ms"))
    detail = f"{ours:.0f} ms; runc {runc:.0f}, python {bare:.0f}; {ours / runc:.2f} of runc"
    return Figure(name, ours / (_RUNC_SHARE * runc + bare), 1.0, "", detail=detail, raw=raw)
