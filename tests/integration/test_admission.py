"""Whose files an engine of root's is started from: root's, or those of the caller of sudo."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import hakobu

ALICE = 1000  # any uid but root's


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the package as a user's clone has it: every file the user's own."""
    source = tmp_path / "src"
    shutil.copytree(Path(hakobu.__file__).parent, source / "hakobu", ignore=shutil.ignore_patterns("__pycache__"))
    for path in [source, *source.rglob("*")]:
        os.chown(path, ALICE, ALICE)
    return source


def check(source: Path, **env: str) -> subprocess.CompletedProcess[str]:
    code = (
        f"import sys; sys.path.insert(0, {str(source)!r}); from hakobu.daemon.admission import check_code; check_code()"
    )
    return subprocess.run([sys.executable, "-B", "-c", code], env=env, capture_output=True, text=True)


def test_the_files_of_who_called_sudo_run(checkout: Path) -> None:
    assert check(checkout, SUDO_UID=str(ALICE)).returncode == 0


@pytest.mark.parametrize("env", [{}, {"SUDO_UID": str(ALICE + 1)}])
def test_the_files_of_somebody_else_do_not(checkout: Path, env: dict[str, str]) -> None:
    answer = check(checkout, **env)
    assert answer.returncode == 1
    assert f"belongs to uid {ALICE}: code that others can change must not run as root" in answer.stderr


def test_files_that_a_group_may_change_do_not_run(checkout: Path) -> None:
    (checkout / "hakobu").chmod(0o775)
    assert "is writable by group or others" in check(checkout, SUDO_UID=str(ALICE)).stderr


def test_root_of_the_host_is_told_that_rootless_is_for_users() -> None:
    code = "from hakobu.daemon.starting import main; raise SystemExit(main(['--rootless']))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.returncode == 1
    assert answer.stderr == (
        "hakobu daemon: --rootless is for an ordinary user's engine, and this is root\nleave the flag out\n"
    )


@pytest.mark.parametrize("enter", ["chroot", "pivot_root"])
def test_an_engine_does_not_start_in_a_chroot(tmp_path: Path, enter: str) -> None:
    """A root that was only chrooted into is not that of the mount namespace; one that was pivoted into is."""
    within = {"chroot": "exec chroot . ", "pivot_root": "mkdir -p old && pivot_root . old && exec "}[enter]
    code = "from hakobu.daemon.admission import check_root_directory; check_root_directory()"
    path = Path(hakobu.__file__).parent.parent
    script = (
        f"mount --bind --make-private {tmp_path} {tmp_path} && mount --rbind / {tmp_path} && cd {tmp_path} && "
        f"{within}{sys.executable} -I -c "
        f"'import sys; sys.path.insert(0, \"{path}\"); {code}'"
    )
    answer = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True)
    told = "was started in a chroot" in answer.stderr
    assert (answer.returncode, told) == ((1, True) if enter == "chroot" else (0, False)), answer.stderr
