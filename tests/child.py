"""Running a piece of a test in a forked child, so that what it does to itself ends with it."""

import json
import os
import traceback
from collections.abc import Callable
from typing import Any

from hakobu.kernel.process import clone3, wait_pidfd


def in_child(body: Callable[[], Any], flags: int = 0, cgroup_fd: int = -1) -> Any:
    """Runs `body` in a child made by clone3(flags); gives its JSON-able result or fails with its traceback."""
    read_fd, write_fd = os.pipe()
    pid, pidfd = clone3(flags, cgroup_fd=cgroup_fd)
    if pid == 0:
        try:
            os.close(read_fd)
            answer = {"result": body()}
        except BaseException:
            answer = {"error": traceback.format_exc()}
        try:
            os.write(write_fd, json.dumps(answer).encode())
        finally:
            os._exit(0)
    os.close(write_fd)
    with os.fdopen(read_fd, "rb") as file:
        data = file.read()
    status = wait_pidfd(pidfd)
    os.close(pidfd)
    assert data, f"the child said nothing and ended with {status}"
    answer = json.loads(data)
    assert "error" not in answer, answer["error"]
    return answer["result"]
