"""Network namespaces of the test's own: nothing here ever acts in the host's."""

import contextlib
import ctypes
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class Namespace:
    """A network namespace held by a sleeping process. `run` calls a function inside it, in a forked child."""

    def __init__(self) -> None:
        self._holder = subprocess.Popen(["unshare", "-n", "sleep", "infinity"])
        self.pid = self._holder.pid
        own = os.readlink("/proc/self/ns/net")
        while os.readlink(f"/proc/{self.pid}/ns/net") == own:
            time.sleep(0.005)
        self.run(lambda: sh("ip link set lo up"))

    def close(self) -> None:
        self._holder.kill()
        self._holder.wait()

    def run(self, function: Callable[[], Any]) -> Any:
        read_fd, write_fd = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(read_fd)
            self._inside(function, write_fd)
        os.close(write_fd)
        with os.fdopen(read_fd, "rb") as answer:
            data = answer.read()
        os.waitpid(pid, 0)
        ok, value = pickle.loads(data) if data else (False, RuntimeError("the child died"))  # noqa: S301
        if not ok:
            raise value
        return value

    def _inside(self, function: Callable[[], Any], write_fd: int) -> None:
        try:
            ns_fd = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)
            if _libc.setns(ns_fd, CLONE_NEWNET) < 0:
                raise OSError(ctypes.get_errno(), "setns")
            os.close(ns_fd)
            answer = (True, function())
        except BaseException as e:
            answer = (False, e)
        os.write(write_fd, pickle.dumps(answer))
        os._exit(0)


def sh(line: str) -> str:
    return subprocess.run(line, shell=True, check=True, capture_output=True, text=True).stdout


def resolvers(directory: str) -> list[int]:
    """Not the forks by which one enters a namespace for a moment: these are children of another."""
    found: dict[int, int] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{entry}/cmdline") as file:
                if f"{directory}/names.json" in file.read().split("\0"):
                    found[int(entry)] = parent_of(entry)
    return [pid for pid, parent in found.items() if parent not in found]


def parent_of(pid: str) -> int:
    with open(f"/proc/{pid}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def end_resolvers(directory: str) -> None:
    """Daemons leave the resolver running; a test does not."""
    for pid in resolvers(directory):
        os.kill(pid, signal.SIGTERM)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)


@pytest.fixture
def namespaces() -> Iterator[Callable[[], Namespace]]:
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    made: list[Namespace] = []

    def make() -> Namespace:
        made.append(Namespace())
        return made[-1]

    yield make
    for namespace in made:
        namespace.close()


@pytest.fixture
def serving() -> Iterator[Callable[..., None]]:
    """Servers in namespaces: each connection is told the client's address as the server sees it."""
    servers: list[subprocess.Popen[bytes]] = []

    def serve(namespace: Namespace, port: int) -> None:
        command = ["nsenter", "-t", str(namespace.pid), "-n", sys.executable, "-c", SERVER, str(port)]
        servers.append(subprocess.Popen(command, stdout=subprocess.PIPE))
        out = servers[-1].stdout
        assert out is not None and out.readline() == b"ready\n"

    yield serve
    for server in servers:
        server.kill()
        server.wait()
        if server.stdout:
            server.stdout.close()


SERVER = """
import socket, sys
server = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready", flush=True)
while True:
    client, address = server.accept()
    client.send(address[0].removeprefix("::ffff:").encode())
    client.close()
"""
