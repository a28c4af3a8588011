"""Lists the containers of this root, as a table, as JSON, or by their ids alone."""

import json

from hakobu.runtime_cli.container import every
from hakobu.runtime_cli.context import Context, Failed
from hakobu.runtime_cli.option import Option, Parsed

OPTIONS = (Option(("quiet", "q"), "nothing"), Option(("format", "f")))
_COLUMNS = ("id", "pid", "status", "bundle", "created", "owner")


def run(context: Context, given: Parsed) -> int:
    format = given.text("format", "table")
    if format not in ("table", "json"):
        raise Failed(f"invalid format option: {format}")
    states = [container.state() for container in every(context.root)]
    if given.flag("quiet"):
        for state in states:
            print(state["id"])
    elif format == "json":
        print(json.dumps(states))
    else:
        rows = [[name.upper() for name in _COLUMNS], *([str(s[name]) for name in _COLUMNS] for s in states)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
        for row in rows:
            print("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0
