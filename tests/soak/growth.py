"""Long runs: many containers, many cycles, many kills, many copies of a data root."""

import os
import random
import shutil
import subprocess
import threading
import time
from pathlib import Path

from tests.integration.daemon import Daemon
from tests.soak.engine import Counts, Hurt, children, kill, named, parent

from hakobu.client.error import ClientError


def many_containers(hurt: Hurt, scale: int) -> str:
    """F18: up to a thousand that run at once: `ps` under a second, less than half a megabyte of the daemon's each."""
    count = min(100 * scale, 1000)
    before = hurt.count()
    body = {"Image": "busybox", "Cmd": ["sleep", "10000"], "HostConfig": {"NetworkMode": "none"}}
    began = time.monotonic()
    with hurt.client() as client:
        ids = [str(client.containers.create(body)["Id"]) for _ in range(count)]
        for cid in ids:
            client.containers.start(cid)
        started_s = time.monotonic() - began
        began = time.monotonic()
        assert len(client.containers.list()) == count
        listed_s = time.monotonic() - began
        during = hurt.count()
        each_kb = (during.memory_kb - before.memory_kb) / count
        assert listed_s < 1 and each_kb < 500, (listed_s, each_kb)
        began = time.monotonic()
        for cid in ids:
            client.containers.remove(cid, force=True)
        removed_s = time.monotonic() - began
    assert removed_s < 120
    hurt.settle(lambda: hurt.count().grown(before, memory_kb=60_000, others=5) + hurt.disagreements())
    return (
        f"{count}: started in {started_s:.1f} s, ps {listed_s * 1e3:.0f} ms, {each_kb:.0f} kB each in the daemon, "
        f"removed in {removed_s:.1f} s"
    )


def cycles(hurt: Hurt, scale: int) -> str:
    """F19: create, start, rm by eight at once, up to 5,000: nothing grows, and memory no more after the first third."""
    total = min(300 * scale, 5000)
    left, lock, failures = [total], threading.Lock(), list[str]()
    longest = [0.0]

    def work() -> None:
        with hurt.client() as client:
            while True:
                with lock:
                    if left[0] <= 0:
                        return
                    left[0] -= 1
                began = time.monotonic()
                try:
                    cid = client.containers.create({"Image": "busybox", "Cmd": ["true"]})["Id"]
                    client.containers.start(cid)
                    client.containers.remove(cid, force=True)
                except (ClientError, OSError) as error:
                    failures.append(str(error))
                longest[0] = max(longest[0], time.monotonic() - began)

    hurt.run("true")
    hurt.remove_all()
    before = hurt.count()
    workers = [threading.Thread(target=work) for _ in range(8)]
    began = time.monotonic()
    for worker in workers:
        worker.start()
    third: Counts | None = None
    while any(worker.is_alive() for worker in workers):
        time.sleep(0.1)
        if third is None and left[0] <= total * 2 // 3:
            third = hurt.count()
    took = time.monotonic() - began
    assert not failures, f"{len(failures)} failed: {failures[0]}"
    assert third is not None
    hurt.settle(lambda: hurt.count().grown(before, memory_kb=40_000, others=5) + hurt.disagreements())
    after = hurt.count()
    slope = (after.memory_kb - third.memory_kb) / (total * 2 / 3)
    assert slope < 8, f"{slope:.1f} kB a cycle"
    return (
        f"{total} in {took:.0f} s, longest {longest[0]:.2f} s, {slope:+.2f} kB a cycle; before {before}; after {after}"
    )


