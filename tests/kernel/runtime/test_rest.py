"""A shim at rest: alone with its container, small, and awake when anything happens."""

import asyncio
import os
import re
import select
import signal
import socket
from pathlib import Path
from typing import Any

from tests.kernel.runtime.bed import Bed, Box, config, in_bed, read_all
from tests.kernel.runtime.test_exec import attachment, until

from hakobu.runtime.link import Shims
from hakobu.spec.plan import Created, LogTarget
from hakobu.spec.resources import DEFAULT_DEVICE_RULES, Memory, Resources
from hakobu.spec.step import Place, Step


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def at_rest(box: Box) -> int:
    """Waits until its shim has no child but the container; the shim's pid."""
    created = box.created
    assert created is not None
    async with asyncio.timeout(20):
        while children(created.shim_pid) != [created.pid]:
            await asyncio.sleep(0.02)
    return created.shim_pid


async def resting(bed: Bed, *argv: str, stdio: dict[str, Any] | None = None, **changes: Any) -> Box:
    box = bed.box(config(*argv, **changes))
    await box.start(**(stdio or {}))
    await at_rest(box)
    return box


def private_kb(pid: int) -> int:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(kb) for kb in re.findall(r"^Private_\w+: +(\d+) kB", rollup, re.MULTILINE))


