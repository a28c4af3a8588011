import os
import select
from pathlib import Path

from tests.child import in_child

from hakobu.kernel import mount as m
from hakobu.kernel import pty
from hakobu.kernel.process import CLONE_NEWNS


def test_a_pair_of_a_private_devpts(tmp_path: Path) -> None:
    def body() -> list[object]:
        devpts = m.new_mount("devpts", {"newinstance": None, "ptmxmode": "0666", "mode": "0620"})
        master, slave = pty.open_pair(devpts)
        pty.set_window_size(master, 40, 70000)
        os.write(slave, b"a\n")
        shown = os.read(master, 10).decode()
        pty.set_raw(slave)
        os.write(slave, b"b\n")
        raw = os.read(master, 10).decode()
        return [
            pty.number(master),
            list(pty.window_size(slave)),
            shown,
            raw,
            os.stat("0", dir_fd=devpts).st_mode & 0o777,
        ]

    number, size, shown, raw, mode = in_child(body, CLONE_NEWNS)
    assert (number, size, shown, raw) == (0, [40, 65535], "a\r\n", "b\n")
    assert mode == 0o620


def test_a_session_leader_gets_its_terminal(tmp_path: Path) -> None:
    def body() -> str:
        devpts = m.new_mount("devpts", {"newinstance": None, "ptmxmode": "0666"})
        master, slave = pty.open_pair(devpts)
        before = pty.set_raw(slave)
        pty.restore(slave, before)
        os.setsid()
        pty.make_controlling(slave)
        tty = os.open("/dev/tty", os.O_RDWR)
        os.write(tty, b"through tty")
        select.select([master], [], [])
        return os.read(master, 100).decode()

    assert in_child(body, CLONE_NEWNS) == "through tty"
