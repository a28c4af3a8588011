"""The way to an engine on another machine through the user's own ssh: `ssh HOST … system dial-stdio`.

ssh's configuration, agent and prompts apply as in any other call; what ssh has to say goes to standard
error. One connection to the engine is one ssh; it ends with its connection.
"""

from __future__ import annotations

import os
import shlex
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM

from hakobu.client.error import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket

    from hakobu.client.endpoint import Endpoint

_CONNECT_TIMEOUT_S = 30
_children: list[int] = []


def ssh_command(endpoint: Endpoint) -> list[str]:
    """The words of that call; the command line of the other machine is ours where it is installed, else docker's.

    Called as `docker` it is the other way round.
    """
    user, _, host = endpoint.address.rpartition("@")
    words = ["ssh", "-o", f"ConnectTimeout={_CONNECT_TIMEOUT_S}", "-T"]
    words += ["-l", user] if user else []
    words += ["-p", str(endpoint.port)] if endpoint.port else []
    first, second = ("docker", "hakobu") if endpoint.remote_program == "docker" else ("hakobu", "docker")
    where = f"--host {shlex.quote(f'unix://{endpoint.remote_socket}')} " if endpoint.remote_socket else ""
    tail = f"{where}system dial-stdio"
    script = f"if command -v {first} >/dev/null 2>&1; then exec {first} {tail}; else exec {second} {tail}; fi"
    # Through sh, for the login shell over there may be another one.
    return [*words, "--", host.strip("[]"), f"sh -c {shlex.quote(script)}"]


def connect_ssh(endpoint: Endpoint) -> socket.socket:
    """A socket whose other end ssh carries to the engine; ClientError where there is no ssh to call."""
    import socket

    reap()
    near, far = socket.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC)
    argv = ssh_command(endpoint)
    files = [(os.POSIX_SPAWN_DUP2, far.fileno(), 0), (os.POSIX_SPAWN_DUP2, far.fileno(), 1)]
    try:
        _children.append(os.posix_spawnp("ssh", argv, os.environ, file_actions=files))
    except FileNotFoundError:
        near.close()
        raise ClientError(f"no program `ssh` on PATH, which {endpoint.url} needs") from None
    finally:
        far.close()
    return near


def reap() -> None:
    """Collects the ssh processes that have ended; each ends when its connection is closed."""
    for child in list(_children):
        try:
            done, _ = os.waitpid(child, os.WNOHANG)
        except ChildProcessError:
            done = child
        if done:
            _children.remove(child)
