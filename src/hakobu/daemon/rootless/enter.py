"""The process of a user's daemon joins the namespaces of its instance, made first where there are none.

Before its configuration is acted on, and before anything heavy is imported: it becomes root of the namespace and
executes itself anew, with `--rootless`.
"""

import fcntl
import json
import os
import socket
import sys
from collections.abc import Sequence

from hakobu.errors import HakobuError, Kind
from hakobu.kernel import process, scm
from hakobu.spec.instance import Instance

_READY_FD = 3
_TRIES = 5
# the user namespace first: it gives the rights for the others
_ORDER = (process.CLONE_NEWUSER, process.CLONE_NEWNS, process.CLONE_NEWNET, process.CLONE_NEWCGROUP)


class NotEntered(HakobuError):
    kind = Kind.UNAVAILABLE


def enter(instance: Instance, argv: Sequence[str], driver: str = "") -> None:
    """Does not return: the daemon runs in the namespaces. Raises `NotEntered`, or OSError."""
    folder = instance.keeper_dir
    for path in (instance.data_root, instance.exec_root, folder):
        os.makedirs(path, mode=0o700, exist_ok=True)
    folder_fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for _ in range(_TRIES):
        connection = _connection(folder, folder_fd, driver)
        message = _ask_in(connection)
        if message is not None:
            break
    else:
        raise NotEntered("the keeper of this engine's namespaces does not answer")
    if len(message.fds) != len(_ORDER):
        told = json.loads(message.body)
        raise NotEntered(
            f"the engine that is there does not let this process in: {told.get('error', 'it is of another version')}",
            hint="start it by a command (hakobu ps), or below the user's own systemd (systemd-run --user --scope)",
        )
    for fd, kind in zip(message.fds, _ORDER, strict=True):
        process.setns(fd, kind)
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    _forget_groups()
    os.chdir("/")
    words = [sys.executable, "-I", "-m", "hakobu.daemon", *argv]
    if "--rootless" not in argv:
        words.append("--rootless")
    # the connection is close-on-exec: until then it keeps the keeper
    os.execv(sys.executable, words)


def _ask_in(connection: socket.socket) -> scm.Message | None:
    """None where the keeper was about to leave, with the last process of its namespaces."""
    try:
        scm.send(connection, json.dumps({"op": "join"}).encode())
        return scm.receive(connection)
    except (ConnectionError, BrokenPipeError):
        return None


def _connection(folder: str, folder_fd: int, driver: str) -> socket.socket:
    fcntl.flock(folder_fd, fcntl.LOCK_EX)
    try:
        return scm.connect_at(folder_fd, "s")
    except (FileNotFoundError, ConnectionRefusedError):
        _start(folder, driver)
        return scm.connect_at(folder_fd, "s")
    finally:
        fcntl.flock(folder_fd, fcntl.LOCK_UN)


def _start(folder: str, driver: str) -> None:
    """A process of its own session, with nothing of ours but one pipe."""
    ready_fd, told_fd = os.pipe2(os.O_CLOEXEC)
    null_fd = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    caller, pid = os.getpid(), os.fork()
    if pid == 0:
        try:
            os.setsid()
            if os.fork():
                os._exit(0)
            os.chdir("/")
            for fd in range(3):
                os.dup2(null_fd, fd)
            if told_fd == _READY_FD:
                os.set_inheritable(told_fd, True)
            else:
                os.dup2(told_fd, _READY_FD)
            process.close_all_except({_READY_FD})
            module = "hakobu.daemon.rootless.keeper"
            os.execv(sys.executable, [sys.executable, "-I", "-m", module, folder, driver, str(caller)])
        finally:
            os._exit(1)
    os.waitpid(pid, 0)
    os.close(told_fd)
    os.close(null_fd)
    with open(ready_fd, encoding="utf-8") as file:
        said = file.read()
    if not said:
        raise NotEntered(f"the keeper of this engine's namespaces did not start: see {folder}/log")
    told = json.loads(said)
    if told:
        raise NotEntered(told["message"], hint=told["hint"])


def _forget_groups() -> None:
    """The user's other groups have no ids here; where a namespace may not change groups they stay."""
    try:
        os.setgroups(())
    except PermissionError:
        return
