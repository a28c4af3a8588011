"""Output of several containers on one screen: a coloured, padded prefix for each, whole lines only."""

import queue
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hakobu.client.engine import Engine
from hakobu.client.error import EngineError
from hakobu.client.frame import STDERR
from hakobu.client.output import lines
from hakobu.client.transport import Hijacked, Response

_NEVER = "0001-01-01T00:00:00Z"
_POLL_S = 0.1
_COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)


@dataclass(frozen=True, slots=True)
class Source:
    """A container whose output is shown; `label` is what stands before its lines."""

    id: str
    label: str
    tty: bool = False
    service: str = ""


def label_of(project: str, name: str) -> str:
    """`web-1` for the container `project-web-1`; a name of its own stays whole."""
    return name.removeprefix(f"{project}-")


class Printer:
    """Writes lines of any thread, one at a time, to the stream they came on."""

    def __init__(
        self, labels: Iterable[str], *, prefix: bool = True, colour: bool | None = None, timestamps: bool = False
    ) -> None:
        names = list(labels)
        self._width = max((len(name) for name in names), default=0)
        self._colours = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(names)}
        self._prefix = prefix
        self._timestamps = timestamps
        self._colour = sys.stdout.isatty() if colour is None else colour
        self._lock = threading.Lock()

    def _head(self, label: str) -> bytes:
        if not self._prefix:
            return b""
        text = f"{label:<{self._width}}  | "
        if self._colour:
            text = f"\x1b[{self._colours.get(label, 37)}m{text}\x1b[0m"
        return text.encode()

    def show(self, label: str, line: bytes, *, error: bool = False) -> None:
        out = sys.stderr if error else sys.stdout
        if self._timestamps:
            line = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}000Z ".encode() + line
        with self._lock:
            out.buffer.write(self._head(label) + line + b"\n")
            out.buffer.flush()

    def note(self, label: str, text: str) -> None:
        """A line of our own about a container."""
        with self._lock:
            sys.stdout.write(f"{label} {text}\n")
            sys.stdout.flush()


def copy(printer: Printer | None, source: Source, stream: Hijacked | Response) -> None:
    """Shows the stream's lines until its end, without a printer to nobody; a connection that breaks is an end."""
    try:
        for number, line in lines(stream, tty=source.tty):
            if printer:
                printer.show(source.label, line.rstrip(b"\r"), error=number == STDERR)
    except OSError:
        return


def show_logs(
    engine: Engine,
    printer: Printer,
    sources: Iterable[Source],
    *,
    follow: bool,
    tail: str,
    timestamps: bool,
    since: str,
    until: str,
) -> None:
    """The logs of each, side by side when followed, one after the other otherwise."""

    def one(source: Source) -> None:
        try:
            with engine.containers.logs(
                source.id, follow=follow, tail=tail, timestamps=timestamps, since=since, until=until
            ) as response:
                copy(printer, source, response)
        except EngineError as e:
            if e.status != 404:
                printer.note(source.label, str(e))

    if not follow:
        for source in sources:
            one(source)
        return
    threads = [threading.Thread(target=one, args=(source,), daemon=True) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def epoch(moment: str) -> str:
    """A time of the API as seconds since the epoch with nine digits behind the point, as `since` takes it."""
    whole, _, rest = moment.removesuffix("Z").partition(".")
    seconds = int(datetime.fromisoformat(f"{whole}+00:00").timestamp())
    return f"{seconds}.{rest:0<9}"


class Attached:
    """Follows containers that are about to start, until all have ended."""

    def __init__(self, engine: Engine, printer: Printer) -> None:
        self._engine = engine
        self._printer = printer
        self._waited_for = 0
        self._hidden: set[str] = set()
        self._done: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.exit_codes: dict[str, int] = {}

    def attach(self, source: Source, *, shown: bool = True) -> None:
        """Before the start, so that no line is missed; not `shown`: only its end counts."""
        if not shown:
            self._hidden.add(source.label)
        stream = self._engine.containers.attach(source.id)
        self._waited_for += 1
        threading.Thread(target=self._run, args=(source, stream), daemon=True).start()

    def _run(self, source: Source, stream: Hijacked) -> None:
        try:
            self._follow(source, stream)
        finally:
            self._done.put(source.label)

    def _follow(self, source: Source, stream: Hijacked | Response) -> None:
        """Until the container is done; one with a restart policy is attached to again."""
        finished = ""
        while True:
            copy(None if source.label in self._hidden else self._printer, source, stream)
            stream.close()
            try:
                state = self._ended(source.id, finished)
                if not state["Running"]:
                    break
                finished = state["FinishedAt"]
                # From the log: what a new run printed before anybody could attach to it is not lost.
                stream = self._engine.containers.logs(source.id, follow=True, since=epoch(finished))
            except EngineError:
                return  # removed meanwhile
        self.exit_codes[source.label] = int(state["ExitCode"])
        if source.label not in self._hidden:
            self._printer.note(source.label, f"exited with code {state['ExitCode']}")

    def _ended(self, container: str, before: str) -> dict[str, Any]:
        """The state once the run whose output has ended is over: the output may end a little before the record."""
        while True:
            state: dict[str, Any] = self._engine.containers.inspect(container)["State"]
            begun_anew = state["Running"] and state["FinishedAt"] not in (before, _NEVER)
            if begun_anew or not (state["Running"] or state["Restarting"]):
                return state
            time.sleep(_POLL_S)

    def join(self, ends: Callable[[str, int], bool] = lambda label, status: False) -> str | None:
        """Until all have ended, or one of which `ends` says that it is the end of all; gives that one's label.

        May be called again after an interrupt.
        """
        # why not Thread.join: an interrupt in the middle of it can leave the thread marked as ended
        while self._waited_for:
            label = self._done.get()
            self._waited_for -= 1
            if label in self.exit_codes and ends(label, self.exit_codes[label]):
                return label
        return None