def anybody_killed(hurt: Hurt, scale: int) -> str:
    """kill -9 of daemon, launcher, resolver and shims at random during starts: afterwards all agree, and it works."""
    kills: dict[str, int] = {"daemon": 0, "launcher": 0, "resolver": 0, "shim": 0}
    done, stop = [0], threading.Event()
    hurt.daemon.hakobu("network", "create", "named")

    def work() -> None:
        while not stop.is_set():
            try:
                with hurt.client() as client:
                    host = {"NetworkMode": random.choice(("named", "none"))}
                    body = {"Image": "busybox", "Cmd": ["sleep", "100"], "HostConfig": host}
                    cid = client.containers.create(body)["Id"]
                    client.containers.start(cid)
                    client.containers.remove(cid, force=True)
                    done[0] += 1
            except (ClientError, OSError):
                time.sleep(0.05)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    try:
        for _ in range(15 * scale):
            time.sleep(random.uniform(0.05, 0.4))
            kills[_kill_one(hurt)] += 1
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    hurt.settle(within_s=30)
    hurt.remove_all()
    took = hurt.settle()
    assert hurt.daemon.hakobu("run", "--rm", "--network", "named", "busybox", "echo", "works").stdout == "works\n"
    hurt.daemon.hakobu("network", "rm", "named")
    told = ", ".join(f"{number} of {name}" for name, number in kills.items())
    return f"{told}, during {done[0]} whole starts; agreed after {took:.1f} s"


def _kill_one(hurt: Hurt) -> str:
    what = random.choice(("daemon", "launcher", "resolver", "shim"))
    folder = str(hurt.daemon.folder)
    if what == "daemon":
        hurt.restart()
    elif what == "shim":
        inits = [
            pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if named(pid).startswith("sleep 100 ")
        ]
        for init in inits[:1]:
            kill(parent(init))
    else:
        word = "hakobu.runtime.launcher" if what == "launcher" else f"{folder}/exec/resolver"
        for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
            if word in named(pid) and (what == "resolver" or pid in children(hurt.pid)):
                kill(pid)
                break
    return what


def killed_between(hurt: Hurt, scale: int) -> str:
    """The daemon dies right after a create was answered and while its start is under way: no shim is left unadopted."""
    for number in range(10 * scale):
        with hurt.client() as client:
            cid = client.containers.create({"Image": "busybox", "Cmd": ["sleep", "1000"]})["Id"]
        starting = hurt.daemon.start_hakobu("start", cid)
        time.sleep(0.04 * (number % 10))
        hurt.restart()
        starting.communicate(timeout=30)
        hurt.settle()
        state = hurt.state(cid)
        if not state["Running"]:
            hurt.daemon.hakobu("start", cid)
        hurt.daemon.hakobu("rm", "-f", cid)
    hurt.settle()
    return f"{10 * scale} kills"


def copies(hurt: Hurt, scale: int) -> str:
    """F8: the data root copied at random moments, and an engine started on the copy: what was answered is there."""
    answered: list[str] = []
    stop = threading.Event()

    def work() -> None:
        with hurt.client() as client:
            while not stop.is_set():
                host = {"NetworkMode": "none"}  # the copy's networks have the original's ids
                cid = str(client.containers.create({"Image": "busybox", "Cmd": ["true"], "HostConfig": host})["Id"])
                answered.append(cid)
                client.containers.start(cid)
                client.containers.wait(cid).result()
                if len(answered) > 30:
                    gone = answered.pop(0)
                    client.containers.remove(gone, force=True)

    longest = 0.0
    worker = threading.Thread(target=work)
    worker.start()
    try:
        for number in range(5 * scale):
            time.sleep(random.uniform(0.1, 0.5))
            longest = max(longest, _start_on_copy(hurt, answered, number))
            assert worker.is_alive(), "the work beside the copies failed"
    finally:
        stop.set()
        worker.join()
    return f"{5 * scale} copies, the longest start {longest:.1f} s"


def _start_on_copy(hurt: Hurt, answered: list[str], number: int) -> float:
    folder = Path(f"{hurt.daemon.folder}-{number}")
    folder.mkdir()
    expected = set(answered[2:])
    # a copy that takes time sees files that come and go: cp's complaints about those are part of the fault
    subprocess.run(["cp", "-a", f"{hurt.daemon.folder}/data", f"{folder}/data"], capture_output=True, check=False)
    expected &= set(answered[1:])
    copy = Hurt(Daemon(folder))
    try:
        took = copy.start()
        with copy.client() as client:
            found = {item["Id"] for item in client.containers.list(all=True)}
            names = {name for image in client.images.list() for name in image["RepoTags"] or []}
        assert took < 10 and "busybox:latest" in names, (took, names)
        assert expected <= found, f"{len(expected - found)} answered containers are missing"
        copy.remove_all()
        copy.daemon.hakobu("run", "--rm", "--network", "none", "busybox", "true")
    finally:
        copy.daemon.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return took
