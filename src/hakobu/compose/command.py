"""`hakobu compose`: the command line, docker compose's verbs and flags."""

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn, TypeAlias

from hakobu.client.endpoint import Endpoint
from hakobu.client.error import ClientError
from hakobu.compose.context import Context
from hakobu.compose.verb import execute, lifecycle, look, oneoff, planning
from hakobu.errors import HakobuError

Verb: TypeAlias = Callable[[Context], int]
Adder: TypeAlias = Callable[[argparse.ArgumentParser], object]


class _Parser(argparse.ArgumentParser):
    """Usage errors end with docker compose's status."""

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(16, f"{self.prog}: {message}\n")


def _flag(*names: str, dest: str = "", help: str = "") -> Adder:
    def add(parser: argparse.ArgumentParser) -> object:
        if dest:
            return parser.add_argument(*names, dest=dest, action="store_true", help=help)
        return parser.add_argument(*names, action="store_true", help=help)

    return add


def _text(*names: str, help: str = "", dest: str = "") -> Adder:
    def add(parser: argparse.ArgumentParser) -> object:
        if dest:
            return parser.add_argument(*names, dest=dest, default="", help=help)
        return parser.add_argument(*names, default="", help=help)

    return add


def _number(*names: str, help: str = "") -> Adder:
    return lambda parser: parser.add_argument(*names, type=int, default=None, help=help)


def _list(*names: str, help: str = "", dest: str | None = None) -> Adder:
    def add(parser: argparse.ArgumentParser) -> object:
        if dest:
            return parser.add_argument(*names, dest=dest, action="append", default=[], help=help)
        return parser.add_argument(*names, action="append", default=[], help=help)

    return add


def _services(parser: argparse.ArgumentParser) -> object:
    return parser.add_argument("services", nargs="*", metavar="SERVICE")


def _command_line(parser: argparse.ArgumentParser) -> object:
    parser.add_argument("service", metavar="SERVICE")
    parser.add_argument("command", metavar="COMMAND")
    return parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="ARGS")


def _service_and_command(parser: argparse.ArgumentParser) -> object:
    parser.add_argument("service", metavar="SERVICE")
    return parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="COMMAND")


def _scales(parser: argparse.ArgumentParser) -> object:
    return parser.add_argument("scale", nargs="+", metavar="SERVICE=NUM")


def _port(parser: argparse.ArgumentParser) -> object:
    parser.add_argument("service", metavar="SERVICE")
    return parser.add_argument("private_port", metavar="PRIVATE_PORT")


_TIMEOUT = _number("-t", "--timeout", help="seconds to wait for a container to stop before it is killed")
_QUIET = _flag("-q", "--quiet", help="print only the identifiers, or nothing")
_FORMAT = _text("--format", help="json, or the default table")
_MAKING = (
    _flag("--force-recreate", help="recreate containers even where nothing has changed"),
    _flag("--no-recreate", help="leave containers that exist as they are"),
    _flag("--no-build", help="for compatibility: images are never built here"),
    _text("--pull", help="pull images: always, missing, never"),
    _flag("--quiet-pull", help="for compatibility: pulls show no details"),
    _flag("--remove-orphans", help="remove containers of services that the file does not have"),
    _list("--scale", help="SERVICE=NUM: how many containers a service has"),
    _flag("-y", "--yes", help="for compatibility: nothing is asked"),
)

