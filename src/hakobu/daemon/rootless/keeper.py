"""`python -I -m hakobu.daemon.rootless.keeper FOLDER DRIVER PID`: holds a user's namespaces while a process is in them.

    who asks (the same user)            keeper, on FOLDER/s
    {"op": "join"}                  →
                                    ←  {} + descriptors of user, mount, network and cgroup namespace
    {"op": "bind", protocol, host_ip, port} →
                                    ←  {"port", "transparent"} + a socket of the host's network, or {"errno", "error"}

Daemons come and go, shims outlive them; a network driver must outlive both. So the keeper is nobody's child, waits
for one process of the namespace after the other, and leaves with the last. One thread, no import after its start.
"""

import errno
import fcntl
import json
import os
import select
import socket
import sys
from contextlib import suppress

from hakobu.daemon.rootless import delegation as delegations
from hakobu.daemon.rootless import driver as drivers
from hakobu.daemon.rootless import legacy
from hakobu.daemon.rootless.delegation import Delegation
from hakobu.daemon.rootless.namespaces import Namespaces, adopt, make
from hakobu.errors import HakobuError
from hakobu.kernel import process, scm
from hakobu.runtime.port_socket import bind

_READY_FD = 3


def main() -> int:
    folder = sys.argv[1]
    process.set_name("hakobu-keeper")
    log_fd = os.open(f"{folder}/log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    fcntl.fcntl(_READY_FD, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    try:
        # the daemon that starts us is in our cgroup; whoever else is there has it to themselves
        starter = process.pidfd_open(int(sys.argv[3]))
        namespaces, delegation = _namespaces(folder, sys.argv[2], int(sys.argv[3]), log_fd)
    except HakobuError as error:
        return _tell(json.dumps({"message": error.message, "hint": error.hint}), 1)
    except OSError as error:
        return _tell(json.dumps({"message": str(error), "hint": ""}), 1)
    folder_fd = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    with suppress(FileNotFoundError):
        os.unlink("s", dir_fd=folder_fd)
    listening = scm.listen_at(folder_fd, "s")
    _tell("{}", 0)
    try:
        _Keeper(namespaces, listening, delegation, starter).run()
    finally:
        os.unlink("s", dir_fd=folder_fd)
        legacy.forget(folder)
        namespaces.driver.terminate()
        namespaces.driver.wait()
    return 0


def _namespaces(folder: str, driver: str, starter: int, log_fd: int) -> tuple[Namespaces, Delegation | None]:
    """Where containers live on in those of a keeper that was killed, these; else new ones."""
    known = legacy.read(folder)
    if known is not None and (pid := legacy.inhabitant(known)) is not None:
        found = adopt(folder, drivers.find(driver), log_fd, pid, transparent=known.transparent)
        return found, known.delegation
    delegation = delegations.find(frozenset((os.getpid(), starter)))
    made = make(folder, drivers.find(driver), log_fd, delegation)
    legacy.write(folder, made.fds, delegation, transparent=made.transparent)
    return made, delegation


def _tell(line: str, code: int) -> int:
    os.write(_READY_FD, line.encode())
    os.close(_READY_FD)
    return code


class _Keeper:
    """`waiting_for` is the pidfd of one process that needs the namespaces: at first who started us, to join them."""

    def __init__(
        self, namespaces: Namespaces, listening: socket.socket, delegation: Delegation | None, waiting_for: int
    ) -> None:
        self._namespaces, self._listening, self._delegation = namespaces, listening, delegation
        self._identity = os.fstat(namespaces.user_fd).st_ino
        self._clients: dict[int, socket.socket] = {}
        self._poll = select.poll()
        self._poll.register(listening, select.POLLIN)
        self._pidfd = waiting_for
        self._poll.register(waiting_for, select.POLLIN)

    def run(self) -> None:
        while self._is_needed():
            for fd, _ in self._poll.poll():
                if fd == self._listening.fileno():
                    self._accept()
                elif fd == self._pidfd:
                    self._poll.unregister(fd)
                    os.close(fd)
                    self._pidfd = -1
                else:
                    self._answer(fd)

    def _is_needed(self) -> bool:
        """While somebody is connected, or one process lives in the namespace."""
        if self._clients or self._pidfd >= 0:
            return True
        while (pid := self._find()) is not None:
            with suppress(ProcessLookupError):
                self._pidfd = process.pidfd_open(pid)
                self._poll.register(self._pidfd, select.POLLIN)
                return True
        return False

    def _find(self) -> int | None:
        """Any process of the namespace; the driver is in it as well, and does not count."""
        for name in os.listdir("/proc"):
            if not name.isdecimal() or int(name) == self._namespaces.driver.pid:
                continue
            try:
                os.stat(f"/proc/{name}/ns/mnt")  # one that has ended and was not waited for has none any more
                if os.stat(f"/proc/{name}/ns/user").st_ino == self._identity:
                    return int(name)
            except OSError:
                continue
        return None

    def _accept(self) -> None:
        connection, _ = self._listening.accept()
        if scm.peer(connection).uid != os.getuid():
            connection.close()
            return
        self._clients[connection.fileno()] = connection
        self._poll.register(connection, select.POLLIN)

    def _answer(self, fd: int) -> None:
        connection = self._clients[fd]
        try:
            message = scm.receive(connection)
            if message is not None:
                message.close()
                self._one(connection, json.loads(message.body))
                return
        except (OSError, ValueError, KeyError):
            pass
        self._poll.unregister(fd)
        del self._clients[fd]
        connection.close()

    def _one(self, connection: socket.socket, request: dict[str, str]) -> None:
        match request["op"]:
            case "join":
                self._join(connection)
            case "bind":
                self._bind(connection, request["protocol"], request["host_ip"], int(request["port"]))
            case other:
                scm.send(connection, json.dumps({"errno": errno.ENOSYS, "error": other}).encode())

    def _join(self, connection: socket.socket) -> None:
        try:
            if self._delegation is not None:
                self._delegation.take_in(scm.peer(connection).pid)
        except OSError as error:
            told = {"errno": error.errno, "error": f"it cannot be moved into the engine's cgroup: {error.strerror}"}
            scm.send(connection, json.dumps(told).encode())
            return
        scm.send(connection, b"{}", self._namespaces.fds)

    def _bind(self, connection: socket.socket, protocol: str, host_ip: str, port: int) -> None:
        try:
            held = bind(protocol, host_ip, port)
        except OSError as error:
            told = {"errno": error.errno, "error": error.strerror or str(error)}
            scm.send(connection, json.dumps(told).encode())
            return
        with held.socket:
            told = {"port": held.host_port, "transparent": self._namespaces.transparent}
            scm.send(connection, json.dumps(told).encode(), (held.socket.fileno(),))


if __name__ == "__main__":
    sys.exit(main())
