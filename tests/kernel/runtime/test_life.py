"""What outlives the daemon: shims, logs and exit codes; and what the log holds."""

import asyncio
import gzip
import json
import os
import signal
import socket
from pathlib import Path
from typing import Any

from tests.kernel.runtime.bed import CGROUP, Bed, Box, config, in_bed, read_all, unframe
from tests.kernel.runtime.test_rest import at_rest

from hakobu.kernel import cgroup
from hakobu.runtime.failure import StepFailed
from hakobu.runtime.link import Shims
from hakobu.spec.plan import Attachment, Created, Exit, LogTarget, RuntimeEvent
from hakobu.spec.step import Place, Step


class Second:
    """A later daemon's side of the same shims."""

    def __init__(self, where: Path) -> None:
        self.shims = Shims(str(where / "shims"))
        self.seen: list[RuntimeEvent] = []

    async def __aenter__(self) -> "Second":
        self._task = asyncio.create_task(self._follow())
        return self

    async def _follow(self) -> None:
        async for event in self.shims.events():
            self.seen.append(event)

    async def __aexit__(self, *error: object) -> None:
        self.shims.close()
        await self._task

    async def until(self, kind: str) -> RuntimeEvent:
        async with asyncio.timeout(10):
            while True:
                for event in self.seen:
                    if event.kind == kind:
                        return event
                await asyncio.sleep(0.01)


