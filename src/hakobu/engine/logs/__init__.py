"""Reading what containers printed: the json-file log the shim writes, as frames ready to send.

Small logs are read in a thread; large ones by a process of their own, so that a scan never holds the
interpreter that serves requests. Nothing here writes a log.
"""

from hakobu.engine.logs.stream import stream

__all__ = ["stream"]
