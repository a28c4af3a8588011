"""`python -I -m hakobu.store.worker`: jobs over the SEQPACKET socket on descriptor 3 until it closes.

    pool                                worker
    {"job": name, "args": {…}} + fds →
                                     ←  {"progress": …}   any number of times
                                     ←  {"ok": …} or {"error": {message, kind}}

Confined before the first job: no new privileges, a mount namespace of its own, the capabilities that unpacking
needs and no other, no core dumps.
"""

import json
import os
import resource
import socket

from hakobu.errors import HakobuError, Kind
from hakobu.kernel import capability, mount, process, scm
from hakobu.kernel.libc import keep_freed_memory
from hakobu.store.worker.jobs import JOBS

_CAPABILITIES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_MKNOD",
    "CAP_SETFCAP",
    "CAP_SYS_ADMIN",  # trusted.overlay.* attributes, and mounting a stopped container's root for a walk
)
_KEPT_BYTES = 32 << 20  # the blocks of a bulk job, over and over; a worker without work ends soon


def confine() -> None:
    process.set_name("hakobu-worker")
    process.set_dumpable(False)
    os.umask(0)
    os.nice(3)  # whoever asks the engine for something small comes first
    _, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    if os.geteuid() == 0:
        process.unshare(process.CLONE_NEWNS)
        mount.mount(None, "/", None, mount.MS_REC | mount.MS_PRIVATE)
        keep = capability.mask(_CAPABILITIES) & capability.held()
        capability.drop_bounding(keep)
        capability.capset(keep, keep, 0)
    process.set_no_new_privs()


def serve(sock: socket.socket) -> None:
    while (message := scm.receive(sock)) is not None:
        request = json.loads(message.body)

        def progress(facts: object) -> None:
            scm.send(sock, json.dumps({"progress": facts}).encode())

        try:
            answer: dict[str, object] = {"ok": JOBS[request["job"]](request["args"], message.fds, progress)}
        except HakobuError as error:
            answer = {"error": {"message": error.message, "kind": error.kind.value}}
        except OSError as error:
            kind = Kind.EXHAUSTED if error.errno in (28, 122) else Kind.INTERNAL
            about = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
            text = f"{(error.strerror or str(error)).lower()}{about}"
            answer = {"error": {"message": text, "kind": kind.value, "full": kind is Kind.EXHAUSTED}}
        except MemoryError:
            answer = {"error": {"message": "the worker ran out of memory", "kind": Kind.EXHAUSTED.value}}
        message.close()
        scm.send(sock, json.dumps(answer).encode())


def main() -> None:
    confine()
    keep_freed_memory(_KEPT_BYTES)
    serve(socket.socket(fileno=3))


if __name__ == "__main__":
    main()
