"""Steps in the network namespace of a running container, carried out by a process that ends with them.

The shim itself never enters a namespace of its container: its state would go with it.
"""

import json
import os
from collections.abc import Sequence

from hakobu.kernel import process
from hakobu.runtime import steps_network
from hakobu.runtime.failure import StepFailed
from hakobu.spec.step import Step


def run_in_network(pid: int, steps: Sequence[Step]) -> None:
    """`pid` is the container's init. Raises `StepFailed` with the step that could not be done."""
    if not steps:
        return
    fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        _child(fd, write_fd, steps)
    os.close(write_fd)
    os.close(fd)
    with open(read_fd, "rb") as pipe:
        said = pipe.read()
    os.waitpid(child, 0)
    if said != b"done":
        told = json.loads(said) if said else ["setns", "the process ended early"]
        raise StepFailed(told[0], told[1])


def _child(fd: int, write_fd: int, steps: Sequence[Step]) -> None:
    """Never returns."""
    name = "setns"
    try:
        process.set_dumpable(False)
        process.setns(fd, process.CLONE_NEWNET)
        for step in steps:
            name = step.name
            steps_network.CHILD[name](step.args)
        os.write(write_fd, b"done")
    except BaseException as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        os.write(write_fd, json.dumps([name, f"{name}: {reason}"]).encode())
    finally:
        os._exit(0)