VERBS: dict[str, tuple[Verb, str, tuple[Adder, ...]]] = {
    "up": (
        lifecycle.up,
        "Create and start containers",
        (
            _flag("-d", "--detach", help="run in the background"),
            *_MAKING,
            _flag("--no-deps", help="leave the services alone that these depend on"),
            _flag("--no-start", help="create, but do not start"),
            _flag("--wait", help="wait until services are running or healthy"),
            _number("--wait-timeout", help="seconds to wait at most"),
            _TIMEOUT,
            _flag("--no-color", help="no colours"),
            _flag("--no-log-prefix", help="no prefix before the containers' lines"),
            _text("--exit-code-from", help="give the exit status of this service's container"),
            _services,
        ),
    ),
    "plan": (
        planning.plan,
        "Show what up would do, and why",
        (
            _text("--format", help="tree, json, or commands: docker commands that do the same"),
            *_MAKING,
            _flag("--no-deps", help="leave the services alone that these depend on"),
            _flag("--no-start", help="create, but do not start"),
            _flag("--wait", help="wait until services are running or healthy"),
            _services,
        ),
    ),
    "down": (
        lifecycle.down,
        "Stop and remove containers and networks",
        (
            _flag("-v", "--volumes", help="remove the volumes as well"),
            _text("--rmi", help="remove the images as well: all, or local"),
            _flag("--remove-orphans", help="remove containers of services that the file does not have"),
            _TIMEOUT,
            _services,
        ),
    ),
    "create": (lifecycle.create, "Create containers", (*_MAKING, _services)),
    "start": (lifecycle.start, "Start containers that exist", (_services,)),
    "stop": (lifecycle.stop, "Stop containers", (_TIMEOUT, _services)),
    "restart": (
        lifecycle.restart,
        "Restart containers",
        (_TIMEOUT, _flag("--no-deps", help="leave dependents alone"), _services),
    ),
    "kill": (
        lifecycle.kill,
        "Kill containers",
        (_text("-s", "--signal", help="the signal"), _flag("--remove-orphans"), _services),
    ),
    "rm": (
        lifecycle.rm,
        "Remove stopped containers",
        (
            _flag("-f", "--force", help="do not ask"),
            _flag("-s", "--stop", help="stop them first"),
            _flag("-v", "--volumes", help="remove their nameless volumes"),
            _services,
        ),
    ),
    "pull": (
        lifecycle.pull,
        "Pull images",
        (
            _text("--policy", help="always or missing"),
            _flag("--include-deps", help="of dependencies as well"),
            _flag("--ignore-pull-failures"),
            _QUIET,
            _services,
        ),
    ),
    "pause": (lifecycle.pause, "Pause services", (_services,)),
    "unpause": (lifecycle.unpause, "Unpause services", (_services,)),
    "ps": (
        look.ps,
        "List containers",
        (
            _flag("-a", "--all", help="stopped ones as well"),
            _QUIET,
            _FORMAT,
            _flag("--services", dest="list_services", help="print the services' names"),
            _list("--status", help="only those in this state"),
            _flag("--no-trunc"),
            _services,
        ),
    ),
    "logs": (
        look.logs,
        "Show what containers print",
        (
            _flag("-f", "--follow", help="go on as more comes"),
            _text("-n", "--tail", help="only so many lines of each"),
            _flag("-t", "--timestamps", help="with the time of each line"),
            _text("--since", help="only what came after"),
            _text("--until", help="only what came before"),
            _flag("--no-color", help="no colours"),
            _flag("--no-log-prefix", help="no prefix before the lines"),
            _services,
        ),
    ),
    "exec": (
        execute.execute,
        "Run a command in a running container",
        (
            _flag("-d", "--detach", help="in the background"),
            _list("-e", "--env", help="NAME=value"),
            _number("--index", help="which of the service's containers"),
            _flag("-T", "--no-TTY", "--no-tty", dest="no_tty", help="no terminal"),
            _flag("-i", "--interactive", help="for compatibility: always on"),
            _flag("-t", "--tty", help="for compatibility: on where there is a terminal"),
            _flag("--privileged", help="with all privileges the engine has"),
            _text("-u", "--user", help="as this user"),
            _text("-w", "--workdir", help="in this directory"),
            _command_line,
        ),
    ),
    "run": (
        oneoff.run,
        "Run one command in a container of its own",
        (
            _flag("-d", "--detach", help="in the background"),
            _flag("--rm", help="remove the container when the command has ended"),
            _flag("-T", "--no-TTY", "--no-tty", dest="no_tty", help="no terminal"),
            _flag("-i", "--interactive", help="for compatibility: always on"),
            _flag("--no-deps", help="do not start what the service depends on"),
            _flag("-P", "--service-ports", help="publish the service's ports"),
            _list("-e", "--env", help="NAME=value"),
            _text("--entrypoint", help="another entrypoint"),
            _text("--name", help="the container's name"),
            _text("-u", "--user", help="as this user"),
            _text("-w", "--workdir", help="in this directory"),
            _flag("--quiet-pull", help="for compatibility: pulls show no details"),
            _flag("--remove-orphans", help="remove containers of services that the file does not have"),
            _service_and_command,
        ),
    ),
    "scale": (
        lifecycle.scale,
        "Set how many containers services have",
        (_flag("--no-deps", help="leave the services alone that these depend on"), _scales),
    ),
    "wait": (lifecycle.wait, "Wait until containers have ended", (_services,)),
    "config": (
        look.config,
        "Show the project in canonical form",
        (
            _QUIET,
            _FORMAT,
            _flag("--services", dest="list_services", help="the services' names"),
            _flag("--volumes", dest="list_volumes", help="the volumes' names"),
            _flag("--networks", dest="list_networks", help="the networks' names"),
            _flag("--profiles", dest="list_profiles", help="the profiles' names"),
            _flag("--images", dest="list_images", help="the images' names"),
            _text("--hash", help="the hash of these services (* for all)"),
            _text("-o", "--output", help="write to a file"),
            _services,
        ),
    ),
    "events": (look.events, "Show what happens to containers as it happens", (_flag("--json"), _services)),
    "ls": (look.ls, "List projects", (_flag("-a", "--all", help="stopped ones as well"), _QUIET, _FORMAT)),
    "images": (look.images, "List the images containers use", (_QUIET, _services)),
    "port": (look.port, "Show where a port is published", (_text("--protocol"), _number("--index"), _port)),
    "top": (look.top, "Show processes", (_services,)),
    "volumes": (look.volumes, "List volumes", (_QUIET,)),
    "version": (look.version, "Show the version", (_flag("--short"), _text("-f", "--format"))),
}
_ALIASES = {"config": ["convert"]}


