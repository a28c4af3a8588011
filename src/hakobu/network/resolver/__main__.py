"""`python -I -m hakobu.network.resolver LISTENER_FD NAMES_PATH`: started by the daemon, outlives it."""

import asyncio
import gc
import signal
import socket
import sys

from hakobu.kernel.nftables import Nftables
from hakobu.kernel.process import set_name
from hakobu.network.resolver.server import Server


async def _serve(listener: socket.socket, names_path: str) -> None:
    server = Server(listener, names_path)
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        await server.run()
    except asyncio.CancelledError:
        pass


def main() -> None:
    listener = socket.socket(fileno=int(sys.argv[1]))
    listener.setblocking(False)
    for ignored in (signal.SIGINT, signal.SIGCHLD):
        signal.signal(ignored, signal.SIG_IGN)
    set_name("hakobu-resolver")
    # loads libnftables here, so that the children that enter namespaces open no file
    Nftables().close()
    gc.collect()
    gc.freeze()
    asyncio.run(_serve(listener, sys.argv[2]))


if __name__ == "__main__":
    main()
