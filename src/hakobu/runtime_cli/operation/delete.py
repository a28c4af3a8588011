"""Removes what a stopped container leaves; with --force kills it first, and one that is not there is no error."""

import select
import signal

from hakobu.errors import Invalid
from hakobu.runtime_cli.container import Container, find, open_process
from hakobu.runtime_cli.context import Context, Failed, NoSuchContainer, NotRunning
from hakobu.runtime_cli.making import discard
from hakobu.runtime_cli.operation.kill import send
from hakobu.runtime_cli.option import Option, Parsed

OPTIONS = (Option(("force", "f"), "nothing"),)
GIVE_UP_MS = 10_000


def run(context: Context, given: Parsed) -> int:
    force = given.flag("force")
    try:
        container = find(context.root, given.operand(0, "container id"))
    except NoSuchContainer:
        if force:
            return 0
        raise
    with container.lock():
        status = container.status()
        if status != "stopped" and not force:  # created included: so the specification, and every engine has --force
            raise Failed(f"cannot delete container {container.id} that is not stopped: {status}")
        if status != "stopped" and container.pid:
            _end(container)
        try:
            config = container.config()
        except Invalid as error:
            container.remove()
            context.log.write("warning", f"the state of {container.id} was broken: {error}")
            return 0
        discard(container, config, context)
    return 0


def _end(container: Container) -> None:
    """Its parent is somebody else, who reaps it; that it has ended is what counts here."""
    try:
        pidfd = open_process(container.record)
        send(container, signal.SIGKILL)
    except (ProcessLookupError, NotRunning):
        return
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    if not poll.poll(GIVE_UP_MS):
        raise Failed(f"container {container.id} did not end within {GIVE_UP_MS // 1000} s of SIGKILL")
