"""The container's log: Docker's json-file lines, written as the bytes come in, rotated without losing one.

A block of output is escaped and cut into lines by a few operations on the whole block: a Python-level loop over
lines would be slower than the containers that print them. Lines over 16 KiB are cut, as Docker cuts them.
`local` is the same format under other defaults.
"""

import json
import os
import re
import time
import zlib
from collections.abc import Mapping

from hakobu.runtime.failure import StepFailed
from hakobu.spec.plan import LogTarget

PARTIAL_BYTES = 16 << 10
_SPECIAL = re.compile(rb"[\x00-\x09\x0b-\x1f\x7f]")
_ESCAPES = {8: b"\\b", 9: b"\\t", 12: b"\\f", 13: b"\\r"}


def _escape_one(match: "re.Match[bytes]") -> bytes:
    value = match.group()[0]
    return _ESCAPES.get(value) or b"\\u%04x" % value


def escape(data: bytes) -> bytes:
    """The inside of a JSON string; newlines are left for the caller. Invalid UTF-8 becomes U+FFFD."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        data = data.decode("utf-8", "replace").encode()
    if b"\\" in data:
        data = data.replace(b"\\", b"\\\\")
    if b'"' in data:
        data = data.replace(b'"', b'\\"')
    return _SPECIAL.sub(_escape_one, data)


def timestamp(now_ns: int) -> bytes:
    """RFC 3339 with the nanoseconds' trailing zeros cut, as Docker's log has it."""
    seconds, rest = divmod(now_ns, 1_000_000_000)
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{whole}{fraction}Z".encode()


class LogFile:
    """One container's log file with its rotation; the incomplete last line of each stream is kept back."""

    def __init__(
        self,
        path: str,
        *,
        max_bytes: int,
        max_files: int,
        compress: bool,
        attributes: Mapping[str, str] | None,
        fd: int = -1,
        unfinished: Mapping[str, bytes] | None = None,
    ) -> None:
        self.path = path
        self._max_bytes, self._max_files, self._compress = max_bytes, max(1, max_files), compress
        told = json.dumps(dict(attributes), separators=(",", ":")) if attributes else ""
        self._attributes = f',"attrs":{told}'.encode() if told else b""
        self._rest: dict[str, bytes] = dict(unfinished or {})
        self._fd = fd if fd >= 0 else self._open()
        self.size = os.fstat(self._fd).st_size
        self._packer = 0
        self.failed = ""

    def fileno(self) -> int:
        return self._fd

    @property
    def unfinished(self) -> Mapping[str, bytes]:
        """Last lines that have no end yet, by stream."""
        return self._rest

    @property
    def is_packing(self) -> bool:
        if self._packer and os.waitpid(self._packer, os.WNOHANG)[0]:
            self._packer = 0
        return self._packer != 0

    def write(self, stream: str, data: bytes) -> None:
        """Takes what came from a stream; a full disk loses lines, never the container (see `failed`)."""
        rest = self._rest.pop(stream, b"")
        data = rest + data if rest else data
        cut = data.rfind(b"\n") + 1
        whole, rest = data[:cut], data[cut:]
        out = self._lines(stream, whole) if whole else b""
        while len(rest) >= PARTIAL_BYTES:
            out += self._record(stream, rest[:PARTIAL_BYTES], ended=False)
            rest = rest[PARTIAL_BYTES:]
        if rest:
            self._rest[stream] = rest
        if out:
            self._append(out)

    def flush(self, stream: str) -> None:
        """The stream has ended: its last line has no newline."""
        if rest := self._rest.pop(stream, b""):
            self._append(self._record(stream, rest, ended=False))

    def close(self) -> None:
        for stream in tuple(self._rest):
            self.flush(stream)
        os.close(self._fd)

    def _lines(self, stream: str, whole: bytes) -> bytes:
        tail = self._tail(stream, ended=True)
        if len(whole) > PARTIAL_BYTES and _has_long_line(whole):
            return b"".join(self._one(stream, line) for line in whole.split(b"\n")[:-1])
        return (b'{"log":"' + escape(whole).replace(b"\n", tail + b'{"log":"'))[: -len(b'{"log":"')]

    def _one(self, stream: str, line: bytes) -> bytes:
        out = b""
        while len(line) > PARTIAL_BYTES:
            out += self._record(stream, line[:PARTIAL_BYTES], ended=False)
            line = line[PARTIAL_BYTES:]
        return out + self._record(stream, line, ended=True)

    def _record(self, stream: str, text: bytes, *, ended: bool) -> bytes:
        return b'{"log":"' + escape(text.replace(b"\n", b"")) + self._tail(stream, ended=ended)

    def _tail(self, stream: str, *, ended: bool) -> bytes:
        newline = b"\\n" if ended else b""
        return b'%s","stream":"%s"%s,"time":"%s"}\n' % (
            newline,
            stream.encode(),
            self._attributes,
            timestamp(time.time_ns()),
        )

    def _append(self, out: bytes) -> None:
        try:
            if self._max_bytes > 0:
                self._append_rotating(out)
            else:
                self._put(out)
            self.failed = ""
        except OSError as error:
            self.failed = f"{error.strerror}: {self.path}"

    def _append_rotating(self, out: bytes) -> None:
        while out:
            if self.size >= self._max_bytes:
                self._rotate()
            room = self._max_bytes - self.size
            cut = len(out) if len(out) <= room else out.find(b"\n", max(0, room - 1)) + 1
            self._put(out[:cut])
            out = out[cut:]

    def _put(self, out: bytes) -> None:
        view = memoryview(out)
        while view:
            written = os.write(self._fd, view)
            self.size += written
            view = view[written:]

    def _open(self) -> int:
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o640)

    def _rotate(self) -> None:
        """`path` → `path.1` → …; what is beyond the count is dropped. A compression that runs is waited for."""
        self._reap_packer()
        os.close(self._fd)
        if self._max_files == 1:
            os.truncate(self.path, 0)
        else:
            for number in range(self._max_files - 1, 0, -1):
                self._shift(number)
            os.rename(self.path, f"{self.path}.1")
        self._fd = self._open()
        self.size = os.fstat(self._fd).st_size
        if self._compress and self._max_files > 1:
            self._packer = _pack(f"{self.path}.1")

    def _shift(self, number: int) -> None:
        for suffix in ("", ".gz"):
            name = f"{self.path}.{number}{suffix}"
            if not os.path.exists(name):
                continue
            if number + 1 >= self._max_files:
                os.unlink(name)
            else:
                os.rename(name, f"{self.path}.{number + 1}{suffix}")

    def _reap_packer(self) -> None:
        if self._packer:
            try:
                os.waitpid(self._packer, 0)
            except ChildProcessError:
                pass
            self._packer = 0


