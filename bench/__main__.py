"""`python -m bench [ROW...]`: runs the rows, prints the table, writes `bench/out/figures.json`.

Ends with 1 where a goal is missed or a row could not be measured.
"""

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from bench.engine import DOCKER, ROOT
from bench.figure import Figure
from bench.row import (
    client,
    cold,
    composing,
    crash,
    crowd,
    event,
    execution,
    latency,
    listing,
    load,
    memory,
    port,
    printing,
    pull,
    rolling,
    start,
    transfer,
)
from bench.world import World, world

# in this order: the idle engine is measured before it has run anything
ROWS: dict[str, Callable[[World], list[Figure]]] = {
    "idle": memory.measure_idle,
    "run": start.measure_run,
    "api": start.measure_api,
    "runtime": start.measure_runtime,
    "cold": cold.measure,
    "exec": execution.measure,
    "memory": memory.measure_container,
    "cli": client.measure_start,
    "first-run": client.measure_first_run,
    "load": load.measure,
    "scale": start.measure_scale,
    "port": port.measure,
    "printing": printing.measure,
    "latency": latency.measure,
    "crash": crash.measure,
    "ps": listing.measure,
    "events": event.measure,
    "transfer": transfer.measure,
    "pull": pull.measure,
    "crowd": crowd.measure,
    "compose": composing.measure,
    "rolling": rolling.measure,
}


def _machine() -> dict[str, str]:
    docker = subprocess.run([DOCKER, "--version"], capture_output=True, text=True).stdout.strip()
    dockerd = subprocess.run(["dockerd", "--version"], capture_output=True, text=True).stdout.strip()
    return {
        "kernel": platform.release(),
        "processors": str(os.cpu_count()),
        "load": " ".join(f"{value:.1f}" for value in os.getloadavg()),
        "python": platform.python_version(),
        "client": docker,
        "rival": dockerd,
    }


def main(argv: list[str]) -> int:
    unknown = [name for name in argv if name not in ROWS]
    if unknown:
        print(f"no such row: {' '.join(unknown)}; rows: {' '.join(ROWS)}", file=sys.stderr)
        return 2
    if os.geteuid() != 0:
        print("the bench starts engines: run it as root", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # or the engines would outlive the bench
    machine = _machine()
    print("; ".join(f"{key} {value}" for key, value in machine.items()), flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="hakobu-bench-", ignore_cleanup_errors=True) as folder,
        world(Path(folder)) as rivals,
    ):
        figures, broken = _measure(argv or list(ROWS), rivals)
    _write(machine, figures)
    missed = [figure.name for figure in figures if not figure.met]
    print(f"{len(figures) - len(missed)} of {len(figures)} goals met; {len(missed)} missed, {len(broken)} broken")
    return 1 if missed or broken else 0


def _measure(names: list[str], rivals: World) -> tuple[list[Figure], list[str]]:
    """The figures of these rows, and the names of those that could not be measured."""
    figures: list[Figure] = []
    broken: list[str] = []
    for name in names:
        try:
            measured = ROWS[name](rivals)
        except Exception:
            traceback.print_exc()
            broken.append(name)
            print(f"ERROR {name}", flush=True)
            continue
        for figure in measured:
            print(figure.line(), flush=True)
        figures += measured
    return figures, broken


def _write(machine: dict[str, str], figures: list[Figure]) -> None:
    path = ROOT / "bench" / "out" / "figures.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [asdict(figure) | {"met": figure.met} for figure in figures]
    path.write_text(json.dumps({"machine": machine, "figures": rows}, indent=1) + "\n")
    print(f"raw numbers: {path.relative_to(ROOT)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