_BY_NAME = "use `hakobu {verb}` with the container's name, which `hakobu compose ps` shows"
REFUSED_VERBS = {
    **dict.fromkeys(("attach", "commit", "cp", "export", "stats"), _BY_NAME),
    **dict.fromkeys(("build", "push", "publish", "watch"), "images are not built here; `image` names one that exists"),
}


def _refuse(verb: str) -> int:
    reason = REFUSED_VERBS[verb].format(verb=verb)
    print(f"hakobu compose {verb} is not supported: {reason}", file=sys.stderr)
    return 1


_DRY = "tell what would be done, and do nothing"


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="hakobu compose", description="Applications of several containers.", allow_abbrev=False)
    parser.add_argument("-f", "--file", action="append", default=[], help="a Compose file; several are merged")
    parser.add_argument("-p", "--project-name", default="", help="the project's name")
    parser.add_argument("--project-directory", default="", help="what relative paths start from")
    parser.add_argument("--env-file", action="append", default=[], help="a file of variables instead of .env")
    parser.add_argument("--profile", action="append", default=[], help="a profile to activate; * for all")
    parser.add_argument("--ansi", default="auto", choices=("auto", "always", "never"), help="colours")
    parser.add_argument("--dry-run", action="store_true", help=_DRY)
    parser.add_argument("--progress", default="auto", choices=("auto", "plain", "tty", "quiet"), help="how to report")
    verbs = parser.add_subparsers(dest="verb", metavar="COMMAND", required=True, parser_class=_Parser)
    for name, (_, line, adders) in VERBS.items():
        aliases = _ALIASES.get(name, [])
        verb = verbs.add_parser(name, help=line, description=line, allow_abbrev=False, aliases=aliases)
        verb.add_argument("--dry-run", action="store_true", default=argparse.SUPPRESS, help=_DRY)
        for add in adders:
            add(verb)
    for name in REFUSED_VERBS:
        verbs.add_parser(name, add_help=False)
    return parser


def parse(argv: list[str]) -> argparse.Namespace:
    """The command line; `SystemExit` where it is none, or only asks for help."""
    parser = _parser()
    options, unknown = parser.parse_known_args(argv)
    if unknown and options.verb not in REFUSED_VERBS:
        parser.error(f"unknown flag: {unknown[0]}")
    return options


def main(argv: list[str], endpoint: Endpoint | str) -> int:
    """One command; errors are told on stderr, with what to do about them."""
    try:
        options = parse(argv)
        if options.verb in REFUSED_VERBS:
            return _refuse(options.verb)
    except SystemExit as e:
        return int(e.code or 0)
    context = Context(options, endpoint)
    try:
        return VERBS[context.text("verb").replace("convert", "config")][0](context)
    except HakobuError as e:
        return _fail(context, str(e), e.hint)
    except ClientError as e:
        return _fail(context, str(e), e.hint)
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        return 130


def _fail(context: Context, text: str, hint: str) -> int:
    context.progress.say(text)
    if hint:
        context.progress.say(f"({hint})")
    return 1
