"""Further processes in a running container, terminals, and clients attached to either."""

import asyncio
import contextlib
import os
import re
import secrets
import signal
import socket
from pathlib import Path

import pytest
from tests.kernel.runtime.bed import Bed, Box, config, in_bed, read_all, unframe
from tests.kernel.runtime.test_start import fields

from hakobu.runtime.failure import NoShim, StepFailed
from hakobu.spec.plan import Attachment, LogTarget
from hakobu.spec.runtime_config import User


def attachment(*, stdin: bool = False, **more: object) -> tuple[socket.socket, Attachment]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    return ours, Attachment(theirs.detach(), stdin=stdin, stdout=True, stderr=True, **more)  # type: ignore[arg-type]


async def until(sock: socket.socket, pattern: bytes, framed: bool = False) -> bytes:
    """Reads until what came matches; fails after ten seconds."""
    loop = asyncio.get_running_loop()
    seen = b""
    async with asyncio.timeout(10):
        while not re.search(pattern, unframe(seen)[0] if framed else seen):
            part = await loop.sock_recv(sock, 1 << 16)
            assert part, f"the stream ended after {seen!r}"
            seen += part
    return seen


def processes_of_shim(box: Box) -> list[int]:
    """The shim and, where something is going on, its server."""
    assert box.created is not None
    shim, init = box.created.shim_pid, box.created.pid
    children = Path(f"/proc/{shim}/task/{shim}/children").read_text().split()
    return [shim, *(int(child) for child in children if int(child) != init)]


async def running(bed: Bed, *argv: str, **changes: object) -> Box:
    box = bed.box(config(*(argv or ("sleep", "1000")), **changes))
    await box.start()
    return box


