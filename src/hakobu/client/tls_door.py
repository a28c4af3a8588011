"""TLS to an engine, behind a plain socket: a thread speaks it, so that callers poll, send and half-close as ever.

Python's own TLS socket cannot end one direction alone (it would stop reading too), and what it has read ahead no poll
knows of. Here the end of a container's stdin becomes TLS's close_notify, and output goes on until the engine ends it.
"""

from __future__ import annotations

import socket
import ssl
import threading
from select import POLLHUP, POLLIN, POLLOUT, poll

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_PIECE_BYTES = 64 << 10
_MOST_UNSENT = 1 << 20
_LINGER_S = 2.0


class TlsSocket(socket.socket):
    """The caller's end. What TLS failed with is raised where the stream breaks off."""

    pump: Pump | None = None

    def recv(self, *arguments: int) -> bytes:
        try:
            data = super().recv(*arguments)
        except ConnectionResetError:
            self._raise_failure()
            raise
        if not data:
            self._raise_failure()
        return data

    def sendall(self, *arguments: Any) -> None:
        try:
            super().sendall(*arguments)
        except OSError:
            self._raise_failure()
            raise

    def _raise_failure(self) -> None:
        if self.pump is not None and self.pump.failure is not None:
            raise self.pump.failure from None

    def close(self) -> None:
        super().close()
        if self.pump is not None:
            self.pump.join(_LINGER_S)


def secured(sock: socket.socket, context: ssl.SSLContext, name: str) -> TlsSocket:
    """Takes a connected socket over. Raises ssl.SSLError where the engine is not who it should be."""
    pump = Pump(sock, context, name)
    pump.handshake()
    ours, theirs = socket.socketpair()
    found = TlsSocket(fileno=ours.detach())
    found.pump = pump
    pump.begin(theirs)
    return found


class Pump(threading.Thread):
    """Owns the connection to the engine, and the other end of the caller's."""

    def __init__(self, net: socket.socket, context: ssl.SSLContext, name: str) -> None:
        super().__init__(name="TLS", daemon=True)
        self._net = net
        self._app: socket.socket = net
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)
        self._to_app, self._to_net = bytearray(), bytearray()
        self._app_ended = self._net_ended = False
        self.failure: OSError | None = None

    def handshake(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
                self._net.sendall(self._outgoing.read())
                return
            except ssl.SSLWantReadError:
                self._net.sendall(self._outgoing.read())
                data = self._net.recv(_PIECE_BYTES)
                if not data:
                    raise ConnectionResetError("the engine ended the connection in the TLS handshake") from None
                self._incoming.write(data)

    def begin(self, app: socket.socket) -> None:
        self._app = app
        for sock in (app, self._net):
            sock.setblocking(False)
        self.start()

    def run(self) -> None:
        try:
            while not (self._net_ended and not self._to_app) and self._turn():
                pass
        except OSError as error:  # TLS's errors are such; a caller that left is none
            if not isinstance(error, (BrokenPipeError, ConnectionResetError)):
                self.failure = error
        finally:
            self._app.close()
            self._net.close()

    def _turn(self) -> bool:
        """Waits for whatever can be done, and does it; False where the caller has gone and nothing is left to send."""
        waiting = poll()
        reads_net = not self._net_ended and len(self._to_app) < _MOST_UNSENT
        reads_app = not self._app_ended and len(self._to_net) < _MOST_UNSENT
        waiting.register(self._net, POLLIN * reads_net | POLLOUT * bool(self._to_net))
        waiting.register(self._app, POLLIN * reads_app | POLLOUT * bool(self._to_app))
        ready = dict(waiting.poll())
        net, app = ready.get(self._net.fileno(), 0), ready.get(self._app.fileno(), 0)
        if net & ~POLLOUT and not self._net_ended:
            self._read_net()
        if app & (POLLIN | POLLHUP) and not self._app_ended:
            self._read_app()
        self._to_net += self._outgoing.read()
        _send(self._net, self._to_net)
        _send(self._app, self._to_app)
        return not (app & POLLHUP and self._app_ended and not self._to_net)

    def _read_net(self) -> None:
        try:
            data = self._net.recv(_PIECE_BYTES)
        except BlockingIOError:
            return
        if data:
            self._incoming.write(data)
        else:
            self._net_ended = True
        while True:
            try:
                plain = self._tls.read(_PIECE_BYTES)
            except ssl.SSLWantReadError:
                return
            except ssl.SSLZeroReturnError:
                plain = b""
            if not plain:
                self._net_ended = True
                return
            self._to_app += plain

    def _read_app(self) -> None:
        try:
            data = self._app.recv(_PIECE_BYTES)
        except BlockingIOError:
            return
        if data:
            self._tls.write(data)
            return
        self._app_ended = True
        try:
            self._tls.unwrap()
        except ssl.SSLError:
            pass  # said; the engine's own end comes when it has no more


def _send(sock: socket.socket, data: bytearray) -> None:
    if data:
        try:
            del data[: sock.send(data)]
        except BlockingIOError:
            pass
