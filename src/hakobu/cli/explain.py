"""`hakobu explain`: what a command would do, or what was done to start a container, step by step.

    hakobu explain run --rm -p 8080:80 nginx        before: from the plan, nothing is done
    hakobu explain compose -f compose.yaml up       before, for each container of an application
    hakobu explain exec web sh                      before
    hakobu explain web                              after: the last start, with the time of each step
    hakobu explain --last                           after, of the container that was created last

The steps are the engine's own plan; this module only asks for it and has `explain/` put it into words.
"""

from __future__ import annotations

import os
import sys

from hakobu.cli.failure import Failure
from hakobu.cli.plan_text import print_json, print_text
from hakobu.client.engine import Engine
from hakobu.client.error import ClientError, EngineError
from hakobu.client.url import quote_path
from hakobu.explain.catalogue import choose_language, load_catalogue
from hakobu.explain.trace import parse_trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hakobu.client.endpoint import Endpoint
    from hakobu.explain.catalogue import Catalogue
    from hakobu.explain.trace import Trace

USAGE = """\
Usage:  hakobu explain [--lang en|ja] [--format text|json] run [OPTIONS] IMAGE [COMMAND] [ARG...]
        hakobu explain [--lang en|ja] [--format text|json] compose [OPTIONS] up [SERVICE...]
        hakobu explain [--lang en|ja] [--format text|json] exec [OPTIONS] CONTAINER COMMAND [ARG...]
        hakobu explain [--lang en|ja] [--format text|json] CONTAINER
        hakobu explain [--lang en|ja] [--format text|json] --last

Show what a command does, step by step, down to the system calls: in one sentence, as system calls, as the
shell line that would do the same, and where to look for it in /proc or /sys. Before `run`, `exec` and
`compose up` from the plan, without doing anything; of a container's last start with the time of each step.
"""


class _Options:
    """The flags of explain itself; what follows the first word belongs to the command that is explained."""

    def __init__(self, argv: list[str]) -> None:
        self.lang = ""
        self.format = "text"
        self.last = False
        self.help = False
        self.words: list[str] = []
        rest = list(argv)
        while rest:
            self._take(rest)

    def _take(self, rest: list[str]) -> None:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name in ("--lang", "--format"):
            if not equals and not rest:
                raise Failure(f"flag needs an argument: {name}", 125)
            self._set(name, value if equals else rest.pop(0))
        elif word == "--last":
            self.last = True
        elif word in ("-h", "--help"):
            self.help = True
        elif word.startswith("-"):
            raise Failure(f"unknown flag: {word}\n\n{USAGE}", 125)
        else:
            self.words.append(word)
            if word in _COMMANDS:
                self.words += rest
                rest.clear()

    @property
    def catalogue(self) -> Catalogue:
        return load_catalogue(choose_language(self.lang, os.environ))

    def _set(self, name: str, value: str) -> None:
        choices = ("en", "ja") if name == "--lang" else ("text", "json")
        if value not in choices:
            raise Failure(f"invalid argument {value!r} for {name}: must be {' or '.join(choices)}", 125)
        if name == "--lang":
            self.lang = value
        else:
            self.format = value


def main(argv: list[str], endpoint: Endpoint | str) -> int:
    try:
        options = _Options(argv)
        if options.help or not (options.words or options.last):
            sys.stdout.write(USAGE)
            return 0 if options.help else 1
        engine = Engine(endpoint)
        traces, titles = _traces(engine, options)
    except Failure as e:
        sys.stderr.write(f"{e.message}\n")
        return e.status
    except ClientError as e:
        sys.stderr.write(f"{e}\n" + (f"({e.hint})\n" if e.hint else ""))
        return 1
    if options.format == "json":
        print_json(traces, options.catalogue, several=options.words[:1] == ["compose"])
    else:
        print_text(traces, titles, options.catalogue)
    return 0


def _traces(engine: Engine, options: _Options) -> tuple[list[Trace], list[str]]:
    """The plans to show, and what to say above each (empty: the usual words)."""
    command = _COMMANDS.get(options.words[0]) if options.words and not options.last else None
    if command is not None:
        return command(engine, options)
    return [_of_container(engine, options.words[0] if options.words else "")], [""]


def _of_container(engine: Engine, ref: str) -> Trace:
    """The last start of a container; of the one that was created last where none is named."""
    if not ref:
        newest = engine.containers.list(all=True, limit=1)
        if not newest:
            raise Failure("there is no container whose start could be explained", 1)
        ref = str(newest[0]["Id"])
    document = engine.system.hakobu("GET", f"/v1/containers/{quote_path(ref)}/plan")
    inspected = engine.containers.inspect(ref)
    return parse_trace(document, name=str(inspected["Name"]).lstrip("/"), pid=int(inspected["State"]["Pid"]))


def _of_run(engine: Engine, options: _Options) -> tuple[list[Trace], list[str]]:
    from hakobu.cli.command.run import RUN
    from hakobu.cli.flag import parse_command
    from hakobu.cli.option.container import build

    values, arguments = parse_command(RUN, options.words[1:])
    return [_plan(engine, build(values, arguments))], [""]


def _plan(engine: Engine, body: dict[str, Any], *, name: str = "") -> Trace:
    return parse_trace(engine.system.hakobu("POST", "/v1/plan/create", None, body), name=name)


def _of_exec(engine: Engine, options: _Options) -> tuple[list[Trace], list[str]]:
    from hakobu.cli.command.execute import EXECUTE, exec_config
    from hakobu.cli.flag import parse_command

    values, arguments = parse_command(EXECUTE, options.words[1:])
    container, body = arguments[0], exec_config(values, arguments[1:])
    path = f"/v1/containers/{quote_path(container)}/plan/exec"
    document = engine.system.hakobu("POST", path, None, body)
    pid = int(engine.containers.inspect(container)["State"]["Pid"])
    return [parse_trace(document, name=container, pid=pid)], [f"exec {' '.join(arguments)}"]


def _of_compose(engine: Engine, options: _Options) -> tuple[list[Trace], list[str]]:
    """The plan of each container that `up` would make; what it does beside is told on stderr."""
    from hakobu.compose.foresee import foresee
    from hakobu.errors import HakobuError

    try:
        foreseen = foresee(engine, options.words[1:])
    except HakobuError as e:
        raise Failure(str(e) + (f"\n({e.hint})" if e.hint else ""), 1) from e
    _print_waves(options, foreseen.waves)
    traces = [_plan_of_service(engine, body, name) for name, body in foreseen.bodies]
    return traces, [name for name, _ in foreseen.bodies]


def _plan_of_service(engine: Engine, body: dict[str, Any], name: str) -> Trace:
    try:
        return _plan(engine, body, name=name)
    except EngineError as e:
        raise Failure(f"{name}: {e.message}", 1) from e


def _print_waves(options: _Options, waves: list[list[str]]) -> None:
    words = options.catalogue.words
    sys.stderr.write(f"{words['actions']}\n")
    for number, wave in enumerate(waves, 1):
        sys.stderr.write(f"  {words['wave'].format(number=number)}: {', '.join(wave)}\n")
    sys.stderr.write("\n")


_COMMANDS: dict[str, Callable[[Engine, _Options], tuple[list[Trace], list[str]]]] = {
    "run": _of_run,
    "exec": _of_exec,
    "compose": _of_compose,
}
