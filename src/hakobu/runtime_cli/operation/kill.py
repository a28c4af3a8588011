"""Sends a signal (SIGTERM unless another is named) to the container's first process, or with --all to every one."""

import os
import signal

from hakobu.kernel import process
from hakobu.kernel.signal import parse_signal
from hakobu.runtime_cli.container import Container, find, open_process
from hakobu.runtime_cli.context import Context, Failed, NotRunning
from hakobu.runtime_cli.option import Option, Parsed

OPTIONS = (Option(("all", "a"), "nothing"),)


def run(context: Context, given: Parsed) -> int:
    container = find(context.root, given.operand(0, "container id"))
    name = given.operands[1] if len(given.operands) > 1 else "SIGTERM"
    try:
        number = parse_signal(name)
    except ValueError as error:
        raise Failed(str(error)) from None
    if given.flag("all"):
        _signal_all(container, number)
        return 0
    status = container.status()
    if status in ("stopped", "creating"):
        raise NotRunning(container.id, status)
    send(container, number)
    return 0


def send(container: Container, number: int) -> None:
    """SIGKILL ends a frozen container as well; where it shares the host's pids, all of it (nobody else reaps them)."""
    try:
        pidfd = open_process(container.record)
    except ProcessLookupError:
        raise NotRunning(container.id, "stopped") from None
    try:
        if number == signal.SIGKILL and not container.config().has_namespace("pid"):
            container.cgroup().kill()
        process.pidfd_send_signal(pidfd, number)
        if number == signal.SIGKILL:
            _thaw(container)
    finally:
        os.close(pidfd)


def _thaw(container: Container) -> None:
    try:
        group = container.cgroup()
        if group.is_frozen():
            group.thaw()
    except OSError:
        return


def _signal_all(container: Container, number: int) -> None:
    group = container.cgroup()
    if not group.exists():
        raise NotRunning(container.id, "stopped")
    if number == signal.SIGKILL:
        group.kill()
        return
    for pid in group.processes():
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
