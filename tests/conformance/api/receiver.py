"""Receivers of logs: real ones (rsyslogd, systemd-journald) and plain sockets whose bytes a library decodes."""

import contextlib
import gzip
import json
import socket
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgpack

RSYSLOGD, JOURNALD = "/usr/sbin/rsyslogd", "/lib/systemd/systemd-journald"
_WAIT_S = 30.0


def until(ready: Callable[[], Any], what: Callable[[], str]) -> Any:
    """The first true value of `ready`; the events waited for are other programs', which tell nobody."""
    deadline = time.monotonic() + _WAIT_S
    while not (value := ready()):
        assert time.monotonic() < deadline, what()
        time.sleep(0.02)
    return value


@dataclass
class Rsyslog:
    """What arrives is written as JSON lines to a file, parsed by rsyslog's own parsers."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "received"

    def messages(self) -> list[dict[str, str]]:
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        return [json.loads(line) for line in lines]

    def message(self, text: str) -> dict[str, str]:
        """The one with this text, once it is there."""
        return until(
            lambda: next((m for m in self.messages() if text in m["msg"]), None),
            lambda: f"no {text!r} in {self.messages()}\n{(self.folder / 'log').read_text()}",
        )


@contextlib.contextmanager
def rsyslog(folder: Path, inputs: str) -> Iterator[Rsyslog]:
    config = folder / "conf"
    fields = ["msg", "hostname", "app-name", "procid", "syslogfacility-text", "syslogseverity-text", "timereported"]
    template = "\n".join(
        [
            'template(name="j" type="list" option.jsonf="on") {',
            *(f'property(outname="{f}" name="{f}" format="jsonf")' for f in fields),
            "}",
        ]
    )
    received = f'action(type="omfile" file="{folder}/received" template="j" flushOnTXEnd="on")'
    config.write_text(f'global(workDirectory="{folder}")\n{inputs}\n{template}\n{received}\n')
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            [RSYSLOGD, "-n", "-f", str(config), "-i", f"{folder}/pid"], stdout=log, stderr=log, cwd="/"
        )
    try:
        until((folder / "pid").exists, lambda: (folder / "log").read_text())
        yield Rsyslog(folder)
    finally:
        process.terminate()
        process.wait()


@contextlib.contextmanager
def journal(folder: Path) -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """systemd-journald in the session's own mount namespace; gives a function that reads back by journalctl."""
    from hakobu.kernel import mount

    covered = [Path("/run/systemd/journal"), Path("/run/log/journal")]
    made = [path for path in covered if not path.exists()]
    for path in covered:
        path.mkdir(parents=True, exist_ok=True)
        mount.mount("tmpfs", str(path), "tmpfs", 0)
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([JOURNALD], stdout=log, stderr=log, cwd="/")

    def read(*matches: str) -> list[dict[str, Any]]:
        argv = ["journalctl", "-D", "/run/log/journal", "-o", "json", "--all", "--no-pager", *matches]
        done = subprocess.run(argv, capture_output=True, text=True)
        return [json.loads(line) for line in done.stdout.splitlines()]

    try:
        until((covered[0] / "socket").exists, lambda: (folder / "log").read_text())
        yield read
    finally:
        process.terminate()
        process.wait()
        for path in covered:
            mount.umount2(str(path), mount.MNT_DETACH)
        for path in made:
            path.rmdir()


@dataclass
class Collector:
    """What came in at a socket, read by a thread until the end of the `with` that owns it."""

    sock: socket.socket
    found: list[Any] = field(default_factory=list)
    connections: list[socket.socket] = field(default_factory=list)

    def accept(self) -> socket.socket:
        connection, _ = self.sock.accept()
        self.connections.append(connection)
        return connection

    @property
    def port(self) -> int:
        return self.sock.getsockname()[1]

    def wait_for(self, count: int) -> list[Any]:
        return until(lambda: self.found if len(self.found) >= count else None, lambda: f"only {self.found}")


@contextlib.contextmanager
def collecting(sock: socket.socket, work: Callable[[Collector], None]) -> Iterator[Collector]:
    collector = Collector(sock)

    def run() -> None:
        with contextlib.suppress(OSError):
            work(collector)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield collector
    finally:
        for open_ in (sock, *collector.connections):
            with contextlib.suppress(OSError):
                open_.shutdown(socket.SHUT_RDWR)
        if sock.type == socket.SOCK_DGRAM:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wake:
                wake.sendto(b"", sock.getsockname())
        thread.join()
        sock.close()


def gelf_datagrams(graylog: Collector) -> None:
    """GELF over UDP: chunks put together, gzip or zlib taken off."""
    pieces: dict[bytes, dict[int, bytes]] = {}
    while data := graylog.sock.recv(65536):
        if data.startswith(b"\x1e\x0f"):
            have = pieces.setdefault(data[2:10], {})
            have[data[10]] = data[12:]
            if len(have) < data[11]:
                continue
            data = b"".join(have[i] for i in range(data[11]))
        if data.startswith(b"\x1f\x8b"):
            data = gzip.decompress(data)
        elif data.startswith(b"\x78"):
            data = zlib.decompress(data)
        graylog.found.append(json.loads(data))


def gelf_stream(graylog: Collector) -> None:
    with graylog.accept() as connection:
        rest = b""
        while data := connection.recv(65536):
            *whole, rest = (rest + data).split(b"\0")
            graylog.found += [json.loads(message) for message in whole]


def forward(fluentd: Collector) -> None:
    """Fluentd's side of its protocol, acknowledgements included; one connection after another."""
    while True:
        with fluentd.accept() as connection:
            unpacker = msgpack.Unpacker(timestamp=0)
            while data := connection.recv(65536):
                unpacker.feed(data)
                for event in unpacker:
                    fluentd.found.append(event)
                    if len(event) > 3 and "chunk" in event[3]:
                        connection.sendall(msgpack.packb({"ack": event[3]["chunk"]}))
