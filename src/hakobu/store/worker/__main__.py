"""`python -I -m hakobu.store.worker`: jobs over the SEQPACKET socket on descriptor 3 until it closes.

    pool                                worker
    {"job": name, "args": {…}} + fds →
                                     ←  {"progress": …}   any number of times
                                     ←  {"ok": …} or {"error": {message, kind}}

Started as `store` (with the folders it is to have) or as `mounts`; confined before the first job (`confinement`).
"""

import json
import os
import socket
import sys

from hakobu.errors import HakobuError, Kind
from hakobu.kernel import process, scm
from hakobu.kernel.libc import keep_freed_memory
from hakobu.store.worker.confinement import confine
from hakobu.store.worker.jobs import JOBS

_KEPT_BYTES = 32 << 20  # the blocks of a bulk job, over and over; a worker without work ends soon


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
    kind, *roots = sys.argv[1:]
    sock = socket.socket(fileno=3)
    process.set_name("hakobu-worker")
    os.umask(0)
    os.nice(3)  # whoever asks the engine for something small comes first
    keep_freed_memory(_KEPT_BYTES)
    confine(roots, mounts=kind == "mounts")
    serve(sock)


if __name__ == "__main__":
    main()
