"""An ordinary user of the test session: files, ids and a way to run commands as them, all of it private to the session.

The session's mount namespace is its own, so /etc/passwd, /etc/subuid and /dev/net/tun are covered there by ours and
the machine's stay as they are.
"""

import itertools
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.daemon import ROOT, image_archive
from tests.leaks import need

import hakobu
from hakobu.kernel import mount

_FIRST_UID = 64321  # of users that exist at the same time each has one of their own
_users = itertools.count()
_PYTHON = "/usr/bin/python3"
_GIVE_UP_S = 30.0
_MS_BIND = 1 << 12


@dataclass(slots=True)
class OrdinaryUser:
    """`hakobu` is their command line; the first one that needs an engine starts it."""

    home: Path
    uid: int
    _mounts: list[str] = field(default_factory=list[str])

    @property
    def name(self) -> str:
        return f"hakobu{self.uid}"

    @property
    def first_subid(self) -> int:
        return self.uid * 65536

    @property
    def runtime(self) -> Path:
        return self.home / "xdg"

    @property
    def exec_root(self) -> Path:
        return self.runtime / "hakobu"

    @property
    def data_root(self) -> Path:
        return self.home / ".local/share/hakobu"

    @property
    def socket(self) -> str:
        return f"unix://{self.exec_root}/hakobu.sock"

    @property
    def environment(self) -> dict[str, str]:
        path = os.environ.get("PATH", "/usr/bin:/bin")
        return {"HOME": str(self.home), "XDG_RUNTIME_DIR": str(self.runtime), "PATH": path, "LANG": "C.UTF-8"}

    def run(
        self, *argv: str, check: bool = True, stdin: Path | None = None, **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        with open(stdin or "/dev/null", "rb") as given:
            done = subprocess.run(
                argv,
                user=self.uid,
                group=self.uid,
                extra_groups=[],
                env={**self.environment, **environment},
                stdin=given,
                capture_output=True,
                text=True,
                cwd=self.home,
            )
        if check:
            assert done.returncode == 0, f"{argv} ended with {done.returncode}:\n{done.stdout}{done.stderr}{self.log()}"
        return done

    def hakobu(self, *argv: str, check: bool = True, stdin: Path | None = None) -> "subprocess.CompletedProcess[str]":
        return self.run(
            str(self.home / "venv/bin/python"), "-I", "-m", "hakobu.cli.main", *argv, check=check, stdin=stdin
        )

    def out(self, *argv: str) -> str:
        return self.hakobu(*argv).stdout.strip()

    def load(self, name: str) -> None:
        self.hakobu("load", "-q", stdin=image_archive(name))

    def log(self) -> str:
        path = self.home / ".local/state/hakobu/daemon.log"
        return path.read_text(errors="replace")[-3000:] if path.exists() else ""

    def processes(self) -> dict[int, str]:
        """Everything that runs as the user or as one of their subordinate ids: pid to command line."""
        found: dict[int, str] = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                uid = entry.stat().st_uid
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if line and (uid == self.uid or self.first_subid <= uid < self.first_subid + 65536):
                found[int(entry.name)] = line
        return found

    def daemon_pid(self) -> int:
        return int((self.exec_root / "hakobu.pid").read_text())

    def stop_daemon(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Returns when it has gone; containers and keeper stay."""
        pid = self.daemon_pid()
        os.kill(pid, how)
        self.wait_until(lambda: pid not in self.processes(), "the daemon's end")

    def wait_until(self, true: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + _GIVE_UP_S
        while not true():
            assert time.monotonic() < deadline, f"no {what}: {self.processes()}\n{self.log()}"
            time.sleep(0.02)

    def leave(self) -> None:
        """Everything the user runs, removed by the user's own commands; the rest would be a leak."""
        if self.processes() and self.hakobu("version", check=False).returncode == 0:
            if ids := self.out("ps", "-aq").split():
                self.hakobu("rm", "-fv", *ids)
            self.stop_daemon()
        self.wait_until(lambda: not self.processes(), "end of the user's processes")


def _cover(user: OrdinaryUser, source: Path, target: str) -> None:
    mount.mount(str(source), target, None, _MS_BIND)
    user._mounts.append(target)  # pyright: ignore[reportPrivateUsage]


def _with_line(user: OrdinaryUser, path: str, line: str) -> None:
    """The file as it is, and one line more, for this session alone."""
    copy = user.home.parent / path.replace("/", "_")
    text = "".join(
        other for other in Path(path).read_text().splitlines(keepends=True) if not other.startswith(f"{user.name}:")
    )
    copy.write_text(text + line)
    copy.chmod(0o644)
    _cover(user, copy, path)


def _open_tun(user: OrdinaryUser) -> None:
    """Closed to users on some machines: a node of our own lies over it."""
    info = os.stat("/dev/net/tun")
    folder = user.home.parent / "dev"
    folder.mkdir()
    mount.mount("tmpfs", str(folder), "tmpfs", 0, "size=4k")
    user._mounts.append(str(folder))  # pyright: ignore[reportPrivateUsage]
    os.mknod(folder / "tun", stat.S_IFCHR | 0o666, info.st_rdev)
    os.chmod(folder / "tun", 0o666)
    _cover(user, folder / "tun", "/dev/net/tun")


def _install(user: OrdinaryUser) -> None:
    """An environment of the user's own whose packages are this checkout's."""
    venv = user.home / "venv"
    subprocess.run([_PYTHON, "-m", "venv", "--without-pip", str(venv)], check=True)
    minor = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    site = venv / "lib" / minor / "site-packages"
    import msgspec

    for name, source in (
        ("hakobu-src", Path(hakobu.__file__).parents[1]),
        ("packages", Path(msgspec.__file__).parents[1]),
    ):
        place = user.home / name
        place.mkdir()
        _cover(user, source, str(place))
        with open(site / "checkout.pth", "a") as file:
            file.write(f"{place}\n")


@contextmanager
def ordinary_user(*, subordinate: bool = True) -> Iterator[OrdinaryUser]:
    """Gone with the context, and every process of theirs must be."""
    for program in ("newuidmap", "slirp4netns"):
        need(shutil.which(program) is not None, program)
    need(os.path.exists("/etc/subuid") and os.path.exists("/dev/net/tun"), "/etc/subuid and /dev/net/tun")
    version = subprocess.run(
        [_PYTHON, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True
    )
    need(
        version.stdout.split() == [str(n) for n in sys.version_info[:2]],
        f"{_PYTHON} of the version that runs the tests",
    )
    top = Path(tempfile.mkdtemp(prefix="hakobu-user-"))
    top.chmod(0o755)
    user = OrdinaryUser(top / "home", _FIRST_UID + next(_users))
    try:
        for folder in (user.home, user.runtime):
            folder.mkdir(mode=0o700)
        _with_line(user, "/etc/passwd", f"{user.name}:x:{user.uid}:{user.uid}::{user.home}:/bin/sh\n")
        for path in ("/etc/subuid", "/etc/subgid"):
            _with_line(user, path, f"{user.name}:{user.first_subid}:65536\n" if subordinate else "")
        _open_tun(user)
        _install(user)
        for path in (user.home, user.runtime):
            os.chown(path, user.uid, user.uid)
        try:
            yield user
        finally:
            user.leave()
    finally:
        for target in reversed(user._mounts):  # pyright: ignore[reportPrivateUsage]
            mount.umount2(target, mount.MNT_DETACH)
        shutil.rmtree(top)


@contextmanager
def on_an_overlay(user: OrdinaryUser) -> Iterator[None]:
    """Inside, an overlay is mounted where the user's data lie."""
    top = user.home.parent / "overlay"
    for name in ("lower", "upper", "work"):
        (top / name).mkdir(parents=True)
    user.run("mkdir", "-p", str(user.data_root))
    os.chown(top / "upper", user.uid, user.uid)
    options = f"lowerdir={top}/lower,upperdir={top}/upper,workdir={top}/work"
    mount.mount("overlay", str(user.data_root), "overlay", 0, options)
    try:
        yield
    finally:
        user.leave()
        mount.umount2(str(user.data_root), mount.MNT_DETACH)


FIRST_APP = ROOT / "examples/first-app/compose.yaml"
