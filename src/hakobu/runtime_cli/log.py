"""The log as callers of a runtime read it: one line a message, in runc's text or JSON, with level, msg and time."""

import json
import os
import sys
import time
from typing import Literal

Level = Literal["debug", "info", "warning", "error"]


class Log:
    """To a file (`--log`), which its caller may read meanwhile, or to stderr."""

    def __init__(self, path: str = "", format: str = "text", *, debug: bool = False) -> None:
        self._path, self._json, self._debug = path, format == "json", debug

    def write(self, level: Level, message: str) -> None:
        if level == "debug" and not self._debug:
            return
        if not self._path:
            sys.stderr.write(self._line(level, message))
            return
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            os.write(fd, self._line(level, message).encode(errors="replace"))
        finally:
            os.close(fd)

    def fail(self, message: str) -> None:
        """The last words of a call: in the log for who asked for one, and on stderr for everybody."""
        try:
            self.write("error", message)
        except OSError as error:
            message = f"{message} (and the log cannot be written: {error})"
        if self._path:
            sys.stderr.write(message + "\n")

    def _line(self, level: Level, message: str) -> str:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        if self._json:
            return json.dumps({"level": level, "msg": message, "time": now}) + "\n"
        return f'time="{now}" level={level} msg={json.dumps(message)}\n'
