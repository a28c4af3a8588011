"""OCI hooks: programs of the host (or, for the child's kinds, of the container) run at named moments.

Each gets the container's state as JSON on stdin; one that fails, or takes longer than its timeout, fails the
start. Started with an absolute path and the environment the configuration gives, nothing else.
"""

import json
import os
import select
import signal
from collections.abc import Mapping
from typing import cast

from hakobu.kernel import process
from hakobu.runtime.child import Child
from hakobu.spec.runtime_config import OCI_VERSION
from hakobu.spec.step import Json

Args = Mapping[str, Json]


# prestart hooks are older than `creating`, and those that there are look for what they were promised
STATUS = {
    "prestart": "created",
    "create_runtime": "creating",
    "create_container": "creating",
    "start_container": "created",
}


def run_hooks(args: Args, state: Mapping[str, Json]) -> None:
    """Raises OSError that names the hook. `state` is put over what the step knows of the container."""
    known = args.get("state")
    state = {"ociVersion": OCI_VERSION, **(known if isinstance(known, dict) else {}), **state}
    listed = args.get("hooks")
    for hook in cast("list[dict[str, Json]]", listed) if isinstance(listed, list) else []:
        _run(hook, json.dumps(dict(state)).encode())


def _run(hook: Mapping[str, Json], state: bytes) -> None:
    path = str(hook["path"])
    words, settings = hook.get("args"), hook.get("env")
    argv = [str(w) for w in words] if isinstance(words, list) and words else [path]
    env = dict(_pair(str(s)) for s in settings) if isinstance(settings, list) else {}
    read_fd, write_fd = os.pipe2(os.O_CLOEXEC)
    # a plain fork: in the child of a container the audit hook forbids posix_spawn, and one thread is all there is
    pid = os.fork()
    if pid == 0:
        try:
            os.dup2(read_fd, 0)
            os.execve(path, argv, env)
        finally:
            os._exit(127)
    os.close(read_fd)
    try:
        os.write(write_fd, state)
    except BrokenPipeError:
        pass
    finally:
        os.close(write_fd)
    limit = hook.get("timeout_s")
    _wait(pid, path, limit if isinstance(limit, int) else None)


def _pair(setting: str) -> tuple[str, str]:
    name, _, value = setting.partition("=")
    return name, value


def _wait(pid: int, path: str, limit_s: int | None) -> None:
    pidfd = process.pidfd_open(pid)
    try:
        ready, _, _ = select.select([pidfd], [], [], limit_s)
        if not ready:
            process.pidfd_send_signal(pidfd, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
    finally:
        os.close(pidfd)
    if not ready:
        raise OSError(110, f"the hook took longer than {limit_s} s", path)
    if (code := os.waitstatus_to_exitcode(status)) != 0:
        raise OSError(5, f"the hook ended with {code}", path)


def _in_child(child: Child, args: Args) -> None:
    status = STATUS.get(str(args.get("kind")), "creating")
    run_hooks(args, {"status": status, "pid": os.getpid()})


EXECUTORS = {"hooks.run": _in_child}
