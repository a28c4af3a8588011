"""Lets a created container's process execute its program."""

import errno
import json
import os
import select

from hakobu.runtime_cli import hooks
from hakobu.runtime_cli.container import FAILURE, FIFO, Container, find
from hakobu.runtime_cli.context import Context, Failed
from hakobu.runtime_cli.option import Parsed

OPTIONS = ()


def run(context: Context, given: Parsed) -> int:
    container = find(context.root, given.operand(0, "container id"))
    with container.lock():
        status = container.status()
        if status == "stopped":
            raise Failed("cannot start a container that has stopped")
        if status != "created":
            raise Failed(f"cannot start an already running container: {container.id} is {status}")
        config = container.config()
        open_gate(container)
        hooks.poststart(container, config, context)
    return 0


def open_gate(container: Container) -> None:
    """Returns when the execve has succeeded: then nobody has the FIFO open to read any more."""
    path = f"{container.directory}/{FIFO}"
    try:
        fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ENXIO:
            raise Failed("cannot start a container that has stopped") from None
        raise
    try:
        os.write(fd, b"0")
        poll = select.poll()
        poll.register(fd, 0)
        poll.poll()  # POLLERR: the last reader is gone
    finally:
        os.close(fd)
    reason = _failure(container)
    os.unlink(path)
    if reason:
        raise Failed(f"unable to start container process: {reason}")


def _failure(container: Container) -> str:
    path = f"{container.directory}/{FAILURE}"
    with open(path, "rb") as file:
        content = file.read()
    os.unlink(path)
    return str(json.loads(content)["reason"]) if content else ""