def test_an_exec_runs_where_the_container_runs(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = await running(bed)
        script = "hostname; ps | wc -l; "
        script += "for n in /proc/self/ns/*; do readlink $n; done; cat /proc/self/cgroup; echo err >&2; exit 3"
        code, out, err = await box.output_of("sh", "-c", script)
        assert (code, err) == (3, b"err\n")
        lines = out.decode().splitlines()
        assert lines[0] == "box"
        pid = box.created.pid if box.created else 0
        names = ("cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "time_for_children", "user", "uts")
        assert lines[2:12] == [os.readlink(f"/proc/{pid}/ns/{n}") for n in names]
        assert sorted(lines[12:]) == sorted(Path(f"/proc/{pid}/cgroup").read_text().splitlines())

    in_bed(tmp_path, body)


def test_an_exec_is_confined_as_the_container(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = await running(bed)
        _, out, _ = await box.output_of("cat", "/proc/self/status")
        status = fields(out.decode())
        expected = {"CapInh": 0, "CapEff": 0xA80425FB, "CapBnd": 0xA80425FB, "CapAmb": 0, "SigBlk": 0, "SigIgn": 0}
        assert {k: int(status[k], 16) for k in expected} == expected
        assert status["Seccomp"] == "2"
        _, out, _ = await box.output_of("sh", "-c", "id; ls -C /proc/self/fd; pwd", user=User(name="web"), cwd="/tmp")
        assert out.decode().splitlines() == [
            "uid=1000(web) gid=1001(web) groups=1(daemon),1001(web),2000(extra)",
            "0  1  2  3",
            "/tmp",
        ]

    in_bed(tmp_path, body)


@pytest.mark.parametrize(("argv", "code"), [(("nosuchcmd",), 127), (("/etc/passwd",), 126)])
def test_an_exec_that_cannot_run(tmp_path: Path, argv: tuple[str, ...], code: int) -> None:
    async def body(bed: Bed) -> None:
        box = await running(bed)
        with pytest.raises(StepFailed) as failure:
            await box.exec(*argv)
        assert failure.value.exit_code == code
        assert (await box.output_of("true"))[0] == 0

    in_bed(tmp_path, body)


def test_execs_end_with_their_container(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = await running(bed)
        exec_id = await box.exec("sleep", "1000")
        await bed.shims.signal(box.id, "", 9)
        assert (await box.exit_of()).code == 137
        assert (await box.exit_of(exec_id)).code == 137
        with pytest.raises((NoShim, StepFailed)):
            await box.exec("true")

    in_bed(tmp_path, body)


def test_an_exec_is_signalled_alone(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = await running(bed)
        exec_id = await box.exec("sleep", "1000")
        await bed.shims.signal(box.id, exec_id, 15)
        assert (await box.exit_of(exec_id)).code == 143
        assert not box.exit_of().done()

    in_bed(tmp_path, body)


def test_many_execs_at_once(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = await running(bed)
        answers = await asyncio.gather(*(box.output_of("sh", "-c", f"echo {n}; exit {n}") for n in range(20)))
        assert answers == [(n, f"{n}\n".encode(), b"") for n in range(20)]

    in_bed(tmp_path, body)


def test_stdin_reaches_the_process_and_its_end_too(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(config("sh", "-c", "wc -c; echo done"))
        ours, theirs = attachment(stdin=True, already_read=b"12345")
        await box.start((theirs,), open_stdin=True, stdin_once=True)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(ours, b"x" * 1_000_000)
        ours.shutdown(socket.SHUT_WR)
        assert unframe(await read_all(ours))[0] == b"1000005\ndone\n"
        assert (await box.exit_of()).code == 0

    in_bed(tmp_path, body)


def test_stdin_of_an_exec(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = await running(bed)
        ours, theirs = attachment(stdin=True)
        exec_id = await box.exec("cat", attachments=(theirs,), stdio={"open_stdin": True, "stdin_once": True})
        await asyncio.get_running_loop().sock_sendall(ours, b"through\n")
        ours.shutdown(socket.SHUT_WR)
        assert unframe(await read_all(ours))[0] == b"through\n"
        assert (await box.exit_of(exec_id)).code == 0

    in_bed(tmp_path, body)


def test_a_terminal_is_the_process_s_own(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(config("sh", "-c", "tty; stty size; ls -l /dev/console; cat", process_terminal=True))
        ours, theirs = attachment(stdin=True)
        await box.start((theirs,), tty=True, open_stdin=True, columns=100, rows=40)
        seen = (await until(ours, rb"console\r\n")).decode()
        assert seen.splitlines()[:2] == ["/dev/pts/0", "40 100"]
        assert "crw--w----" in seen.splitlines()[2]
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(ours, b"typed\n")
        await until(ours, rb"typed\r\ntyped\r\n")
        await loop.sock_sendall(ours, b"\x04")
        await read_all(ours)
        assert (await box.exit_of()).code == 0

    in_bed(tmp_path, body)


def test_a_terminal_of_an_exec_is_resized_and_interrupts(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = await running(bed)
        ours, theirs = attachment(stdin=True)
        script = "trap 'stty size' WINCH; stty size; while true; do sleep 0.1; done"
        exec_id = await box.exec(
            "sh", "-c", script, tty=True, attachments=(theirs,), stdio={"open_stdin": True, "columns": 80, "rows": 24}
        )
        await until(ours, rb"24 80\r\n")
        await bed.shims.resize(box.id, exec_id, 132, 50)
        await until(ours, rb"50 132\r\n")
        await asyncio.get_running_loop().sock_sendall(ours, b"\x03")
        await read_all(ours)
        assert (await box.exit_of(exec_id)).code == 130

    in_bed(tmp_path, body)


def test_detach_keys_leave_the_process_running(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(config("cat", process_terminal=True))
        ours, theirs = attachment(stdin=True, detach_keys=b"\x10\x11")
        await box.start((theirs,), tty=True, open_stdin=True)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(ours, b"a\x10")
        await loop.sock_sendall(ours, b"b\x10\x11never")
        seen = await read_all(ours)
        assert b"never" not in seen
        async with asyncio.timeout(5):
            while not [e for e in bed.seen if e.kind == "detach"]:
                await asyncio.sleep(0.01)
        assert not box.exit_of().done()
        again, theirs = attachment(stdin=True)
        await bed.shims.attach(box.id, "", theirs)
        await loop.sock_sendall(again, b"back\n")
        await until(again, rb"back")
        again.close()

    in_bed(tmp_path, body)


def test_a_client_that_comes_later_gets_the_log_and_what_follows(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        script = "for n in $(seq 1 3000); do echo line $n; done; read x; echo last"
        box = bed.box(config("sh", "-c", script))
        ours, theirs = attachment(stdin=True)
        await box.start((theirs,), open_stdin=True)
        await until(ours, b"line 3000\n", framed=True)
        late, theirs = attachment(replay_log=True)
        await bed.shims.attach(box.id, "", theirs)
        await asyncio.get_running_loop().sock_sendall(ours, b"go\n")
        assert unframe(await read_all(late))[0] == b"".join(b"line %d\n" % n for n in range(1, 3001)) + b"last\n"
        await read_all(ours)

    in_bed(tmp_path, body)


def test_the_log_alone_without_what_follows(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = await running(bed, "sh", "-c", "echo first; sleep 1000")
        async with asyncio.timeout(5):
            while not box.log_path.exists() or not box.log_path.stat().st_size:
                await asyncio.sleep(0.01)
        late, theirs = attachment(replay_log=True, stream=False)
        await bed.shims.attach(box.id, "", theirs)
        assert unframe(await read_all(late)) == (b"first\n", b"")

    in_bed(tmp_path, body)


def test_a_client_that_does_not_read_holds_back_its_container_and_nobody_s_memory(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(config("sh", "-c", "yes 0123456789012345678901234567890 | head -c 20000000"))
        ours, theirs = attachment()
        await box.start((theirs,))
        await asyncio.sleep(0.5)
        for pid in processes_of_shim(box):
            rss = int(re.findall(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[0])
            assert rss < 40_000
        assert len(unframe(await read_all(ours))[0]) == 20_000_000
        assert (await box.exit_of()).code == 0

    in_bed(tmp_path, body)


def test_clients_that_vanish(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(config("sh", "-c", "while true; do echo x; done"))
        await box.start(log=LogTarget("none", ""))  # were the test killed, it would print on and on
        for _ in range(20):
            ours, theirs = attachment()
            await bed.shims.attach(box.id, "", theirs)
            await until(ours, b"x")
            ours.close()
        await asyncio.sleep(0.2)
        for pid in processes_of_shim(box):
            fds = os.listdir(f"/proc/{pid}/fd")
            assert len(fds) < 25, fds

    in_bed(tmp_path, body)


def test_bytes_pass_unchanged_through_pipes(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = await running(bed)
        data = secrets.token_bytes(300_000)
        ours, theirs = attachment(stdin=True)
        await box.exec("cat", attachments=(theirs,), stdio={"open_stdin": True, "stdin_once": True})
        sending = asyncio.create_task(asyncio.get_running_loop().sock_sendall(ours, data))
        out = b""
        loop = asyncio.get_running_loop()
        while len(unframe(out)[0]) < len(data):
            out += await loop.sock_recv(ours, 1 << 16)
        await sending
        assert unframe(out)[0] == data
        ours.close()

    in_bed(tmp_path, body)


def test_an_announced_exec_runs_and_one_that_never_comes_costs_nothing_long(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(config("sleep", "100"))
        shim = (await box.start()).shim_pid
        children = Path(f"/proc/{shim}/task/{shim}/children")

        async def until(count: int) -> None:
            async with asyncio.timeout(10):
                while len(children.read_text().split()) != count:
                    await asyncio.sleep(0.01)

        await until(1)  # starter and server of the start itself have ended and were reaped
        bed.shims.foresee_exec(box.id)
        await until(2)
        assert await box.output_of("echo", "hi") == (0, b"hi\n", b"")
        bed.shims.foresee_exec(box.id)
        await until(2)
        await until(1)
        assert await box.output_of("echo", "later") == (0, b"later\n", b"")

    in_bed(tmp_path, body)


def test_behind_a_client_s_exec_the_next_is_made_ready_for_and_behind_a_health_check_not(tmp_path: Path) -> None:
    async def body(bed: Bed) -> None:
        box = bed.box(config("sleep", "100"))
        shim = (await box.start()).shim_pid

        def starters() -> list[str]:
            children = Path(f"/proc/{shim}/task/{shim}/children").read_text().split()
            servers = [pid for pid in children if Path(f"/proc/{pid}/comm").read_text() == "hakobu-shim\n"]
            return [pid for s in servers for pid in Path(f"/proc/{s}/task/{s}/children").read_text().split()]

        async def until(count: int) -> None:
            async with asyncio.timeout(10):
                while len(starters()) != count:
                    await asyncio.sleep(0.01)

        bed.shims.foresee_exec(box.id)
        assert await box.output_of("echo", "hi") == (0, b"hi\n", b"")
        await until(1)
        (ready,) = starters()
        assert await box.output_of("echo", "again") == (0, b"again\n", b"")  # by that one
        await until(1)
        assert starters() != [ready]
        await until(0)  # nobody came
        assert await box.output_of("echo", "health") == (0, b"health\n", b"")
        await asyncio.sleep(0.1)  # nothing to wait for: it must not come
        assert starters() == []

    in_bed(tmp_path, body)


def test_a_container_ends_although_an_exec_is_being_born_in_that_moment(tmp_path: Path) -> None:
    """A process in its pid namespace that nobody has reaped would keep the first one from ending, for ever."""

    async def body(bed: Bed) -> None:
        for round in range(40):
            box = bed.box(config("sleep", "100"))
            pid = (await box.start()).pid
            born = asyncio.create_task(box.exec("true"))
            await asyncio.sleep(round * 0.0003)
            os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(StepFailed):
                await born
            async with asyncio.timeout(60):
                assert (await box.exit_of()).signal == signal.SIGKILL

    in_bed(tmp_path, body)
