"""Opens the connection to an endpoint: a unix socket, TCP with and without TLS, or ssh. Blocking.

A unix socket is opened through `_socket`, the C half of `socket`: the Python half costs ten milliseconds
of imports that a command line which only connects, sends and receives does not need.
"""

from __future__ import annotations

import os
from _socket import AF_UNIX, SHUT_RDWR, SHUT_WR, SOCK_CLOEXEC, SOCK_STREAM
from _socket import socket as RawSocket

from hakobu.client.error import CannotConnect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from socket import socket
    from ssl import SSLContext

    from hakobu.client.endpoint import Endpoint, Tls

    Socket = RawSocket | socket

# sockaddr_un holds 108 bytes, the terminating zero among them (unix(7)).
_SUN_PATH_MAX = 107
CONNECT_TIMEOUT_S = 10.0


def connect(endpoint: Endpoint) -> Socket:
    """A connected socket; CannotConnect with the system's reason otherwise.

    Where nobody listens and the endpoint knows how to start an engine, it is started, once.
    """
    try:
        return _connect(endpoint)
    except OSError as e:
        if endpoint.start is None or not isinstance(e, (FileNotFoundError, ConnectionRefusedError)):
            raise CannotConnect(endpoint.url, endpoint.chosen_by, e) from e
    endpoint.start(endpoint)
    try:
        return _connect(endpoint)
    except OSError as e:
        raise CannotConnect(endpoint.url, endpoint.chosen_by, e) from e


def _connect(endpoint: Endpoint) -> Socket:
    if endpoint.scheme == "unix":
        return connect_unix(endpoint.address)
    if endpoint.scheme == "ssh":
        from hakobu.client.ssh_door import connect_ssh

        return connect_ssh(endpoint)
    return _connect_tcp(endpoint)


def connect_unix(path: str) -> RawSocket:
    """Connects to a socket by its path, however long; OSError as connect(2) gives it."""
    sock = RawSocket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)
    try:
        if len(os.fsencode(path)) <= _SUN_PATH_MAX:
            sock.connect(path)
        else:
            _connect_below_dir(sock, path)
    except BaseException:
        sock.close()
        raise
    return sock


def _connect_below_dir(sock: RawSocket, path: str) -> None:
    dir_fd = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sock.connect(f"/proc/self/fd/{dir_fd}/{os.path.basename(path)}")
    finally:
        os.close(dir_fd)


def _connect_tcp(endpoint: Endpoint) -> Socket:
    import socket

    sock = socket.create_connection((endpoint.address, endpoint.port), CONNECT_TIMEOUT_S)
    sock.settimeout(None)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if endpoint.tls is None:
        return sock
    from hakobu.client.tls_door import secured

    try:
        return secured(sock, tls_context(endpoint.tls), endpoint.address)
    except BaseException:
        sock.close()
        raise


def tls_context(tls: Tls) -> SSLContext:
    """The settings of a TLS client: the system's authorities where no file names others."""
    import ssl

    context = ssl.create_default_context(cafile=(tls.ca or None) if tls.verify else None)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if os.path.exists(tls.cert) and os.path.exists(tls.key):
        context.load_cert_chain(tls.cert, tls.key)
    return context


def half_close(sock: Socket) -> None:
    """Ends the direction towards the engine: the end of a container's stdin. A peer that left is no error."""
    try:
        sock.shutdown(SHUT_WR)
    except OSError:
        pass


def send_some(sock: Socket, data: bytes | memoryview) -> int:
    """As many bytes as the connection takes without waiting, perhaps none; OSError where nobody takes them."""
    sock.setblocking(False)
    try:
        return sock.send(data)
    except BlockingIOError:
        return 0
    finally:
        sock.setblocking(True)


def break_off(sock: Socket) -> None:
    """Ends both directions and closes: a thread that waits in recv(2) comes back, as it would not by close(2) alone."""
    try:
        sock.shutdown(SHUT_RDWR)
    except OSError:
        pass
    sock.close()
