"""The launcher: a small process that forks shims, and nothing else.

Started once by the daemon from a sealed copy of the interpreter (`-I -S -B`), without threads, environment,
secrets or an API socket. Everything a shim or a container's child will ever run is imported here and every
path was walked once before `gc.freeze`, so that forks share it. What describes a container never passes
through this process: each shim gets a socket of its own to the daemon. It ends when the daemon's end closes.
"""

import gc
import os
import signal
import socket
import sys

from hakobu.kernel import audit, process, scm
from hakobu.kernel.signal import default_all
from hakobu.runtime.message import decode, encode
from hakobu.runtime.shim import preparer, server, starter, warm

CONTROL_FD = 3


def main() -> None:
    """`python -I -S -B -c … DIRECTORY` with the control socket on descriptor 3; the directory is for warming up."""
    os.umask(0o077)
    process.set_dumpable(False)
    process.set_name("hakobu-launch")
    process.close_range(CONTROL_FD + 1)
    _quiet_stdio()
    default_all()
    audit.touch_codecs()
    warm.up(sys.argv[1])
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # shims are reaped by the kernel: they report to the daemon
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(ignored, signal.SIG_IGN)
    control = socket.socket(fileno=CONTROL_FD)
    control.setblocking(True)
    starter.find_used()
    preparer.find_used()
    audit.close_import_paths()  # here and not in each child: see audit.seal
    gc.collect()
    process.close_range(CONTROL_FD + 1)  # what a preparer would have left to the end of its process
    gc.freeze()
    scm.send(control, encode({"event": "ready", "pid": os.getpid()}))
    _serve(control)


def _quiet_stdio() -> None:
    """Whoever waits for the end of the daemon's output must not wait for containers. stderr is for last words."""
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)


def _serve(control: socket.socket) -> None:
    while (message := _next(control)) is not None:
        request = decode(message.body)
        pid = os.fork()
        if pid == 0:
            _become_shim(control, message.fds[0])
        message.close()
        try:
            scm.send(control, encode({"re": request["id"], "pid": pid}))
        except BrokenPipeError:
            return


def _next(control: socket.socket) -> scm.Message | None:
    """A daemon that was killed with something of ours unread resets the stream: that is its end, too."""
    try:
        return scm.receive(control)
    except ConnectionResetError:
        return None


def _become_shim(control: socket.socket, fd: int) -> None:
    """Never returns: a fork must not unwind into the launcher's loop."""
    try:
        control.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        server.main(socket.socket(fileno=fd))
    except BaseException as error:
        sys.stderr.write(f"hakobu shim: {type(error).__name__}: {error}\n")
    finally:
        os._exit(70)
