"""One container's log on its way to its receiver: read, sent, remembered; tried again where the receiver is away.

A line is told as sent once the kernel (or, where it acknowledges, the receiver) has taken it, so after an end in
the middle some may come twice and none is missing.
"""

import asyncio
import fcntl
import logging
import os
from contextlib import closing
from typing import Protocol

from hakobu.engine.logs.drivers import address, parse_duration_s
from hakobu.engine.logs.forwarder.fluentd import Fluentd
from hakobu.engine.logs.forwarder.gelf import Gelf
from hakobu.engine.logs.forwarder.journald import Journald
from hakobu.engine.logs.forwarder.line import Line, Source
from hakobu.engine.logs.forwarder.syslog import Syslog
from hakobu.engine.logs.forwarder.tail import Bookmark, Tail
from hakobu.kernel.inotify import Watch
from hakobu.spec.log_config import LogConfig

_log = logging.getLogger("hakobu.logs")

FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 30.0
LAST_ATTEMPTS = 10
"""For a container that was removed, some two minutes in all."""

_LOOK_S = 30.0


class Sink(Protocol):
    """A receiver. Failures are OSErrors; after one the next `send` connects anew."""

    async def open(self) -> None: ...
    async def send(self, line: Line) -> None: ...
    def close(self) -> None: ...


SINKS = {"syslog": Syslog, "gelf": Gelf, "fluentd": Fluentd, "journald": Journald}


class GaveUp(Exception):
    """The container is gone, and its receiver stays away."""


class Sender:
    """`path` is the log, `bookmark` the file that remembers the place. `run` ends after `finish` at the log's end."""

    def __init__(self, path: str, bookmark: str, source: Source, config: LogConfig) -> None:
        self._path, self._bookmark, self._config = path, bookmark, config
        self._name = source.name
        self._sink: Sink = SINKS[config.driver](source, address(config), config.options)
        self._finishing = False
        self._finished = asyncio.Event()
        self.retry_s, self.attempts = _patience(config)

    async def check(self) -> None:
        """Raises OSError where the receiver does not answer."""
        await self._sink.open()

    def finish(self) -> None:
        """No line will come any more: `run` sends what there is and returns."""
        self._finishing = True
        self._finished.set()

    def prepare(self) -> None:
        """Opens what `run` needs, so that it is there to be read even if container and folder are gone at once."""
        self._mark = Bookmark(self._bookmark)
        self._watch = Watch(os.path.dirname(self._path))
        self._held = os.open(self._path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)

    async def run(self) -> None:
        with self._watch:
            try:
                # whoever sent for an earlier daemon may be at its last lines: then its place is waited for
                await asyncio.to_thread(fcntl.flock, self._mark, fcntl.LOCK_EX)
                with closing(Tail(self._path, self._mark.load(), self._held)) as tail:
                    while await self._send_all(tail, self._mark) or not self._finishing:
                        await self._change(self._watch)
            except GaveUp as reason:
                _log.warning("the last lines of %s were not sent: %s", self._name, reason)
            finally:
                self._mark.close()
                self._sink.close()

    async def _send_all(self, tail: Tail, mark: Bookmark) -> bool:
        """Whether there was anything."""
        anything = False
        while lines := tail.read():
            anything = True
            try:
                for line in lines:
                    await self._send(line)
                    tail.place.passes(line.time_ns)
            finally:
                mark.save(tail.place)
        return anything

    async def _send(self, line: Line) -> None:
        delay_s, attempt = self.retry_s, 0
        while True:
            try:
                await self._sink.send(line)
                return
            except OSError as error:
                self._sink.close()
                attempt += 1
                if attempt > self.attempts:
                    _log.warning("a line of %s was not sent after %d attempts: %s", self._name, attempt, error)
                    return
                if self._finishing and attempt > LAST_ATTEMPTS:
                    raise GaveUp(str(error)) from error
                _log.log(logging.WARNING if attempt == 1 else logging.DEBUG, "the log of %s: %s", self._name, error)
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 1.5, LONGEST_RETRY_S)

    async def _change(self, watch: Watch) -> None:
        """Waits for more in the log, or for the word that there is none."""
        if self._finishing:
            return
        more, over = asyncio.ensure_future(watch.changed(_LOOK_S)), asyncio.ensure_future(self._finished.wait())
        try:
            await asyncio.wait((more, over), return_when=asyncio.FIRST_COMPLETED)
        finally:
            more.cancel()
            over.cancel()
            await asyncio.gather(more, over, return_exceptions=True)


def _patience(config: LogConfig) -> tuple[float, int]:
    """The pause before a second attempt, and how many there may be."""
    options, endless = config.options, 2**31
    match config.driver:
        case "fluentd":
            wait_s = parse_duration_s(options.get("fluentd-retry-wait", "1s"))
            return wait_s or FIRST_RETRY_S, int(options.get("fluentd-max-retries", endless))
        case "gelf":
            wait_s = float(options.get("gelf-tcp-reconnect-delay", FIRST_RETRY_S))
            return wait_s or FIRST_RETRY_S, int(options.get("gelf-tcp-max-reconnect", endless))
        case _:
            return FIRST_RETRY_S, endless
