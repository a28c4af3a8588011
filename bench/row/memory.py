"""Private memory: of the idle engine, with its resolver, and of each container more."""

import time

from bench.engine import Engine
from bench.figure import Figure
from bench.process import command_line, in_network_of, output, private_bytes
from bench.world import World

_CONTAINERS = 10
_MB = 1024 * 1024


def _engine_bytes(engine: Engine) -> int:
    return private_bytes(in_network_of(engine.netns))


def _settled(engine: Engine) -> int:
    time.sleep(7)  # a worker of the last copy waits five seconds for the next
    return _engine_bytes(engine)


def measure_idle(world: World) -> list[Figure]:
    """Before anything else has run: daemon and launcher; then with the resolver of a user's network."""
    engine = world.ours
    alone = _settled(engine)
    output(engine.docker("network", "create", "bench-net"))
    output(engine.docker("run", "-d", "--name", "resolved", "--network", "bench-net", "busybox", "sleep", "3600"))
    time.sleep(1)
    output(engine.docker("rm", "-f", "resolved"))
    with_resolver = _settled(engine)
    processes = "; ".join(sorted(command_line(pid)[:60] for pid in in_network_of(engine.netns)))
    output(engine.docker("network", "rm", "bench-net"))
    raw = {"alone_bytes": [float(alone)], "with_resolver_bytes": [float(with_resolver)]}
    return [
        Figure("idle engine: daemon and launcher", alone / _MB, 40, "MB", raw=raw),
        Figure("idle engine with the resolver", with_resolver / _MB, 60, "MB", detail=f"[{processes}]"),
    ]


def measure_container(world: World) -> list[Figure]:
    """What one more container costs: idle, and after 10,000 lines of log and one exec."""
    engine = world.ours
    for warm in ("warm1", "warm2"):
        output(engine.docker("run", "-d", "--name", warm, "busybox", "sh", "-c", "seq 100; sleep 3600"))
        output(engine.docker("exec", warm, "true"))
    before = _settled(engine)
    names = [f"mem{number}" for number in range(_CONTAINERS)]
    for name in names:
        output(engine.docker("run", "-d", "--name", name, "busybox", "sh", "-c", _PRINT_WHEN_TOLD))
    idle = (_settled(engine) - before) / _CONTAINERS
    for name in names:
        output(engine.docker("exec", name, "touch", "/go"))
    deadline = time.monotonic() + 60
    while any(len(output(engine.docker("logs", name)).splitlines()) < 10_000 for name in names):
        if time.monotonic() > deadline:
            raise RuntimeError("the lines did not arrive")
        time.sleep(0.5)
    used = (_settled(engine) - before) / _CONTAINERS
    output(engine.docker("rm", "-f", *names, "warm1", "warm2"))
    raw = {"idle_bytes": [idle], "used_bytes": [used]}
    return [
        Figure("one more container, idle", idle / _MB, 0.7, "MB", raw=raw),
        Figure("one more container, after 10,000 lines and an exec", used / _MB, 1.2, "MB"),
    ]


_PRINT_WHEN_TOLD = "while [ ! -e /go ]; do sleep 0.2; done; seq 10000; sleep 3600"
