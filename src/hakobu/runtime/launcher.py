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
from os import close, fork

from hakobu.kernel import audit, process
from hakobu.kernel.libc import release_free_memory
from hakobu.kernel.signal import default_all
from hakobu.runtime.message import CONTROL_FD, FORK, FORKED, READY
from hakobu.runtime.shim import ahead, parent, warm

_SHIM_FD = CONTROL_FD + 1
"""Nothing else is open: what comes gets the lowest number that is free."""
_ONE_FD_BYTES = socket.CMSG_LEN(4)
_MSG_CMSG_CLOEXEC = int(socket.MSG_CMSG_CLOEXEC)


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
    ahead.find_used()
    audit.close_import_paths()  # here and not in each child: see audit.seal
    gc.collect()
    process.close_range(CONTROL_FD + 1)  # what the trials would have left to the end of a process
    release_free_memory()  # or the first large block would make malloc put together what is free, all over the heap
    gc.freeze()
    gc.disable()  # neither here nor in a shim is there anything to collect; a server turns it on again
    control.send(READY)
    _serve(control)


def _quiet_stdio() -> None:
    """Whoever waits for the end of the daemon's output must not wait for containers. stderr is for last words."""
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)


def _serve(control: socket.socket) -> None:
    """A request is one byte and the descriptor of a shim's socket; see `launching.py`.

    Nothing is decoded and nothing is made that lives longer than its line: the pages this loop writes to between
    two forks lie in every shim.
    """
    while _next(control):
        if fork() == 0:
            _become_shim()
        close(_SHIM_FD)
        try:
            control.send(FORKED)
        except BrokenPipeError:
            return


def _next(control: socket.socket) -> bool:
    """False at the end. A daemon that was killed with something of ours unread resets the stream: an end, too."""
    try:
        return control.recvmsg(1, _ONE_FD_BYTES, _MSG_CMSG_CLOEXEC)[0] == FORK
    except ConnectionResetError:
        return False


def _become_shim() -> None:
    """Never returns: a fork must not unwind into the launcher's loop."""
    try:
        close(CONTROL_FD)
        parent.main(_SHIM_FD)
    except BaseException as error:
        sys.stderr.write(f"hakobu shim: {type(error).__name__}: {error}\n")
    finally:
        os._exit(70)
