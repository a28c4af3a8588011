"""Our own command line: its start, and its first run where no daemon is there yet."""

import os
import subprocess
import sys
import time

from bench.engine import HAKOBU, ROOT
from bench.figure import Figure, in_turns, median
from bench.process import command_line, in_network_of, output, timed
from bench.world import World

_RUNS = 15


def measure_start(_: World) -> list[Figure]:
    python = os.path.realpath(sys.executable)
    raw = in_turns(
        _RUNS,
        hakobu_s=lambda _: timed([HAKOBU, "version", "--client"]),
        python_s=lambda _: timed([python, "-I", "-S", "-c", "pass"]),
    )
    ours, bare = median(raw["hakobu_s"]), median(raw["python_s"])
    detail = f"{ours * 1e3:.0f} ms, python alone {bare * 1e3:.0f} ms"
    return [Figure("hakobu version --client, over bare python", (ours - bare) * 1e3, 30, "ms", detail=detail, raw=raw)]


def measure_first_run(world: World) -> list[Figure]:
    """`hakobu run` that has to start the daemon; in namespaces of its own, over the state of an earlier daemon.

    The caller's own socket and folders are hidden by mounts on /run and /var, so that a Hakobu of this machine is
    neither asked nor touched.
    """
    netns = f"bench-first-{os.getpid()}"
    folder = world.folder / "first"
    (folder / "lib").mkdir(parents=True)
    (folder / "log").mkdir()
    (folder / "run").mkdir()
    binds = " && ".join(
        f"mkdir -p {there} && mount --bind {here} {there}"
        for here, there in (
            (folder / "lib", "/var/lib/hakobu"),
            (folder / "log", "/var/log/hakobu"),
            (folder / "run", "/run/hakobu"),
        )
    )
    script = f'{binds} && cd {ROOT} && exec "$@"'

    def inside(*argv: str) -> list[str]:
        prefix = ["nsenter", f"--net=/run/netns/{netns}", "unshare", "-m", "--propagation", "private"]
        return [*prefix, "sh", "-c", script, "sh", *argv]

    from bench.image import recipe_archive

    times: list[float] = []
    output(["ip", "netns", "add", netns])
    try:
        output(["ip", "-n", netns, "link", "set", "lo", "up"])
        output(inside(HAKOBU, "load", "-i", str(recipe_archive("busybox"))))
        shell = timed(inside("true"))
        for _ in range(5):
            _end_engine(netns)
            times.append(timed(inside(HAKOBU, "run", "--rm", "busybox", "true")) - shell)
    finally:
        _end_engine(netns)
        subprocess.run(["ip", "netns", "del", netns], check=False)
    return [Figure("first hakobu run, no daemon running", median(times), 0.5, "s", raw={"run_s": times})]


def _end_engine(netns: str) -> None:
    """Ends the daemon that was started on demand in this namespace, and waits until its processes are gone."""
    deadline = time.monotonic() + 20
    while pids := in_network_of(netns):
        for pid in pids:
            if "hakobu" in command_line(pid):
                try:
                    os.kill(pid, 15)
                except ProcessLookupError:
                    pass
        if time.monotonic() > deadline:
            raise RuntimeError(f"still there: {[command_line(pid) for pid in pids]}")
        time.sleep(0.1)
