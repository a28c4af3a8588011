"""The daemon from its parts to its end: the engine is built and opened, the API listens, the process is told to end.

SIGTERM and SIGINT end it in order (containers run on unless live-restore was switched off); SIGHUP reads the
configuration's reloadable keys again.
"""

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import time
from typing import TYPE_CHECKING

from hakobu.api.http.listen import listen_tcp, listen_unix, passed_sockets
from hakobu.api.scope.audit import AuditLog
from hakobu.api.scope.serve import serve_scoped
from hakobu.api.server import Options, Server, serve
from hakobu.daemon.logs import set_up
from hakobu.daemon.settings import Settings, parse
from hakobu.daemon.wiring import Engine, build
from hakobu.errors import HakobuError, Invalid
from hakobu.runtime.link import Shims

if TYPE_CHECKING:
    from hakobu.daemon.terminator import Terminator

_log = logging.getLogger("hakobu.daemon")
TLS_PORT = 2376
"""Docker's, where a host names none."""


async def run(settings: Settings, shims: Shims, launcher: "asyncio.Task[None]") -> None:
    """Owns `shims`, whose opening is under way as the task `launcher`, from here on."""
    try:
        engine = build(settings.engine, shims)
    except BaseException:
        await asyncio.gather(launcher, return_exceptions=True)
        shims.close()
        raise
    try:
        await engine.open()
        await _serve(settings, engine)
    finally:
        # an engine that could not open leaves no launcher in the middle of its start
        await asyncio.gather(launcher, return_exceptions=True)
        await engine.close()


async def _serve(settings: Settings, engine: Engine) -> None:
    listeners = [_listener(host, settings.group) for host in settings.hosts if not host.startswith("tcp://")]
    terminator = _terminator(settings, listeners)
    metrics = _metrics(settings.metrics_address)
    options = Options(metrics=metrics)
    server = await serve([s for group in listeners for s in group], engine.services, options=options)
    audit = AuditLog(f"{settings.engine.instance.data_root}/audit.jsonl")
    for problem in await engine.sockets.open(
        lambda s, policy: serve_scoped(s, policy, engine.services, audit, options)
    ):
        _log.error("%s", problem)
    if terminator is not None:
        terminator.start()
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set)
    loop.add_signal_handler(signal.SIGHUP, _reload, settings)
    _log.info("API listens on %s", ", ".join(settings.hosts))
    _tell_ready(settings.ready_fd)
    # What is there by now stays to the end: a full collection would look at all of it, 10 ms on the event loop.
    gc.freeze()
    gc.enable()
    try:
        if settings.on_demand:
            await _until_idle(settings, engine, server, ending)
        else:
            await ending.wait()
    finally:
        engine.bus.close()
        await engine.sockets.close()
        if terminator is not None:
            await terminator.close()
        await server.close()
        audit.close()


def _tell_ready(fd: int | None) -> None:
    """A line on the descriptor, and its end: whoever waits there may connect."""
    if fd is None:
        return
    try:
        os.write(fd, b"\n")
    except OSError as error:
        _log.debug("nobody waits for readiness any more: %s", error.strerror)
    os.close(fd)


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
        case _:
            raise Invalid(f"invalid --host: {host!r} (expected unix://PATH, fd:// or tcp://HOST:PORT)", field="host")


def _terminator(settings: Settings, listeners: list[list[socket.socket]]) -> "Terminator | None":
    """With TCP among the hosts; the socket that its clients arrive at is one more listener."""
    addresses = [_tcp_address(host) for host in settings.hosts if host.startswith("tcp://")]
    if not addresses or settings.tls is None:
        return None
    from hakobu.api.tls.context import TlsFiles, server_context  # ssl costs 10 ms and 4 MB
    from hakobu.daemon.terminator import Terminator

    files, path = TlsFiles(*settings.tls), settings.engine.instance.tls_socket
    server_context(files)  # a file that is of no use is said now
    found = [listen_tcp(*address) for address in addresses]
    listeners.append([listen_unix(path, default_group="")])
    return Terminator(found, files, path)


def _tcp_address(host: str) -> tuple[str, int]:
    address, _, port = host.removeprefix("tcp://").rpartition(":")
    if not address and not port.isdigit():
        address, port = port, ""
    if port and not (port.isascii() and port.isdigit() and int(port) < 65536):
        raise Invalid(f"invalid --host: {host!r} (expected tcp://HOST:PORT)", field="host")
    return address.strip("[]"), int(port or TLS_PORT)


def _metrics(address: tuple[str, int] | None) -> list[socket.socket]:
    if address is None:
        return []
    listener = listen_tcp(*address)
    _log.info("metrics are served on %s port %d", *listener.getsockname()[:2])
    return [listener]


def _reload(settings: Settings) -> None:
    """The level of the log is what can change while it runs."""
    try:
        fresh = parse(sys.argv[1:], os.environ)
    except HakobuError as error:
        _log.error("the configuration was not read again: %s", error.message)
        return
    set_up(fresh)
    _log.info("configuration read again")
