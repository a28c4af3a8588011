"""From argv to an engine that is being built: configuration, what must not be, pid file, launcher.

The launcher is a process of its own and needs as long for its start as the daemon for its imports, so it is started
first of all and the two go side by side. Nothing heavy is imported at the top of this module.
Whose code may run as root is checked before anything else.
"""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Generator

import hakobu
from hakobu.daemon.admission import check_code, check_root_directory, check_user
from hakobu.daemon.logs import set_up
from hakobu.daemon.settings import Settings, parse
from hakobu.errors import HakobuError, Invalid
from hakobu.runtime.link import Shims

_log = logging.getLogger("hakobu.daemon")


def main(argv: list[str]) -> int:
    try:
        settings = parse(argv, os.environ)
        if settings.help:
            from hakobu.daemon.help import HELP

            print(HELP)
            return 0
        if settings.version:
            print(f"Hakobu version {hakobu.__version__}")
            return 0
        if settings.validate:
            print("configuration OK")
            return 0
        check_user(settings.rootless, settings.engine.instance.keeper_dir)
        if os.geteuid() != 0:
            from hakobu.daemon.rootless.enter import enter

            enter(settings.engine.instance, argv, settings.rootless_network)
        check_root_directory()
        check_code()
        set_up(settings)
        asyncio.run(_run(settings))
    except HakobuError as error:
        hint = f"\n{error.hint}" if error.hint else ""
        print(f"hakobu daemon: {error.message}{hint}", file=sys.stderr)
        return 1
    except OSError as error:
        logging.getLogger(__name__).debug("the engine ends", exc_info=True)
        print(f"hakobu daemon: {error}", file=sys.stderr)
        return 1
    return 0


async def _run(settings: Settings) -> None:
    os.umask(0o022)
    if settings.ready_fd is not None:
        _keep_to_ourselves(settings.ready_fd)
    if settings.oom_score_adj is not None:
        _adjust_oom_score(settings.oom_score_adj)
    instance = settings.engine.instance
    for path, mode in ((instance.data_root, 0o710), (instance.exec_root, 0o711)):
        os.makedirs(path, mode=mode, exist_ok=True)
    os.chmod(instance.data_root, os.stat(instance.data_root).st_mode & 0o750)  # an earlier engine's let everybody pass
    with _pidfile(settings.pidfile):
        shims = Shims(instance.shims_dir, failpoint=settings.engine.failpoints)
        launcher = asyncio.create_task(shims.open())
        await asyncio.sleep(0)  # as far as to where it waits for the new process
        from hakobu.daemon import serving

        await serving.run(settings, shims, launcher)


def _keep_to_ourselves(fd: int) -> None:
    try:
        os.set_inheritable(fd, False)
    except OSError as error:
        raise Invalid(f"invalid --ready-fd: {fd}: {(error.strerror or '').lower()}", field="ready-fd") from None


def _adjust_oom_score(value: int) -> None:
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(str(value))
    except OSError as error:
        _log.warning("oom-score-adjust %d: %s", value, error.strerror)


@contextlib.contextmanager
def _pidfile(path: str) -> Generator[None]:
    """Refuses to start where the daemon that wrote it still runs."""
    if not path:
        yield
        return
    with contextlib.suppress(FileNotFoundError, ValueError), open(path, encoding="ascii") as file:
        pid = int(file.read(32))
        if pid != os.getpid() and _is_daemon(pid):
            raise HakobuError(f"process with PID {pid} is still running: delete {path} if that is not a daemon of ours")
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        file.write(str(os.getpid()))
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _is_daemon(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return b"hakobu.daemon" in file.read(4096)
    except OSError:
        return False
