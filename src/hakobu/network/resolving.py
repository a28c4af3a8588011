"""The daemon's door to the resolver's process: starts it, gives it containers and names, finds it again.

The listening socket is made here and inherited by the process, so that a join can be sent at once and is answered
when it is up. A process of an earlier daemon is found by the socket in the instance's directory; one that died is
started anew and its containers joined again. Synchronous, used from the network's one thread.
"""

import errno
import json
import os
import select
import socket
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from hakobu.errors import HakobuError, Kind
from hakobu.kernel import scm
from hakobu.kernel.process import pidfd_open, start_time_ticks
from hakobu.network.resolver.names import Snapshot, write

VERSION = 1
TIMEOUT_S = 10.0
_CHILD_FD = 3


class _Init(NamedTuple):
    """A container's init, told apart from a later process with its number by its start."""

    pid: int
    started: int


_UNKNOWN = _Init(0, 0)


class ResolverFailed(HakobuError):
    kind = Kind.INTERNAL

    def __init__(self, reason: str) -> None:
        super().__init__(f"the resolver of names failed: {reason}")


class ResolverDoor:
    """`directory` is the instance's own (0700); socket, names and log are in it."""

    def __init__(self, directory: str, python: str = sys.executable) -> None:
        self._directory, self._python = directory, python
        self._connection: socket.socket | None = None
        self._joined: dict[str, _Init] = {}
        self._pid = 0

    @property
    def names_path(self) -> str:
        return f"{self._directory}/names.json"

    def close(self) -> None:
        """Leaves the process alone: it serves on."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def publish(self, snapshot: Snapshot) -> None:
        """New names; the resolver sees them at its next question."""
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        write(self.names_path, snapshot)

    def start(self) -> None:
        """Makes sure that there is a process; returns without waiting for it to be up."""
        if self._connection is None:
            self._connection = self._connect() or self._spawn()
            self._connection.settimeout(TIMEOUT_S)

    def find(self) -> bool:
        """Connects to the process of an earlier daemon, if there is one; starts none."""
        if self._connection is None:
            self._connection = self._connect()
            if self._connection is None:
                return False
            self._connection.settimeout(TIMEOUT_S)
        self._joined = dict.fromkeys(self._ask({"version": VERSION}).get("containers", []), _UNKNOWN)
        return True

    def is_lost(self) -> bool:
        """Whether the process served containers and has ended; asks nobody."""
        if not self._joined or self._connection is None:
            return bool(self._joined)
        ended = select.poll()
        ended.register(self._connection, select.POLLRDHUP)
        return bool(ended.poll(0))

    def replace_lost(self) -> list[str]:
        """A new process, to which all containers of the lost one are joined; the ids of those that could not be."""
        self.close()
        served, self._joined = self._joined, {}
        failed: list[str] = []
        for container_id, init in served.items():
            try:
                if start_time_ticks(init.pid) == init.started:
                    self.join(container_id, init.pid)
            except (OSError, ResolverFailed):
                failed.append(container_id)
        return failed

    def joined(self) -> frozenset[str]:
        return frozenset(self._joined)

    def recognise(self, container_id: str, pid: int) -> None:
        """The init of a container that the found process serves already, for the day that process ends."""
        try:
            self._joined[container_id] = _Init(pid, start_time_ticks(pid))
        except OSError:
            return

    def join(self, container_id: str, pid: int) -> None:
        """Serves the container whose init is `pid` from now on; again for one already served is harmless."""
        self.start()
        pidfd = pidfd_open(pid)
        netns_fd = -1
        try:
            netns_fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            init = _Init(pid, start_time_ticks(pid))
            reply = self._ask({"join": container_id}, (netns_fd, pidfd))
        except ProcessLookupError as e:
            raise ResolverFailed(f"container {container_id[:12]} is gone") from e
        finally:
            for fd in (pidfd, netns_fd):
                if fd >= 0:
                    os.close(fd)
        if reply.get("error"):
            raise ResolverFailed(str(reply["error"]))
        self._joined[container_id] = init

    def leave(self, container_id: str) -> None:
        """A process that is gone holds nothing any more."""
        if container_id not in self._joined:
            return
        del self._joined[container_id]
        if self._connection is not None:
            try:
                self._ask({"leave": container_id})
            except ResolverFailed:
                return

    def _ask(self, request: dict[str, Any], fds: Sequence[int] = ()) -> dict[str, Any]:
        """Once more with a new process where the old one is gone."""
        for attempt in (1, 2):
            self.start()
            assert self._connection is not None
            try:
                scm.send(self._connection, json.dumps(request).encode(), fds)
                reply = scm.receive(self._connection)
                if reply is not None:
                    return json.loads(reply.body)
            except TimeoutError as e:
                self.close()
                raise ResolverFailed(f"no answer for {TIMEOUT_S:.0f} seconds") from e
            except OSError as e:
                if attempt == 2:
                    self.close()
                    raise ResolverFailed(e.strerror or str(e)) from e
            self.close()
        raise ResolverFailed("its process ends at once; see its log")

    def _connect(self) -> socket.socket | None:
        try:
            directory_fd = os.open(self._directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            return scm.connect_at(directory_fd, "socket")
        except OSError as e:
            if e.errno in (errno.ENOENT, errno.ECONNREFUSED):
                return None
            raise
        finally:
            os.close(directory_fd)

    def _reap(self) -> None:
        """Of a process that died under us nothing stays, not even a zombie."""
        if self._pid:
            try:
                if os.waitpid(self._pid, os.WNOHANG) == (0, 0):
                    return
            except ChildProcessError:
                pass
            self._pid = 0

    def _spawn(self) -> socket.socket:
        self._reap()
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        directory_fd = os.open(self._directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            try:
                os.unlink("socket", dir_fd=directory_fd)
            except FileNotFoundError:
                pass
            listener = scm.listen_at(directory_fd, "socket")
            with listener:
                self._posix_spawn(listener)
            return scm.connect_at(directory_fd, "socket")
        except OSError as e:
            raise ResolverFailed(e.strerror or str(e)) from e
        finally:
            os.close(directory_fd)

    def _posix_spawn(self, listener: socket.socket) -> None:
        """An absolute path, no environment, a session of its own, no descriptor but the listener."""
        log = f"{self._directory}/log"
        argv = [self._python, "-I", "-m", "hakobu.network.resolver", str(_CHILD_FD), self.names_path]
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        self._pid = os.posix_spawn(
            self._python,
            argv,
            {},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, listener.fileno(), _CHILD_FD),
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, flags, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )
