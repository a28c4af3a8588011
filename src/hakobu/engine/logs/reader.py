"""The process that scans a large log: `python -I -m hakobu.engine.logs.reader`.

Reads one JSON request from stdin (`path`, `framed`, and the query's fields), writes the rendered log to
stdout and, as its last act, one JSON line to descriptor 3 that says where it stopped.
Ends quietly when its reader leaves.
"""

import json
import os
import sys

from hakobu.engine.logs.scan import Scan
from hakobu.engine.services import LogQuery


def main() -> None:
    request = json.load(sys.stdin)
    scan = Scan(request["path"], LogQuery(**request["query"]), request["framed"])
    try:
        for chunk in scan:
            _write_all(1, chunk)
    except BrokenPipeError:
        return
    _write_all(3, json.dumps({"end": scan.end, "inode": scan.inode, "past": scan.past}).encode())


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


if __name__ == "__main__":
    main()
