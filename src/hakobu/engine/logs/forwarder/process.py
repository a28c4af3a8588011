"""The process itself: `python -I -m hakobu.engine.logs.forwarder.process`, told what to do on `CONTROL_FD`.

Requests are JSON lines with `id`, `op` and the operation's own fields, answered by `re` and `error`. The end of that
connection is the daemon's: what is on disk by then is sent, for a moment, and the rest by the next process.
"""

import asyncio
import json
import logging
import os
import socket
import ssl
from typing import Any

from hakobu.engine.logs.forwarder import CONTROL_FD
from hakobu.engine.logs.forwarder.line import Source
from hakobu.engine.logs.forwarder.sender import Sender
from hakobu.spec.log_config import LogConfig

LAST_WORDS_S = 5.0
_REQUEST_BYTES = 4 << 20

_log = logging.getLogger("hakobu.logs")


class Forwarder:
    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._senders: dict[str, tuple[Sender, asyncio.Task[None]]] = {}

    async def serve(self, reader: asyncio.StreamReader) -> None:
        async with asyncio.TaskGroup() as group:
            while line := await reader.readline():
                request = json.loads(line)
                group.create_task(self._answer(request))
        await self._end()

    async def _answer(self, request: dict[str, Any]) -> None:
        error = ""
        try:
            if request["op"] == "begin":
                await self._begin(request)
            else:
                self._finish(request["container"])
        except (OSError, TimeoutError) as failure:
            error = _reason(failure)
        self._writer.write(json.dumps({"re": request["id"], "error": error}).encode() + b"\n")
        await self._writer.drain()

    async def _begin(self, request: dict[str, Any]) -> None:
        """Again for a container that is served already is harmless: the file goes on."""
        source = Source(**request["source"])
        if (served := self._senders.get(source.id)) is not None and not served[1].done():
            return
        sender = Sender(request["path"], request["bookmark"], source, LogConfig(**request["config"]))
        if request["check"]:
            await sender.check()
        sender.prepare()
        task = asyncio.create_task(sender.run(), name=source.name)
        task.add_done_callback(_ended)
        self._senders[source.id] = (sender, task)

    def _finish(self, container: str) -> None:
        if (served := self._senders.pop(container, None)) is not None:
            sender, task = served
            sender.finish()
            self._senders[f"{container} (ended)"] = (sender, task)
            task.add_done_callback(lambda _: self._senders.pop(f"{container} (ended)", None))

    async def _end(self) -> None:
        tasks = [task for _, task in self._senders.values()]
        for sender, _ in list(self._senders.values()):
            sender.finish()
        if tasks:
            await asyncio.wait(tasks, timeout=LAST_WORDS_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _ended(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("sending the log of %s failed", task.get_name(), exc_info=error)


def _reason(failure: OSError | TimeoutError) -> str:
    if isinstance(failure, TimeoutError):
        return "i/o timeout"
    if isinstance(failure, ssl.SSLError):
        return f"tls: {failure.reason or failure}"
    if failure.errno is not None and failure.errno > 0:  # asyncio's own texts name its calls
        return os.strerror(failure.errno).lower()
    return (failure.strerror or str(failure)).lower()


async def _main() -> None:
    control = socket.socket(fileno=CONTROL_FD)
    control.setblocking(False)
    reader, writer = await asyncio.open_unix_connection(sock=control, limit=_REQUEST_BYTES)
    await Forwarder(writer).serve(reader)
    writer.close()


if __name__ == "__main__":
    logging.basicConfig(format="log forwarder: %(levelname)s: %(message)s", level=logging.WARNING)
    asyncio.run(_main())