def test_it_costs_little_also_after_much_was_printed_and_executed(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        others = [await resting(bed, "sleep", "1000") for _ in range(2)]  # memory of one alone is nobody's
        box = await resting(bed, "sh", "-c", "read x; seq 10000; sleep 1000", stdio={"open_stdin": True})
        assert private_kb(await at_rest(box)) < 700
        ours, theirs = attachment(stdin=True)
        await bed.shims.attach(box.id, "", theirs)
        await asyncio.get_running_loop().sock_sendall(ours, b"go\n")
        await until(ours, rb"\b10000\n")
        ours.close()
        assert await box.output_of("echo", "hi") == (0, b"hi\n", b"")
        assert private_kb(await at_rest(box)) < 700
        assert len(box.logged()) == 10_000
        assert all(other.created for other in others)

    in_bed(tmp_path, body)


def test_a_line_goes_on_where_it_was_left(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        script = "printf 'one\\nhalf '; read x; printf 'rest %s\\n' $x; cat; exit 7"
        box = await resting(bed, "sh", "-c", script, stdio={"open_stdin": True, "stdin_once": True})
        assert [line["log"] for line in box.logged()] == ["one\n"]
        ours, theirs = attachment(stdin=True)
        await bed.shims.attach(box.id, "", theirs)
        await asyncio.get_running_loop().sock_sendall(ours, b"typed\nmore\n")
        ours.shutdown(socket.SHUT_WR)  # its stdin ends with the client's
        assert (await box.exit_of()).code == 7
        await read_all(ours)
        assert [line["log"] for line in box.logged()] == ["one\n", "half rest typed\n", "more\n"]

    in_bed(tmp_path, body)


def test_a_terminal_is_held(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        script = "while read x; do stty size; done"
        box = await resting(
            bed, "sh", "-c", script, process_terminal=True, stdio={"tty": True, "open_stdin": True, "rows": 5}
        )
        await bed.shims.resize(box.id, "", 33, 11)
        await at_rest(box)
        ours, theirs = attachment(stdin=True)
        await bed.shims.attach(box.id, "", theirs)
        await asyncio.get_running_loop().sock_sendall(ours, b"\n")
        await until(ours, rb"11 33\r\n")
        ours.close()
        await at_rest(box)
        await bed.shims.signal(box.id, "", signal.SIGKILL)
        assert (await box.exit_of()).signal == signal.SIGKILL

    in_bed(tmp_path, body)


def test_an_end_is_told_and_kept(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = await resting(bed, "sleep", "1000")
        assert box.created is not None
        os.kill(box.created.pid, signal.SIGKILL)
        told = await box.exit_of()
        assert (told.code, told.signal, told.oom_killed) == (137, signal.SIGKILL, False)
        again = Shims(str(tmp_path / "shims"))
        assert await again.adopt(box.id) == told
        again.close()

    in_bed(tmp_path, body)


def test_a_kill_for_want_of_memory_is_told(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        limits = Resources(devices=DEFAULT_DEVICE_RULES, memory=Memory(limit=16 << 20, swap=16 << 20))
        script = "read x; head -c 100000000 /dev/zero | tail; exit 3"
        box = await resting(bed, "sh", "-c", script, linux_resources=limits, stdio={"open_stdin": True})
        ours, theirs = attachment(stdin=True)
        await bed.shims.attach(box.id, "", theirs)
        await asyncio.get_running_loop().sock_sendall(ours, b"go\n")
        told = await box.exit_of()
        ours.close()
        assert (told.code, told.oom_killed) == (3, True)
        assert [event.kind for event in bed.seen if event.container_id == box.id].count("oom") == 1

    in_bed(tmp_path, body)


def test_a_later_daemon_finds_it(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = await resting(bed, "sleep", "1000")
        shims = Shims(str(tmp_path / "shims"))
        for _ in range(2):  # the second connection finds it at rest again
            found = await shims.adopt(box.id)
            assert isinstance(found, Created) and box.created is not None
            assert (found.pid, found.shim_pid) == (box.created.pid, box.created.shim_pid)
            shims.close()
            await at_rest(box)
            shims = Shims(str(tmp_path / "shims"))
        shims.close()

    in_bed(tmp_path, body)


def test_a_published_port_is_served(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        loop = asyncio.get_running_loop()
        with socket.create_server(("127.0.0.1", 0)) as server:
            server.setblocking(False)
            port: dict[str, Any] = {"protocol": "tcp", "host_ip": "127.0.0.1", "host_port": 0, "host_port_end": 0}
            port |= {"container_ip": "127.0.0.1", "container_ipv6": "", "container_port": server.getsockname()[1]}
            step = Step("port.reserve", Place.SHIM, port, ("bind", "listen"))
            box = bed.box(config("sleep", "1000"), network_steps=(step,))
            created = await box.start()
            for _ in range(2):
                await at_rest(box)
                with socket.create_connection(("127.0.0.1", created.ports[0].host_port)) as client:
                    inner, _ = await loop.sock_accept(server)
                    client.sendall(b"ping")
                    assert await loop.sock_recv(inner, 10) == b"ping"
                    inner.close()

    in_bed(tmp_path, body)


def test_a_rotated_log_goes_on(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        script = "while read n; do seq $n; done"
        log = LogTarget("json-file", str(tmp_path / "log"), max_bytes=3000, max_files=50)
        box = await resting(bed, "sh", "-c", script, stdio={"open_stdin": True, "log": log})
        for _ in range(2):
            ours, theirs = attachment(stdin=True)
            await bed.shims.attach(box.id, "", theirs)
            await asyncio.get_running_loop().sock_sendall(ours, b"100\n")
            await until(ours, rb"\b100\n")
            ours.close()
            await at_rest(box)
        names = sorted(tmp_path.glob("log*"), key=lambda path: -int(path.suffix[1:] or 0))
        assert len(names) > 3
        lines = [line for name in names for line in name.read_text().splitlines()]
        numbers = [int(re.findall(r'"log":"(\d+)', line)[0]) for line in lines]
        assert numbers == [*range(1, 101)] * 2

    in_bed(tmp_path, body)


def test_a_server_that_is_killed_takes_its_container_with_it(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = await resting(bed, "sleep", "1000")
        shim = await at_rest(box)
        assert box.created is not None
        pidfd = os.pidfd_open(box.created.pid)
        bed.shims.foresee_exec(box.id)  # something to do
        while not (servers := [pid for pid in children(shim) if pid != box.created.pid]):
            await asyncio.sleep(0.01)
        os.kill(servers[0], signal.SIGKILL)
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        assert poll.poll(20_000)
        os.close(pidfd)
        while not [event for event in bed.seen if event.kind == "gone"]:
            await asyncio.sleep(0.01)
        await bed.shims.delete(box.id)

    in_bed(tmp_path, body)
