"""The installed command: a read-only mount of its interpreter, made by its first call and renewed when it is old."""

import errno
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.kernel.runtime_cli.bundle import bundle, installed

from hakobu.runtime_cli import interpreter


def call(command: tuple[str, ...], **how: object) -> str:
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True, **how)  # pyright: ignore
    assert not done.stderr
    return done.stdout


def mounts(where: Path) -> list[str]:
    """Those for commands below `where`: the host's own lie below the ones of a test."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line for line in lines if line.split()[4].startswith(f"{interpreter.ROOT}{where}/")]


def test_the_first_call_makes_it_and_later_ones_need_nothing_else(tmp_path: Path) -> None:
    with installed(tmp_path) as command:
        assert "hakobu-runtime version" in call(command)
        (line,) = mounts(tmp_path)
        assert line.split()[4] == f"{interpreter.ROOT}{command[0]}/python3"
        assert {"ro", "nosuid", "nodev"} <= {*line.split()[5].split(",")}
        (Path(command[0]).parent / "python3").unlink()
        call(command)
        (later,) = mounts(tmp_path)
        assert later.split()[0] == line.split()[0]


def test_what_waits_to_enter_a_container_runs_from_it(tmp_path: Path) -> None:
    """Who reopens the program of a process that is about to become the container's meets a read-only file system."""
    with installed(tmp_path) as command, bundle(tmp_path, command) as box:
        assert box.create("sleep", "1000").code == 0
        program = f"/proc/{box.state()['pid']}/exe"
        assert os.readlink(program).startswith(interpreter.ROOT)
        fd = os.open(program, os.O_PATH)
        try:
            box.kill_and_reap()  # while it runs, the kernel says that its text is busy
            with pytest.raises(OSError) as refused:
                os.open(f"/proc/self/fd/{fd}", os.O_WRONLY)
            assert refused.value.errno == errno.EROFS
        finally:
            os.close(fd)


def test_an_interpreter_that_was_upgraded_is_mounted_anew(tmp_path: Path) -> None:
    with installed(tmp_path) as command:
        call(command)
        mounted = f"{interpreter.ROOT}{command[0]}/python3"
        original = os.path.realpath(Path(command[0]).parent / "python3")
        shutil.copy(original, f"{original}.new")
        os.rename(f"{original}.new", original)
        assert not os.path.samefile(mounted, original)
        call(command)
        assert os.path.samefile(mounted, original)
        assert len(mounts(tmp_path)) == 1


def test_a_command_that_was_installed_anew_is_asked_again(tmp_path: Path) -> None:
    """The environment may be another one by now: what boot.py says of it is written again."""
    with installed(tmp_path) as command:
        call(command)
        boot = Path(f"{interpreter.ROOT}{command[0]}/boot.py")
        boot.write_text("raise SystemExit('of an earlier environment')")
        os.utime(boot, (1, 1))
        call(command)
        assert "hakobu.runtime_cli" in boot.read_text()
        assert len(mounts(tmp_path)) == 1


@pytest.mark.parametrize("name", ["./hakobu-runtime", "../bin/hakobu-runtime"])
def test_by_a_relative_name_and_by_a_link(tmp_path: Path, name: str) -> None:
    with installed(tmp_path) as command:
        folder = Path(command[0]).parent
        for _ in range(2):
            call((name,), cwd=folder)
        (tmp_path / "link").symlink_to(command[0])
        for _ in range(2):
            call((str(tmp_path / "link"),))
        assert len(mounts(tmp_path)) == 2


def test_where_no_mount_can_be_made_it_runs_from_memory(tmp_path: Path) -> None:
    with installed(tmp_path) as command, bundle(tmp_path, command) as box:
        Path(interpreter.ROOT).write_text("in its way")
        assert box.create("sleep", "1000").code == 0
        assert os.readlink(f"/proc/{box.state()['pid']}/exe").startswith("/memfd:")