def test_a_later_daemon_adopts_what_runs(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(config("sh", "-c", "while read line; do echo got $line; done; exit 4"))
        ours, theirs = socket.socketpair()
        first = Attachment(theirs.detach(), stdin=True, stdout=False, stderr=False)
        created = await box.start((first,), open_stdin=True, stdin_once=True)
        os.kill(bed.shims.launcher_pid, signal.SIGKILL)
        async with Second(tmp_path) as later:
            found = await later.shims.adopt(box.id)
            assert isinstance(found, Created)
            assert (found.pid, found.shim_pid) == (created.pid, created.shim_pid)
            assert found.start_time_ticks == created.start_time_ticks
            ours.sendall(b"one\n")
            ours.shutdown(socket.SHUT_WR)
            event = await later.until("exit")
            assert event.exit is not None and event.exit.code == 4
            assert box.text() == "got one\n"
            await later.shims.delete(box.id)
        ours.close()

    in_bed(tmp_path, body)


def test_a_container_whose_daemon_dies_before_its_start_goes_with_it(tmp_path: Path) -> None:
    """Nobody will start it: neither its process nor its shim nor its cgroup stays."""

    async def body(bed: Bed) -> None:
        box = bed.box(config("sleep", "1000"))
        created = await box.create()
        bed.shims.close()
        for pid in (created.pid, created.shim_pid):
            while is_there(pid):
                await asyncio.sleep(0.02)
        assert not cgroup.open_tree().cgroup(f"/{CGROUP}/{box.id}").exists()

    in_bed(tmp_path, body)


def is_there(pid: int) -> bool:
    """What has ended and was handed to us is reaped by the bed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def test_an_end_without_a_daemon_is_found_on_disk(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(config("sh", "-c", "read x; echo late; exit 9"))
        ours, theirs = socket.socketpair()
        await box.start((Attachment(theirs.detach(), stdin=True, stdout=False, stderr=False),), open_stdin=True)
        connection = bed.shims._shims.pop(box.id)  # the daemon is gone
        connection.quiet = True
        connection.close()
        ours.sendall(b"go\n")
        ours.close()
        exit_file = tmp_path / "shims" / box.id / "exit"
        async with asyncio.timeout(10):
            while not exit_file.exists():
                await asyncio.sleep(0.01)
        async with Second(tmp_path) as later:
            found = await later.shims.adopt(box.id)
            assert isinstance(found, Exit) and found.code == 9
        assert box.text() == "late\n"

    in_bed(tmp_path, body)


def test_nothing_is_known_of_a_stranger(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        assert await bed.shims.adopt("f" * 64) is None

    in_bed(tmp_path, body)


def test_a_launcher_that_died_is_replaced(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        old = bed.shims.launcher_pid
        os.kill(old, signal.SIGKILL)
        await asyncio.sleep(0.05)
        for _ in range(2):
            assert (await bed.box(config("true")).run()).code == 0
        assert bed.shims.launcher_pid != old

    in_bed(tmp_path, body)


def lines_of(path: Path) -> list[dict[str, Any]]:
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line) for line in raw.splitlines()]


def test_rotation_keeps_every_line_in_order(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(config("sh", "-c", "for n in $(seq 1 2000); do echo line $n; done"))
        await box.run(log=LogTarget("json-file", str(box.log_path), max_bytes=20_000, max_files=50, compress=True))
        while list(tmp_path.glob("*.part")):  # one is still being compressed
            await asyncio.sleep(0.02)
        files = sorted(
            tmp_path.glob(f"{box.log_path.name}*"), key=lambda p: -int("0" + p.name.split(".log")[1].strip(".gz"))
        )
        assert len(files) > 5
        lines = [line["log"] for file in files for line in lines_of(file)]
        assert lines == [f"line {n}\n" for n in range(1, 2001)]
        assert max(len(json.dumps(lines_of(f))) for f in files[:1]) < 30_000

    in_bed(tmp_path, body)


def test_the_log_s_format_is_docker_s(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        script = (
            r"""printf 'plain\nquo"te\\ tab\t<&> \360\237\231\202\nbad\377byte\n'; printf %20000s x; printf '\nrest'"""
        )
        box = bed.box(config("sh", "-c", script))
        await box.run()
        logged = box.logged()
        assert [line["log"] for line in logged[:3]] == ["plain\n", 'quo"te\\ tab\t<&> \U0001f642\n', "bad\ufffdbyte\n"]
        assert [len(line["log"]) for line in logged[3:5]] == [16384, 20000 - 16384 + 1]
        assert logged[5]["log"] == "rest"
        assert all(set(line) == {"log", "stream", "time"} and line["time"].endswith("Z") for line in logged)
        assert box.log_path.read_bytes().startswith(b'{"log":"plain\\n","stream":"stdout","time":"20')

    in_bed(tmp_path, body)


def test_a_published_port_is_held_and_forwarded(tmp_path: Path) -> None:
    """Without rules in the kernel: the shim's own socket carries it."""

    async def body(bed: Bed) -> None:
        port: dict[str, Any] = {"protocol": "tcp", "host_ip": "127.0.0.1", "host_port": 0, "host_port_end": 0}
        target = {"container_ip": "127.0.0.1", "container_ipv6": "", "container_port": 9}
        step = Step("port.reserve", Place.SHIM, {**port, **target}, ("bind", "listen"))
        server = socket.create_server(("127.0.0.1", 0))
        target["container_port"] = server.getsockname()[1]
        step = Step("port.reserve", Place.SHIM, {**port, **target}, ("bind", "listen"))
        box = bed.box(config("sleep", "1000"), network_steps=(step,))
        created = await box.start()
        assert created.ports[0].host_port > 0
        client = socket.create_connection(("127.0.0.1", created.ports[0].host_port))
        loop = asyncio.get_running_loop()
        server.setblocking(False)
        inner, _ = await loop.sock_accept(server)
        client.setblocking(False)
        inner.setblocking(False)
        data = os.urandom(1 << 20)

        async def echo() -> None:
            while part := await loop.sock_recv(inner, 1 << 16):
                await loop.sock_sendall(inner, part)
            inner.shutdown(socket.SHUT_WR)

        echoing = asyncio.create_task(echo())

        async def send() -> None:
            await loop.sock_sendall(client, data)
            client.shutdown(socket.SHUT_WR)

        sending = asyncio.create_task(send())
        assert await read_all(client) == data
        await asyncio.gather(echoing, sending)
        inner.close()
        server.close()
        other = bed.box(
            config("true"),
            network_steps=(Step("port.reserve", Place.SHIM, {**step.args, "host_port": created.ports[0].host_port}),),
        )
        try:
            await other.run()
        except Exception as error:
            assert "address already in use" in str(error)
        else:
            raise AssertionError("the port was given twice")

    in_bed(tmp_path, body)


def test_the_root_is_seen_from_outside(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(config("sh", "-c", "echo inside > /dev/shm/x; sleep 1000"))
        await box.start()
        root_fd = await bed.shims.root(box.id)
        async with asyncio.timeout(5):
            while True:
                try:
                    fd = os.open("dev/shm/x", os.O_RDONLY, dir_fd=root_fd)
                    break
                except FileNotFoundError:
                    await asyncio.sleep(0.01)
        assert os.read(fd, 100) in (b"inside\n", b"")
        os.close(fd)
        os.close(root_fd)

    in_bed(tmp_path, body)


def test_an_exec_s_output_is_complete_when_its_end_is_told(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(config("sleep", "1000"))
        await box.start()
        for _ in range(5):
            code, out, _ = await box.output_of("sh", "-c", "seq 1 5000; exit 3")
            assert (code, len(out.splitlines())) == (3, 5000)
        assert unframe(b"") == (b"", b"")

    in_bed(tmp_path, body)


def test_a_storm_of_starts_and_execs_leaves_nothing(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        gate = asyncio.Semaphore(6)
        endings = ((("true",), 0), (("nosuch",), 127), (("sh", "-c", "exit 3"), 3))

        async def start(number: int) -> None:
            argv, code = endings[number % 3]
            async with gate:
                box = bed.box(config(*argv))
                try:
                    assert (await box.run()).code == code
                except StepFailed as failure:
                    assert failure.exit_code == code
                await bed.shims.delete(box.id)

        async def execute(box: Box, number: int) -> None:
            async with gate:
                out = f"{number}\n".encode()
                assert await box.output_of("sh", "-c", f"echo {number}; exit {number % 7}") == (number % 7, out, b"")

        await asyncio.gather(*(start(n) for n in range(36)))
        box = bed.box(config("sleep", "1000"))
        await box.start()
        shim = await at_rest(box)
        before = len(os.listdir(f"/proc/{shim}/fd"))
        await asyncio.gather(*(execute(box, n) for n in range(36)))
        await at_rest(box)
        assert len(os.listdir(f"/proc/{shim}/fd")) == before
        assert not [name for name in os.listdir(tmp_path / "shims") if len(name) == 64 and name != box.id]

    in_bed(tmp_path, body)
