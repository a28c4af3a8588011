"""The rivals: our engine, Debian's dockerd, and an engine that does nothing; each on a socket of its own."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.process import output

ROOT = Path(__file__).resolve().parents[1]
DOCKER = shutil.which("docker") or "docker"
HAKOBU = str(ROOT / ".venv" / "bin" / "hakobu")
_START_S = 60.0


@dataclass(slots=True)
class Engine:
    """A running engine: where it listens, which network namespace it is in, how it was started."""

    name: str
    folder: Path
    netns: str
    argv: list[str]
    process: "subprocess.Popen[bytes]"

    @property
    def socket(self) -> str:
        return f"{self.folder}/engine.sock"

    def docker(self, *argv: str) -> list[str]:
        """The docker CLI's argv for this engine; the same program for every rival."""
        return [DOCKER, "-H", f"unix://{self.socket}", *argv]

    def inside(self, *argv: str) -> list[str]:
        """`argv` in the engine's network namespace, where its ports are published."""
        return ["nsenter", f"--net=/run/netns/{self.netns}", *argv]

    def start(self) -> None:
        self.process = _spawn(self.argv, self.folder)
        _await(self)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def _spawn(argv: list[str], folder: Path) -> "subprocess.Popen[bytes]":
    with open(folder / "log", "ab") as log:
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True)


def _await(engine: Engine) -> None:
    deadline = time.monotonic() + _START_S
    while subprocess.run(engine.docker("version"), capture_output=True).returncode:
        if engine.process.poll() is not None or time.monotonic() > deadline:
            log = (engine.folder / "log").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{engine.name} does not answer:\n{log}")
        time.sleep(0.05)


@contextmanager
def _network(name: str) -> Iterator[str]:
    output(["ip", "netns", "add", name])
    try:
        output(["ip", "-n", name, "link", "set", "lo", "up"])
        yield name
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)


@contextmanager
def running(name: str, folder: Path) -> Iterator[Engine]:
    """The engine `hakobu` or `dockerd` with roots below `folder`, in a new network namespace; gone at the end."""
    folder.mkdir(parents=True)
    with _network(f"bench-{name}-{os.getpid()}") as netns:
        socket = f"unix://{folder}/engine.sock"
        roots = ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "-H", socket]
        roots += ["--pidfile", f"{folder}/pid"]
        program = ["dockerd"] if name == "dockerd" else [sys.executable, "-I", "-m", "hakobu.daemon"]
        # dockerd mounts below its data root: a mount namespace of its own takes them along at its end
        argv = ["nsenter", f"--net=/run/netns/{netns}", *program, *roots]
        if name == "dockerd":
            script = 'mount --make-rshared / && exec "$@"'
            argv = [*argv[:2], "unshare", "-m", "--propagation", "private", "sh", "-c", script, "sh", *program, *roots]
        engine = Engine(name, folder, netns, argv, _spawn(argv, folder))
        try:
            _await(engine)
            yield engine
        finally:
            _clean_up(engine)


def _clean_up(engine: Engine) -> None:
    ids = subprocess.run(engine.docker("ps", "-aq"), capture_output=True, text=True).stdout.split()
    if ids:
        subprocess.run(engine.docker("rm", "-f", *ids), capture_output=True)
    engine.process.terminate()
    try:
        engine.process.wait(30)
    except subprocess.TimeoutExpired:
        engine.process.kill()


@contextmanager
def doing_nothing(folder: Path) -> Iterator[Engine]:
    """An engine that answers what the docker CLI asks at once, and starts nothing: the client's own share."""
    folder.mkdir(parents=True)
    argv = [sys.executable, "-m", "bench.nothing", f"{folder}/engine.sock"]
    with open(folder / "log", "ab") as log:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=ROOT)
    engine = Engine("nothing", folder, "", argv, process)
    try:
        _await(engine)
        yield engine
    finally:
        process.terminate()
        process.wait()
