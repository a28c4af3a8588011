"""The command line: global flags, the table of operations, and how a failure is told.

Exit codes are runc's: 0, 1 for what could not be done, the process's own for `run` and `exec`, 255 where an `exec`
could not be started.
"""

import importlib
import os
from collections.abc import Sequence

import hakobu
from hakobu.errors import HakobuError
from hakobu.runtime_cli.context import Context
from hakobu.runtime_cli.log import Log
from hakobu.runtime_cli.option import Option, Parsed, Usage, parse
from hakobu.spec.runtime_config import OCI_VERSION

GLOBAL = (
    Option(("root",)),
    Option(("log",)),
    Option(("log-format",)),
    Option(("criu",)),  # deprecated by runc, which ignores it as well
    Option(("rootless",)),
    Option(("systemd-cgroup",), "nothing"),
    Option(("debug",), "nothing"),
    Option(("version", "v"), "nothing"),
    Option(("help", "h"), "nothing"),
)
OPERATIONS = {
    "checkpoint": "checkpoint",
    "create": "create",
    "delete": "delete",
    "events": "events",
    "exec": "execute",
    "features": "features",
    "kill": "kill",
    "list": "listing",
    "pause": "pause",
    "ps": "ps",
    "restore": "checkpoint",
    "resume": "resume",
    "run": "run",
    "spec": "spec",
    "start": "start",
    "state": "state",
    "update": "update",
}
"""Names as they are typed, and the module below `operation/` that has `OPTIONS` and `run`."""


def run(words: Sequence[str]) -> int:
    log = Log()
    operation = ""
    try:
        given = parse(words, GLOBAL)
        log = Log(given.text("log"), _format(given), debug=given.flag("debug"))
        if given.flag("version"):
            print(f"hakobu-runtime version {hakobu.__version__}\nspec: {OCI_VERSION}")
            return 0
        if given.flag("help") or not given.operands:
            print(_usage())
            return 0
        operation = given.operands[0]
        return _call(operation, given, log)
    except HakobuError as error:
        log.fail(error.message)
    except OSError as error:
        where = f": {error.filename!r}" if error.filename else ""
        log.fail(f"{operation or 'hakobu-runtime'}: {error.strerror or error}{where}")
    return 255 if operation == "exec" else 1


def _format(given: Parsed) -> str:
    format = given.text("log-format", "text")
    if format not in ("text", "json"):
        raise Usage(f"invalid log-format {format!r}: it is text or json")
    return format


def _call(name: str, given: Parsed, log: Log) -> int:
    module = OPERATIONS.get(name)
    if module is None:
        raise Usage(f"No help topic for '{name}'")
    operation = importlib.import_module(f"hakobu.runtime_cli.operation.{module}")
    root = os.path.abspath(given.text("root") or _default_root())
    context = Context(root, log, given.flag("systemd-cgroup"))
    options = (*operation.OPTIONS, Option(("help", "h"), "nothing"))
    parsed = parse(given.operands[1:], options)
    if parsed.flag("help"):
        print(f"hakobu-runtime {name}\n\n{(operation.__doc__ or '').strip()}\n\nflags: {_flags(options)}")
        return 0
    return int(operation.run(context, parsed))


def _default_root() -> str:
    directory = os.environ.get("XDG_RUNTIME_DIR")
    if os.geteuid() and directory:
        return f"{directory}/hakobu-runtime"
    return "/run/hakobu-runtime"


def _usage() -> str:
    return (
        f"hakobu-runtime [global flags] OPERATION [flags] ID\n\n{(__doc__ or '').strip()}\n\noperations: "
        + ", ".join(OPERATIONS)
        + f"\nglobal flags: {_flags(GLOBAL)}"
    )


def _flags(options: Sequence[Option]) -> str:
    return " ".join("--" + option.names[0] for option in options)