def open_log(target: LogTarget | None, fd: int = -1, unfinished: Mapping[str, bytes] | None = None) -> LogFile | None:
    """None where nothing is to be written. `fd` is the file where somebody has opened it already."""
    if target is None or target.driver == "none":
        return None
    try:
        return LogFile(
            target.path,
            max_bytes=target.max_bytes,
            max_files=target.max_files,
            compress=target.compress,
            attributes=target.attributes,
            fd=fd,
            unfinished=unfinished,
        )
    except OSError as error:
        raise StepFailed("log.open", f"the log {target.path} cannot be opened: {error.strerror}") from error


def _has_long_line(whole: bytes) -> bool:
    position = 0
    while (next_ := whole.find(b"\n", position)) >= 0:
        if next_ - position > PARTIAL_BYTES:
            return True
        # jump: a line that begins before here and ends behind is found by the search itself
        position = max(next_ + 1, whole.rfind(b"\n", next_, next_ + PARTIAL_BYTES) + 1)
    return False


def _pack(path: str) -> int:
    """Compresses in a process of its own: the streams of the container do not wait for it."""
    pid = os.fork()
    if pid:
        return pid
    try:
        packer = zlib.compressobj(6, zlib.DEFLATED, 31)  # 31: gzip's header and trailer
        with open(path, "rb") as source, open(f"{path}.part", "wb") as target:
            while block := source.read(1 << 18):
                target.write(packer.compress(block))
            target.write(packer.flush())
        os.rename(f"{path}.part", f"{path}.gz")
        os.unlink(path)
    finally:
        os._exit(0)
