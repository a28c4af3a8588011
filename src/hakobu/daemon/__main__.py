"""`python -I -m hakobu.daemon`: reads the configuration, refuses what must not be, serves until it is told to end.

SIGTERM and SIGINT end it in order (containers run on unless live-restore was switched off); SIGHUP reads the
configuration's reloadable keys again. Whose code may run as root is checked before anything else.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Generator

import hakobu
from hakobu.api.http.listen import listen_unix, passed_sockets
from hakobu.api.server import Server, serve
from hakobu.daemon.help import HELP
from hakobu.daemon.logs import set_up
from hakobu.daemon.ownership import check_code
from hakobu.daemon.settings import Settings, parse
from hakobu.daemon.wiring import Engine, build
from hakobu.errors import HakobuError, Invalid

_log = logging.getLogger("hakobu.daemon")


def main(argv: list[str]) -> int:
    try:
        settings = parse(argv, os.environ)
        if settings.help:
            print(HELP)
            return 0
        if settings.version:
            print(f"Hakobu version {hakobu.__version__}")
            return 0
        if settings.validate:
            print("configuration OK")
            return 0
        check_code()
        set_up(settings)
        asyncio.run(_run(settings))
    except HakobuError as error:
        hint = f"\n{error.hint}" if error.hint else ""
        print(f"hakobu daemon: {error.message}{hint}", file=sys.stderr)
        return 1
    return 0


async def _run(settings: Settings) -> None:
    os.umask(0o022)
    if settings.oom_score_adj is not None:
        _adjust_oom_score(settings.oom_score_adj)
    instance = settings.engine.instance
    for path, mode in ((instance.data_root, 0o711), (instance.exec_root, 0o711)):
        os.makedirs(path, mode=mode, exist_ok=True)
    with _pidfile(settings.pidfile):
        engine = build(settings.engine)
        try:
            await engine.open()
            await _serve(settings, engine)
        finally:
            await engine.close()


def _adjust_oom_score(value: int) -> None:
    try:
        with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
            file.write(str(value))
    except OSError as error:
        _log.warning("oom-score-adjust %d: %s", value, error.strerror)


async def _serve(settings: Settings, engine: Engine) -> None:
    listeners = [_listener(host, settings.group) for host in settings.hosts]
    server = await serve([s for group in listeners for s in group], engine.services)
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    loop.add_signal_handler(signal.SIGHUP, _reload, settings)
    _log.info("API listens on %s", ", ".join(settings.hosts))
    try:
        if settings.on_demand:
            await _until_idle(settings, engine, server, ending)
        else:
            await ending.wait()
    finally:
        engine.bus.close()
        await server.close()


async def _until_idle(settings: Settings, engine: Engine, server: Server, ending: asyncio.Event) -> None:
    """An engine that was started by need leaves when nothing has needed it for a while."""
    needed_s = time.monotonic()
    while not ending.is_set():
        if engine.is_needed or server.open_connections or len(engine.background) > 2:
            needed_s = time.monotonic()
        elif time.monotonic() - needed_s > settings.idle_timeout_s:
            _log.info("nothing has needed the engine for %d s: it leaves", settings.idle_timeout_s)
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ending.wait(), min(5.0, settings.idle_timeout_s))


def _listener(host: str, group: str) -> list[socket.socket]:
    scheme, _, path = host.partition("://")
    match scheme:
        case "fd":
            return passed_sockets(os.environ)
        case "unix" if path:
            os.makedirs(os.path.dirname(path), mode=0o711, exist_ok=True)
            return [listen_unix(path, group=group)]
        case "tcp":
            raise Invalid(
                f"--host {host} is not supported: the engine listens on unix sockets only",
                field="host",
                hint="use ssh to reach it from elsewhere",
            )
        case _:
            raise Invalid(f"invalid --host: {host!r} (expected unix://PATH or fd://)", field="host")


def _reload(settings: Settings) -> None:
    """The level of the log is what can change while it runs."""
    try:
        fresh = parse(sys.argv[1:], os.environ)
    except HakobuError as error:
        _log.error("the configuration was not read again: %s", error.message)
        return
    set_up(fresh)
    _log.info("configuration read again")


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
