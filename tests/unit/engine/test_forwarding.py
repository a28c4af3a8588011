"""The process that sends logs: its end, however it comes, keeps no container from starting and leaves nothing."""

import asyncio
import os
import signal
import socket
from pathlib import Path

from tests.unit.engine.sample import container

from hakobu.engine.logs.forwarding import Forwarding
from hakobu.spec.container import ContainerSpec
from hakobu.spec.log_config import LogConfig


def logging_to(port: int, folder: Path, name: str):
    (folder / name).mkdir()
    log = LogConfig(driver="gelf", options={"gelf-address": f"udp://127.0.0.1:{port}"})
    return container(id=name, name=name, log_path=f"{folder}/{name}/log", spec=ContainerSpec(image="i", log=log))


def forwarder() -> int:
    """The one process of this one's that sends logs."""
    found: list[int] = []
    for task in os.listdir("/proc/self/task"):
        found += [int(pid) for pid in Path(f"/proc/self/task/{task}/children").read_text().split()]
    (pid,) = [pid for pid in found if b"logs.forwarder" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return pid


def is_there(pid: int) -> bool:
    """Also one that has ended and that nobody has waited for."""
    return Path(f"/proc/{pid}").exists()


def end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def test_a_process_that_ends_with_the_last_container_it_served_is_followed_by_another(tmp_path: Path):
    async def scenario(port: int) -> None:
        forwarding = Forwarding(lambda name: f"{tmp_path}/{name}")
        await forwarding.begin(logging_to(port, tmp_path, "first"))
        pid = forwarder()
        end(pid)
        forwarding.end("first")  # the word of it meets nobody
        await asyncio.sleep(0)
        await forwarding.begin(logging_to(port, tmp_path, "second"))
        other = forwarder()
        assert not is_there(pid)
        await forwarding.close()
        assert not is_there(other)

    with socket.socket(type=socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        asyncio.run(scenario(receiver.getsockname()[1]))
