"""The daemon's own log: to stderr, as text or JSON lines, at the level that was chosen."""

import json
import logging
import sys
import time

from hakobu.daemon.settings import Settings

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
}


class _Text(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        text = f"{when}.{int(record.msecs):03d}Z {record.levelname.lower():7} {record.getMessage()}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = {"time": record.created, "level": record.levelname.lower(), "msg": record.getMessage()}
        if record.exc_info:
            facts["exception"] = self.formatException(record.exc_info)
        return json.dumps(facts)


def set_up(settings: Settings) -> None:
    """May be called again, with other settings."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if settings.log_format == "json" else _Text())
    root = logging.getLogger("hakobu")
    root.handlers[:] = [handler]
    root.setLevel(_LEVELS[settings.log_level])
    root.propagate = False
