"""Attached terminals: size, resizing, keys that detach, statuses; our command line in a pseudo-terminal."""

import fcntl
import os
import pty
import select
import signal
import struct
import sys
import termios
import time

import pytest
from tests.integration import busybox_image
from tests.integration.test_cli_side_by_side import IMAGE, host, run, socket_path

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(not busybox_image.available(), reason="no /bin/busybox: install busybox-static"),
]
__all__ = ["host", "socket_path"]


class Terminal:
    """Our program in a pseudo-terminal of 31 lines and 97 columns."""

    def __init__(self, host: str, *argv: str) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["HAKOBU_HOST"] = host
            code = "import sys, hakobu.cli.main as m; sys.exit(m.dispatch('hakobu', sys.argv[1:]))"
            os.execv(sys.executable, [sys.executable, "-c", code, *argv])
        self.resize(31, 97)
        self.seen = ""

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def until(self, text: str, within_s: float = 20) -> str:
        """Reads until a text has come."""
        deadline = time.monotonic() + within_s
        while text not in self.seen:
            ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{text!r} did not come, but {self.seen!r}"
            try:
                self.seen += os.read(self.fd, 4096).decode(errors="replace")
            except OSError:
                break
        assert text in self.seen, self.seen
        return self.seen

    def type(self, text: str) -> None:
        self.seen = ""
        os.write(self.fd, text.encode())

    def end(self) -> int:
        """Reads to the end and gives the exit status."""
        while True:
            try:
                data = os.read(self.fd, 4096)
            except OSError:
                break
            if not data:
                break
            self.seen += data.decode(errors="replace")
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.fixture
def container(host):
    """A container with a terminal that runs a shell."""
    from hakobu.client import Engine

    engine = Engine(host)
    config = {"Image": IMAGE, "Cmd": ["sh"], "Tty": True, "OpenStdin": True, "AttachStdin": True}
    found = engine.containers.create(config, name="cli-tty")
    engine.containers.start(found["Id"])
    yield "cli-tty"
    engine.containers.remove("cli-tty", force=True)
    engine.close()


def test_a_run_has_the_terminals_size_and_gives_its_status(host):
    terminal = Terminal(host, "run", "--rm", "-it", IMAGE, "sh", "-c", "sleep 0.5; stty size; exit 7")
    terminal.until("31 97")
    assert terminal.end() == 7


def test_keys_interrupt_inside_and_a_new_size_arrives(host):
    terminal = Terminal(host, "run", "--rm", "-it", IMAGE, "sh")
    terminal.until("#")
    terminal.type("sleep 100\r")
    terminal.until("sleep 100")
    time.sleep(0.3)
    terminal.type("\x03")
    terminal.type("echo a$((6*7))b\r")
    terminal.until("a42b")
    terminal.resize(40, 120)
    os.kill(terminal.pid, signal.SIGWINCH)
    time.sleep(0.5)
    terminal.type("stty size\r")
    terminal.until("40 120")
    terminal.type("exit 5\r")
    assert terminal.end() == 5


def test_detach_keys_leave_the_container_running(host, container):
    terminal = Terminal(host, "attach", container)
    time.sleep(0.5)
    terminal.type("echo a$((1+1))b\r")
    terminal.until("a2b")
    terminal.type("\x10\x11")
    assert terminal.end() == 1
    assert "read escape sequence" in terminal.seen
    other = Terminal(host, "attach", "--detach-keys", "ctrl-x,a", container)
    time.sleep(0.5)
    other.type("\x18a")
    assert other.end() == 1


def test_an_exec_in_a_terminal(host, container):
    terminal = Terminal(host, "exec", "-it", container, "sh", "-c", "sleep 0.3; stty size; exit 6")
    terminal.until("31 97")
    assert terminal.end() == 6


def test_without_a_terminal_there_is_no_it(host):
    from tests.integration.test_cli_side_by_side import DOCKER

    assert DOCKER is None or run(DOCKER, host, ["run", "-it", "--rm", IMAGE, "true"])[0] == 1
