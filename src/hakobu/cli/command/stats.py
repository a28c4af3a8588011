"""`stats`: what containers use, as a table that renews itself or, with `--no-stream`, once.

One thread a container reads its samples; only the main thread prints.
"""

from __future__ import annotations

import sys
import time

from hakobu.cli.failure import Failure
from hakobu.cli.kind import BOOL
from hakobu.cli.listing import FORMAT, NO_TRUNC, short_id
from hakobu.cli.table import MANY, Command, Flag
from hakobu.cli.template.value import Record
from hakobu.cli.text.size import binary, decimal
from hakobu.cli.text.table import render
from hakobu.client.codec import list_of, object_of
from hakobu.client.error import ClientError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hakobu.cli.session import Session
    from hakobu.cli.table import Values
    from hakobu.client.codec import Json

STATS = Command(
    "stats",
    "[OPTIONS] [CONTAINER...]",
    "Show what containers use",
    most=MANY,
    aliases=("container stats", "stats"),
    flags=(
        Flag("all", "a", BOOL, "Show those that do not run, too"),
        FORMAT,
        Flag("no-stream", "", BOOL, "Show one sample and leave"),
        NO_TRUNC,
    ),
)
COLUMNS = (
    ("ID", "CONTAINER ID"),
    ("Name", "NAME"),
    ("CPUPerc", "CPU %"),
    ("MemUsage", "MEM USAGE / LIMIT"),
    ("MemPerc", "MEM %"),
    ("NetIO", "NET I/O"),
    ("BlockIO", "BLOCK I/O"),
    ("PIDs", "PIDS"),
)
HEADERS: dict[str, object] = {**dict(COLUMNS), "Container": "CONTAINER"}
_RENEW_S = 0.5


class _Watch:
    """The newest sample of one container."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sample: Json | None = None
        self.error: ClientError | None = None
        self.ended = False

    def read(self, session: Session, stream: bool) -> None:
        from hakobu.client.engine import Engine
        from hakobu.client.transport import Transport

        transport = Transport(session.endpoint, version=session.engine.transport.version)
        try:
            with Engine(session.endpoint, transport=transport).containers.stats(self.name, stream=stream) as samples:
                for sample in samples.objects():
                    self.sample = sample
        except ClientError as e:
            self.error = e
        finally:
            self.ended = True
            transport.close()


def stats(session: Session, values: Values, arguments: list[str]) -> int:
    import threading

    names = arguments or [c["Id"] for c in session.engine.containers.list(all=values.on("all"))]
    once = values.on("no-stream")
    watches = [_Watch(name) for name in names]
    session.engine.transport.negotiate()
    threads = [threading.Thread(target=watch.read, args=(session, not once), daemon=True) for watch in watches]
    for thread in threads:
        thread.start()
    if once:
        for thread in threads:
            thread.join()
        _fail(watches)
        _print(session, values, watches)
        return 0
    return _renew(session, values, watches)


def _fail(watches: list[_Watch]) -> None:
    failed = [str(watch.error) for watch in watches if watch.error]
    if failed:
        raise Failure("\n".join(failed))


def _renew(session: Session, values: Values, watches: list[_Watch]) -> int:
    while any(watch.sample is None and not watch.ended for watch in watches):
        time.sleep(0.05)
    _fail(watches)
    terminal = sys.stdout.isatty()
    if terminal:
        session.out("\x1b[2J")
    while True:
        if terminal:
            session.out("\x1b[H")
        _print(session, values, watches, clear=terminal)
        if watches and all(watch.ended for watch in watches):
            return 0
        time.sleep(_RENEW_S)


def _print(session: Session, values: Values, watches: list[_Watch], *, clear: bool = False) -> None:
    rows = [_row(watch, full=values.on("no-trunc")) for watch in watches]
    form = values.text("format")
    if form in ("", "table"):
        body = [[str(row.members[member]()) for member, _ in COLUMNS] for row in rows]
        text = render([title for _, title in COLUMNS], body)
        session.out(text.replace("\n", "\x1b[K\n") + "\x1b[J" if clear else text)
        return
    from hakobu.cli.template.output import print_list

    print_list(session, form, rows, HEADERS)


def _row(watch: _Watch, *, full: bool) -> Record:
    sample: Json = watch.sample or {}
    running = bool(sample.get("memory_stats")) and not (watch.ended and watch.error)
    used, limit = _memory(sample) if running else (0.0, 0.0)
    received, sent = _network(sample)
    read, written = _block(sample)
    members = {
        "BlockIO": lambda: f"{decimal(read, 3)} / {decimal(written, 3)}" if running else "--",
        "CPUPerc": lambda: f"{_cpu(sample):.2f}%" if running else "--",
        "Container": lambda: watch.name if full else _typed(watch.name),
        "ID": lambda: short_id(str(sample.get("id", "")), full=full) or "--",
        "MemPerc": lambda: f"{used / limit * 100 if limit else 0:.2f}%" if running else "--",
        "MemUsage": lambda: f"{binary(used)} / {binary(limit)}" if running else "-- / --",
        "Name": lambda: str(sample.get("name", "")).removeprefix("/") or "--",
        "NetIO": lambda: f"{decimal(received, 3)} / {decimal(sent, 3)}" if running else "--",
        "PIDs": lambda: str(object_of(sample.get("pids_stats")).get("current", 0)) if running else "--",
    }
    return Record(members, "*container.statsContext")


def _typed(name: str) -> str:
    return name[:12] if len(name) == 64 else name


def _memory(sample: Json) -> tuple[float, float]:
    """What is used, file cache that can be dropped left out, and the limit."""
    memory: Json = object_of(sample.get("memory_stats"))
    details: Json = object_of(memory.get("stats"))
    usage = float(memory.get("usage") or 0)
    cache = details.get("total_inactive_file", details.get("inactive_file", 0))
    return (usage - cache if cache < usage else usage), float(memory.get("limit") or 0)


def _cpu(sample: Json) -> float:
    now: Json = object_of(sample.get("cpu_stats"))
    before: Json = object_of(sample.get("precpu_stats"))

    def total(stats: Json) -> float:
        return float(object_of(stats.get("cpu_usage")).get("total_usage") or 0)

    used = total(now) - total(before)
    system = float(now.get("system_cpu_usage") or 0) - float(before.get("system_cpu_usage") or 0)
    cpus = now.get("online_cpus") or len(list_of(object_of(now.get("cpu_usage")).get("percpu_usage")))
    return used / system * cpus * 100 if used > 0 and system > 0 else 0.0


def _network(sample: Json) -> tuple[int, int]:
    networks: dict[str, Json] = object_of(sample.get("networks"))
    received = sum(int(n.get("rx_bytes", 0)) for n in networks.values())
    return received, sum(int(n.get("tx_bytes", 0)) for n in networks.values())


def _block(sample: Json) -> tuple[int, int]:
    entries: list[Json] = list_of(object_of(sample.get("blkio_stats")).get("io_service_bytes_recursive"))
    read = sum(int(e["value"]) for e in entries if str(e.get("op", ""))[:1] in "rR" and e.get("op"))
    return read, sum(int(e["value"]) for e in entries if str(e.get("op", ""))[:1] in "wW" and e.get("op"))
