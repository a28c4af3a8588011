"""An engine to be hurt: its processes, what it holds of the machine, and what must agree after every fault."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.integration.daemon import Daemon

from hakobu.client.engine import Engine
from hakobu.spec.instance import Instance

PRINT = "i=0; while :; do echo line $i; i=$((i+1)); usleep 5000; done"


@dataclass(frozen=True, slots=True)
class Counts:
    """Of the daemon and what runs beside it: descriptors, threads, private memory. Of the machine: the rest."""

    descriptors: int
    threads: int
    memory_kb: int
    mounts: int
    links: int
    cgroups: int
    rules: int
    shims: int
    zombies: int

    def grown(self, since: "Counts", *, memory_kb: int, others: int) -> list[str]:
        """What there is more of than is allowed."""
        before, after = asdict(since), asdict(self)
        return [
            f"{name} {before[name]} → {after[name]}"
            for name in after
            if after[name] - before[name] > (memory_kb if name == "memory_kb" else others)
        ]

    def __str__(self) -> str:
        return " ".join(f"{name}={value}" for name, value in asdict(self).items())


@dataclass(slots=True)
class Hurt:
    """The engine of a soak. `folder` is short, because unix sockets' paths are."""

    daemon: Daemon

    @property
    def instance(self) -> Instance:
        return Instance(f"{self.daemon.folder}/data", f"{self.daemon.folder}/exec")

    @property
    def pid(self) -> int:
        assert self.daemon.process is not None
        return self.daemon.process.pid

    @contextlib.contextmanager
    def client(self) -> Iterator[Engine]:
        with Engine(self.daemon.url) as client:
            yield client

    def run(self, *command: str, **config: Any) -> str:
        """A container that is started; its id."""
        name = config.pop("name", "")
        with self.client() as client:
            body = {"Image": "busybox", "Cmd": list(command), **config}
            created = client.containers.create(body, name=name)
            client.containers.start(created["Id"])
        return str(created["Id"])

    def state(self, container: str) -> dict[str, Any]:
        with self.client() as client:
            return client.containers.inspect(container)["State"]

    def log(self, container: str) -> list[str]:
        return self.daemon.hakobu("logs", container).stdout.splitlines()

    def restart(self) -> float:
        """kill -9 and a new daemon; seconds until it answers."""
        self.daemon.kill()
        return self.start()

    def start(self) -> float:
        began = time.monotonic()
        self.daemon.start()
        return time.monotonic() - began

    def beside(self) -> list[int]:
        """The daemon's own children that live on: launcher, workers, readers; no shim."""
        return [pid for pid in children(self.pid) if pid not in self.shims()]

    def shims(self) -> set[int]:
        """Parents of the containers that run."""
        found: set[int] = set()
        with self.client() as client:
            for item in client.containers.list():
                pid = client.containers.inspect(item["Id"])["State"]["Pid"]
                if pid:
                    found.add(parent(pid))
        return found

    def count(self) -> Counts:
        pids = [self.pid, *children(self.pid)]
        return Counts(
            descriptors=sum(len(listed(f"/proc/{pid}/fd")) for pid in pids),
            threads=sum(len(listed(f"/proc/{pid}/task")) for pid in pids),
            memory_kb=private_kb(self.pid),
            mounts=len(Path("/proc/self/mountinfo").read_text().splitlines()),
            links=len(socket.if_nameindex()),
            cgroups=len(self.cgroups()),
            rules=subprocess.run(["nft", "list", "ruleset"], capture_output=True, check=True).stdout.count(b"\n"),
            shims=len(listed(f"{self.instance.exec_root}/shims")),
            zombies=sum(status(pid)[0] == "Z" for pid in pids),
        )

    def cgroups(self) -> set[str]:
        """Names of the containers' cgroups, of whichever hierarchy."""
        parent = self.instance.cgroup_parent.strip("/")
        found: set[str] = set()
        for top in (Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").iterdir()):
            if (top / parent).is_dir():
                found |= {entry.name for entry in (top / parent).iterdir() if entry.is_dir()}
        return {name for name in found if len(name) == 64}

    def remove_all(self) -> None:
        with self.client() as client:
            for item in client.containers.list(all=True):
                client.containers.remove(item["Id"], force=True, volumes=True)

    def disagreements(self) -> list[str]:
        """What the record says against what kernel and disk have; empty where all is well."""
        with self.client() as client:
            known = {item["Id"]: item["State"] for item in client.containers.list(all=True)}
            pids = {cid: client.containers.inspect(cid)["State"]["Pid"] for cid in known}
        running = {cid for cid, state in known.items() if state in ("running", "paused")}
        wrong = [f"{cid[:12]} runs without a process" for cid in running if not os.path.exists(f"/proc/{pids[cid]}")]
        wrong += [f"cgroup of {name[:12]}, which does not run" for name in self.cgroups() - running]
        on_disk = {name for name in listed(f"{self.instance.data_root}/containers") if len(name) == 64}
        wrong += [f"directory of {name[:12]}, which is unknown" for name in on_disk - {*known}]
        wrong += [f"no directory of {name[:12]}" for name in {*known} - on_disk]
        wrong += [
            f"shim of {n[:12]}, which is unknown"
            for n in listed(f"{self.instance.exec_root}/shims")
            if n not in known and n[0] != "."
        ]
        return wrong

    def settle(self, what: Callable[[], list[str]] | None = None, within_s: float = 20.0) -> float:
        """Waits until nothing disagrees; seconds that took."""
        began = time.monotonic()
        while wrong := (what or self.disagreements)():
            assert time.monotonic() - began < within_s, "; ".join(wrong)
            time.sleep(0.05)
        return time.monotonic() - began


def listed(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def status(pid: int) -> tuple[str, int]:
    """State and parent; of a process that is gone an empty state."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return "", 0
    return fields[0], int(fields[1])


def parent(pid: int) -> int:
    return status(pid)[1]


def children(pid: int) -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit() and parent(int(entry)) == pid]


def named(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def private_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(("Private_Clean", "Private_Dirty")))


def kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
