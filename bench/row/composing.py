"""Projects of many services: our compose on our engine against docker compose on dockerd."""

import os
from pathlib import Path

from bench.engine import HAKOBU, ROOT, Engine
from bench.figure import Figure, in_turns, median
from bench.process import timed
from bench.world import World

_COMPOSE = str(ROOT / ".state" / "docker-compose")
_SERVICES = 10
_MANY = 100
_RUNS = 5
_CONFIGURED = 300
_STEPS = (("up -d of {}", 0.3), ("up -d of {} with nothing to do", 0.3), ("down of {}", 0.3))


def measure(world: World) -> list[Figure]:
    small, large = _project(world.folder / "ten", _SERVICES), _project(world.folder / "hundred", _MANY)
    figures: list[Figure] = []
    turns = {engine.name: [_turn(engine, small) for _ in range(_RUNS)] for engine in world.rivals}
    for index, (name, goal) in enumerate(_STEPS):
        ours, theirs = (median([turn[index] for turn in turns[e.name]]) for e in world.rivals)
        detail = f"{ours:.2f} / {theirs:.2f} s"
        figures.append(
            Figure(f"compose {name.format(_SERVICES)}, ours / docker compose", ours / theirs, goal, "", detail=detail)
        )
    ten = median([turn[0] for turn in turns[world.ours.name]])
    hundred = _turn(world.ours, large)[0]
    detail = f"{hundred:.2f} / {ten:.2f} s"
    figures.append(
        Figure(f"compose up of {_MANY} services, against that of {_SERVICES}", hundred / ten, 12, "x", detail=detail)
    )
    configured = _included(world.folder / "included")
    raw = in_turns(_RUNS, ours_s=lambda _: timed([HAKOBU, "compose", "-f", str(configured), "config", "-q"]))
    figures.append(Figure(f"compose config of {_CONFIGURED} services", median(raw["ours_s"]), 1, "s", raw=raw))
    return figures


def _turn(engine: Engine, file: Path) -> list[float]:
    """Seconds of an up, of another, and of a down."""
    compose = [HAKOBU, "compose"] if engine.name == "hakobu" else [_COMPOSE]
    os.environ["DOCKER_HOST"] = os.environ["HAKOBU_HOST"] = f"unix://{engine.socket}"
    try:
        run = [*compose, "-f", str(file)]
        found = [timed([*run, "up", "-d"]), timed([*run, "up", "-d"])]
        return [*found, timed([*run, "down", "-t", "0"])]
    finally:
        del os.environ["DOCKER_HOST"], os.environ["HAKOBU_HOST"]


def _project(folder: Path, services: int) -> Path:
    folder.mkdir()
    lines = ["services:"]
    for number in range(services):
        lines += [f"  s{number}:", "    image: busybox", "    command: sleep 1000"]
    (folder / "compose.yaml").write_text("\n".join(lines) + "\n")
    return folder / "compose.yaml"


def _included(folder: Path) -> Path:
    """Ten files of thirty services, included by one; each service extends one of its file's own."""
    folder.mkdir()
    includes: list[str] = []
    for part in range(10):
        lines = ["services:", f"  base{part}:", "    image: busybox", "    environment: {A: '1', B: '${HOME}'}"]
        for number in range(_CONFIGURED // 10 - 1):
            lines += [
                f"  p{part}s{number}:",
                f"    extends: {{service: base{part}}}",
                f"    ports: ['{8000 + number}']",
            ]
        (folder / f"part{part}.yaml").write_text("\n".join(lines) + "\n")
        includes.append(f"  - part{part}.yaml")
    (folder / "compose.yaml").write_text("\n".join(["include:", *includes]) + "\n")
    return folder / "compose.yaml"
